"""Products that shoppers viewed or bought together, from the co-visitation model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, Self, TypeAlias

import numpy as np

from aisle.ports import Shopper
from aisle.retrieve.pooling import pool
from aisle.types import Candidates, Ords, Scores

MAX_SEEDS: Final = 30

Fresh: TypeAlias = Callable[[Ords], tuple[Ords, Scores, Ords]]
"""For seeds int32[n]: rows of neighbour, weight and place in the seeds, of what the lists do not know yet."""


class Together:
    """Reads neighbour lists in CSR form: those of ord o are rows indptr[o]:indptr[o + 1].

    `indptr` int64[n + 1], `indices` int32[m], `weights` float32[m], each list
    best first. `fresh` adds what happened since the lists were made
    (`learn.fresh_pairs.FreshPairs`).
    """

    def __init__(
        self, name: str, indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, fresh: Fresh | None = None
    ) -> None:
        self.name = name
        self._fresh = fresh
        self._indptr, self._indices = indptr.astype(np.int64), indices.astype(np.int32)
        self._weights = weights.astype(np.float32)

    @classmethod
    def of(
        cls,
        relation: Literal["viewed", "bought"],
        arrays: Mapping[str, np.ndarray] | None,
        fresh: Fresh | None = None,
    ) -> Self:
        """The source `viewed` or `bought` of a trained model; without one it proposes nothing."""
        if arrays is None or f"{relation}_indptr" not in arrays:
            return cls(relation, np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        indptr, indices, weights = (arrays[f"{relation}_{part}"] for part in ("indptr", "indices", "weights"))
        return cls(relation, indptr, indices, weights, fresh)

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
        # The lists know the products of their time; a newer one may have a fresh neighbour already.
        listed = (seeds >= 0) & (seeds < len(self._indptr) - 1)
        kept = (seeds >= 0) if self._fresh is not None else listed
        chosen, weights = seeds[kept][:MAX_SEEDS], weights[kept][:MAX_SEEDS]
        at = np.flatnonzero(listed[kept][:MAX_SEEDS])
        starts = self._indptr[chosen[at]]
        sizes = self._indptr[chosen[at] + 1] - starts
        # Row numbers of all lists at once: count up, then jump at each list's start.
        rows = np.arange(int(sizes.sum())) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        ords, parts, of_seed = self._indices[rows], self._weights[rows], np.repeat(at, sizes)
        if self._fresh is not None:
            new_ords, new_parts, new_of_seed = self._fresh(chosen)
            if len(new_ords):
                ords, parts = np.concatenate([ords, new_ords]), np.concatenate([parts, new_parts])
                of_seed = np.concatenate([of_seed, new_of_seed])
        if not len(ords):
            return Candidates.none(self.name)
        return pool(self.name, ords, parts * weights[of_seed], chosen[of_seed], without=seeds, top_k=top_k)
