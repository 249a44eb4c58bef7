"""What comes next after the steps so far, by the sequence model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores, Vectors

MODEL_FILE: Final = "model.onnx"


class Sequence:
    """Runs the exported model on the last steps and takes the items whose vectors are nearest to its state.

    `vectors` float32[n, d] (rows of zeros: unknown), `state` maps float32[1, t, d]
    to float32[1, d]; a logit is their product times `scale`. Scores are logits,
    less the logarithm of their exponentials' sum: logarithms of probabilities.
    """

    name = "sequence"

    def __init__(
        self, vectors: Vectors, state: Callable[[Vectors], Vectors], *, scale: float, max_length: int = 50
    ) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._state, self._scale, self._max_length = state, np.float32(scale), max_length
        self._known: NDArray[np.bool_] = np.asarray(self._vectors.any(axis=1))
        self._silence = np.where(self._known, np.float32(0), np.float32(-np.inf))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], folder: Path, *, max_length: int = 50) -> Self:
        """From a version's arrays and the folder of its files."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])

        def state(vectors: Vectors) -> Vectors:
            found: Vectors = session.run(None, {"vectors": vectors})[0]
            return found

        return cls(arrays["vectors"], state, scale=float(arrays["scale"][0]), max_length=max_length)

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """What is new to the shopper, after their steps with `seeds` (newest first) as the newest.

        Empty without any known step. What they go back to is for `repeats` to say.
        """
        steps = shopper.sequence if not len(seeds) else np.concatenate([shopper.sequence, seeds[::-1]])
        steps = past = steps[(steps >= 0) & (steps < len(self._vectors))]
        steps = steps[self._known[steps]][-self._max_length :]
        if not len(steps):
            return Candidates.none(self.name)
        state = self._state(self._vectors[steps][None])[0]
        logits: Scores = self._vectors @ (state * self._scale) + self._silence
        logits[past] = -np.inf
        best = np.argpartition(-logits, top_k)[:top_k] if top_k < len(logits) else np.arange(len(logits))
        best = best[np.argsort(-logits[best], kind="stable")]
        best = best[np.isfinite(logits[best])]
        top = float(logits[best[0]])
        total = np.log(np.exp(logits - top).sum()) + top
        because = self._nearest(steps, best)
        return Candidates(self.name, best.astype(np.int32), (logits[best] - total).astype(np.float32), because)

    def _nearest(self, steps: Ords, ords: np.ndarray) -> Ords:
        """The step that each item is most like: attention tells little of why, likeness what a shopper can see."""
        recent = steps[-8:]
        likeness = self._vectors[ords] @ self._vectors[recent].T
        because: Ords = recent[likeness.argmax(axis=1)].astype(np.int32)
        return because
