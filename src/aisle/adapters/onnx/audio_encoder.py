"""The audio encoder that serves: onnxruntime and numpy, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.adapters.onnx.sessions import open_session
from aisle.errors import ModelError
from aisle.represent.card import AudioCard
from aisle.represent.sounds import heard
from aisle.types import Vectors


class OnnxAudioEncoder:
    """Waveforms to unit vectors with a model that `represent.export_audio` exported.

    Recordings are encoded one by one: padding would be heard. `threads` 0 means
    one a core. Safe to share between threads. Raises ModelDamaged when a file is
    missing, truncated or altered.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self._card = AudioCard.verify(folder)
        self._session = open_session(folder, threads)

    @property
    def name(self) -> str:
        return f"{self._card.name}-{self._card.source_hash[:12]}"

    @property
    def dim(self) -> int:
        return self._card.dim

    def encode(self, waveforms: Sequence[NDArray[np.float32]], rate: int) -> Vectors:
        """float32[n, dim], rows of length 1, of the beginnings of mono waveforms float32[samples].

        Raises ModelError when the runtime fails, ValueError for a rate that is not positive.
        """
        vectors = np.empty((len(waveforms), self.dim), np.float32)
        for row, waveform in enumerate(waveforms):
            samples = heard(waveform, rate, self._card)[None]
            try:
                (vectors[row : row + 1],) = self._session.run(None, {"samples": samples})
            except Exception as error:  # onnxruntime's exceptions share no base of their own
                raise ModelError(f"the audio encoder {self.name} failed: {error}") from error
        return vectors
