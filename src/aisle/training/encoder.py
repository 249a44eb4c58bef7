"""What training does with a tuned encoder: write it as ONNX, and let it serve in place of the settings' own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from aisle.learn.bi_encoder import BI_ENCODER, CARD_FILE, TUNED
from aisle.learn.fitted import Fitted
from aisle.ports import ModelStore
from aisle.represent.card import CARD, sha256_of, text_card
from aisle.represent.export import export_encoder

_WEIGHTS: Final = "model.safetensors"


def export_tuned(tuned: Path, out: Path) -> None:
    """As `learn.bi_encoder.Export`. Raises ModelError when the export disagrees with the tuned network."""
    weights = sha256_of(tuned / _WEIGHTS)
    export_encoder(tuned, out, name=TUNED, model=BI_ENCODER, source_hash=weights, card_file=CARD_FILE)


def as_it_was(folder: Path) -> Fitted:
    """The settings' encoder as a version of `bi_encoder`, so that there is one to go back to.

    `folder` holds what `represent.ensure_encoder` left there: the card, and the files that it names.
    """
    card = text_card(folder).verify(folder)
    files = {file: folder / file for file in card.files} | {CARD_FILE: folder / CARD}
    return Fitted(BI_ENCODER, {"probe": np.zeros((0, card.dim), np.float32)}, files, {"base": card.model, "steps": 0})


def keep_the_first(store: ModelStore, folder: Path) -> None:
    """Before a tuned version is promoted: make the settings' encoder the version that it replaces, if there is none.

    Raises StorageError.
    """
    if not store.promoted(BI_ENCODER):
        first = as_it_was(folder)
        version = store.create(BI_ENCODER, first.arrays, files=first.files, params=first.params, note="as it came")
        store.promote(BI_ENCODER, version.version)
