"""An exported encoder in eight bits, per channel: the whole matrix under one scale costs four times the error."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from aisle.errors import ModelError
from aisle.models.exported import in_eight_bits
from aisle.represent.card import CARD, MODEL_FILE, TOKENIZER_FILE, EncoderCard, sha256_of
from aisle.represent.export import parity_batches

LEAST_PARITY: Final = 0.95
"""Least cosine of a text's vectors before and after; what falls below has lost more than roundings."""


def quantise(folder: Path, out: Path, *, seven_bits: bool | None = None, card_file: str = CARD) -> EncoderCard:
    """Write the encoder exported in `folder` to `out` in int8. Returns its card, whose parity is to the original.

    `seven_bits` as in `models.exported.in_eight_bits`. Raises ModelError when
    it cannot be done or loses too much, ModelDamaged for what is no export.
    """
    before = EncoderCard.verify(folder, card_file)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        making = Path(temporary) / "made"
        making.mkdir()
        seven_bits = in_eight_bits(folder / MODEL_FILE, making / MODEL_FILE, seven_bits=seven_bits)
        shutil.copyfile(folder / TOKENIZER_FILE, making / TOKENIZER_FILE)
        parity = _parity(folder, making)
        if parity < LEAST_PARITY:
            raise ModelError(
                f"{folder}: in int8 a text's cosine with the original is {parity:.4f}, below {LEAST_PARITY}"
            )
        how = f"int8 per channel{', 7 bits' if seven_bits else ''}"
        files = {file: sha256_of(making / file) for file in (MODEL_FILE, TOKENIZER_FILE)}
        card = replace(
            before,
            name=f"{before.name}-int8",
            source_hash=files[MODEL_FILE],
            parity=round(parity, 6),
            files=files,
            made=f"{before.made}; {how}" if before.made else how,
            source=before.source or before.model,
        )
        card.write(making, card_file)
        shutil.rmtree(out, ignore_errors=True)
        making.replace(out)
    return card


def _parity(before: Path, after: Path) -> float:
    """The least cosine of a text's vectors by both."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    one, other = (
        onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])
        for folder in (before, after)
    )
    least = 1.0
    for ids, mask in parity_batches(before / TOKENIZER_FILE):
        given = {"input_ids": ids, "attention_mask": mask}
        vectors = (session.run(None, given)[0] for session in (one, other))
        least = min(least, float(np.multiply(*vectors).sum(axis=1).min()))
    return least
