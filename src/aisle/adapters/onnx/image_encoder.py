"""The image encoder that serves: onnxruntime and Pillow, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.adapters.onnx.sessions import open_session
from aisle.errors import ModelError
from aisle.represent.card import CARD, ImageCard
from aisle.represent.pixels import prepared
from aisle.types import Vectors


class OnnxImageEncoder:
    """Pictures to unit vectors with a model that was exported by `represent.export_image` or learned by `learn.photos`.

    `card` names the card's file in the folder. `threads` 0 means one a core.
    Safe to share between threads. Raises ModelDamaged when a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, *, card: str = CARD, batch: int = 16, threads: int = 0) -> None:
        self._card = ImageCard.verify(folder, card)
        self._batch = max(1, batch)
        self._session = open_session(folder, threads)
        self._input = self._session.get_inputs()[0].name

    @property
    def name(self) -> str:
        return f"{self._card.name}-{self._card.source_hash[:12]}"

    @property
    def dim(self) -> int:
        return self._card.dim

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """float32[n, dim], rows of length 1. Raises ModelError when the runtime fails."""
        vectors = np.empty((len(images), self.dim), np.float32)
        for at in range(0, len(images), self._batch):
            pixels = prepared(images[at : at + self._batch], self._card)
            try:
                (vectors[at : at + self._batch],) = self._session.run(None, {self._input: pixels})
            except Exception as error:  # onnxruntime's exceptions share no base of their own
                raise ModelError(f"the image encoder {self.name} failed: {error}") from error
        return vectors
