"""What comes next after the steps so far, by the sequence model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import DenseIndex, Shopper
from aisle.types import Candidates, Ords, Scores, Vectors

MODEL_FILE: Final = "model.onnx"
SAMPLED: Final = 1000
"""Items from which the probability of all those that are not near is estimated."""


class Sequence:
    """Runs the exported model on the last steps and takes the items whose vectors are nearest to its state.

    `vectors` float32[n, d] (rows of zeros: unknown, all others of one length),
    `state` maps float32[1, t, d] to float32[1, d]; a logit is their product times
    `scale`. Scores are logits, less the logarithm of their exponentials' sum over
    what is new to the shopper: logarithms of probabilities.

    With an `index`, given empty and filled when the source is first kept up, not
    every vector is looked at: the sum is then that of the nearest and an estimate
    from a sample of the others.
    """

    name = "sequence"

    def __init__(
        self,
        vectors: Vectors,
        state: Callable[[Vectors], Vectors],
        *,
        scale: float,
        max_length: int = 50,
        index: DenseIndex | None = None,
    ) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._state, self._scale, self._max_length = state, np.float32(scale), max_length
        self._known: NDArray[np.bool_] = np.asarray(self._vectors.any(axis=1))
        self._silence = np.where(self._known, np.float32(0), np.float32(-np.inf))
        self._index: DenseIndex | None = None  # until it is filled
        self._empty_index = index
        ords = np.flatnonzero(self._known).astype(np.int32)
        self._n_known = len(ords)
        self._length = np.float32(np.linalg.norm(self._vectors[ords[0]]) if len(ords) else 1.0)
        self._sample = ords[:: max(1, len(ords) // SAMPLED)]
        self._sampled = self._vectors[self._sample]

    @classmethod
    def of(
        cls, arrays: Mapping[str, np.ndarray], folder: Path, *, max_length: int = 50, index: DenseIndex | None = None
    ) -> Self:
        """From a version's arrays and the folder of its files."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])

        def state(vectors: Vectors) -> Vectors:
            found: Vectors = session.run(None, {"vectors": vectors})[0]
            return found

        return cls(arrays["vectors"], state, scale=float(arrays["scale"][0]), max_length=max_length, index=index)

    def keep_up(self) -> None:
        """Fill the index. For one thread; until it is filled every vector is looked at."""
        if self._index is None and self._empty_index is not None:
            ords = np.flatnonzero(self._known).astype(np.int32)
            self._empty_index.upsert(ords, self._vectors[ords] / self._length)
            self._index = self._empty_index

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """What is new to the shopper, after their steps with `seeds` (newest first) as the newest.

        Empty without any known step. What they go back to is for `repeats` to say.
        """
        steps = shopper.sequence if not len(seeds) else np.concatenate([shopper.sequence, seeds[::-1]])
        steps = past = steps[(steps >= 0) & (steps < len(self._vectors))]
        steps = steps[self._known[steps]][-self._max_length :]
        if not len(steps):
            return Candidates.none(self.name)
        state = self._state(self._vectors[steps][None])[0] * self._scale
        ords, scores = self._by_all(state, past, top_k) if self._index is None else self._by_index(state, past, top_k)
        return Candidates(self.name, ords, scores, self._nearest(steps, ords))

    def _by_all(self, state: Vectors, past: Ords, top_k: int) -> tuple[Ords, Scores]:
        logits: Scores = self._vectors @ state + self._silence
        logits[past] = -np.inf
        best = np.argpartition(-logits, top_k)[:top_k] if top_k < len(logits) else np.arange(len(logits))
        best = best[np.argsort(-logits[best], kind="stable")]
        best = best[np.isfinite(logits[best])]
        if not len(best):
            return best.astype(np.int32), logits[best]
        top = logits[best[0]]
        total = np.log(np.exp(logits - top).sum()) + top
        return best.astype(np.int32), (logits[best] - total).astype(np.float32)

    def _by_index(self, state: Vectors, past: Ords, top_k: int) -> tuple[Ords, Scores]:
        assert self._index is not None
        past = np.unique(past)
        ords, cosines = self._index.search(state, top_k + len(past), beam=top_k + len(past))
        kept = ~np.isin(ords, past)
        ords, logits = ords[kept][:top_k], cosines[kept][:top_k] * self._length
        if not len(ords):
            return ords, logits
        looked_at = np.zeros(len(self._vectors), bool)
        looked_at[ords] = looked_at[past] = True
        far = (self._sampled @ state)[~looked_at[self._sample]]
        n_far = self._n_known - len(ords) - len(past)
        top = logits[0]
        total = np.exp(logits - top).sum() + max(0, n_far) * (np.exp(far - top).mean() if len(far) else 0.0)
        return ords.astype(np.int32), (logits - top - np.log(total)).astype(np.float32)

    def _nearest(self, steps: Ords, ords: Ords) -> Ords:
        """The step that each item is most like: attention tells little of why, likeness what a shopper can see."""
        recent = steps[-8:]
        likeness = self._vectors[ords] @ self._vectors[recent].T
        because: Ords = recent[likeness.argmax(axis=1)].astype(np.int32)
        return because
