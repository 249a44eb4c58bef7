"""Products that shoppers viewed or bought together, from the co-visitation model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Self

import numpy as np

from aisle.ports import Shopper
from aisle.retrieve.pooling import pool
from aisle.types import Candidates, Ords, Scores

MAX_SEEDS: Final = 30


class Together:
    """Reads neighbour lists in CSR form: those of ord o are rows indptr[o]:indptr[o + 1].

    `indptr` int64[n + 1], `indices` int32[m], `weights` float32[m], each list best first.
    """

    def __init__(self, name: str, indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> None:
        self.name = name
        self._indptr, self._indices = indptr.astype(np.int64), indices.astype(np.int32)
        self._weights = weights.astype(np.float32)

    @classmethod
    def of(cls, relation: Literal["viewed", "bought"], arrays: Mapping[str, np.ndarray] | None) -> Self:
        """The source `viewed` or `bought` of a trained model; without one it proposes nothing."""
        if arrays is None or f"{relation}_indptr" not in arrays:
            return cls(relation, np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        return cls(relation, *(arrays[f"{relation}_{part}"] for part in ("indptr", "indices", "weights")))

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """What goes with the seeds or, without seeds, with what the shopper did lately."""
        if len(seeds):
            return self.along(seeds, np.ones(len(seeds), np.float32), top_k)
        return self.along(shopper.recent, shopper.weights, top_k)

    def pairs(self) -> tuple[Ords, Ords, Scores]:
        """Every pair as aligned columns: int32[m] of which, int32[m] its neighbour, float32[m] the weight."""
        sources = np.repeat(np.arange(len(self._indptr) - 1, dtype=np.int32), np.diff(self._indptr))
        return sources, self._indices, self._weights

    def along(self, seeds: Ords, weights: Scores, top_k: int) -> Candidates:
        """What goes with these; `weights` float32[n] say how much each seed matters."""
        kept = (seeds >= 0) & (seeds < len(self._indptr) - 1)
        chosen, weights = seeds[kept][:MAX_SEEDS], weights[kept][:MAX_SEEDS]
        starts, sizes = self._indptr[chosen], self._indptr[chosen + 1] - self._indptr[chosen]
        total = int(sizes.sum())
        if not total:
            return Candidates.none(self.name)
        # Row numbers of all lists at once: count up, then jump at each list's start.
        rows = np.arange(total) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        parts = self._weights[rows] * np.repeat(weights, sizes)
        return pool(self.name, self._indices[rows], parts, np.repeat(chosen, sizes), without=seeds, top_k=top_k)
