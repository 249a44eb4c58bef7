"""The ranker that serves: an ensemble of trees in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from aisle.adapters.onnx.sessions import session_options
from aisle.errors import ModelDamaged
from aisle.types import Scores


class OnnxRanker:
    """Scores candidates by their features. Safe to share between threads.

    Raises ModelDamaged when the file cannot be read or wants other features.
    """

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self.names = tuple(names)
        try:
            # Two hundred rows are a millisecond's work: handing parts of it to other threads takes longer.
            self._session = onnxruntime.InferenceSession(
                str(file), session_options(1), providers=["CPUExecutionProvider"]
            )
            (given,) = self._session.get_inputs()
            self._input, width = given.name, given.shape[1]
        except Exception as error:  # onnxruntime raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{file}: cannot be loaded ({error})") from error
        if width != len(self.names):
            raise ModelDamaged(f"{file}: reads {width} features, but {len(self.names)} are named")

    def score(self, features: NDArray[np.float32]) -> Scores:
        """float32[n] of features float32[n, len(names)]; higher is better."""
        if not len(features):
            return np.empty(0, np.float32)
        (scores,) = self._session.run(None, {self._input: features})
        found: Scores = scores[:, 0]
        return found
