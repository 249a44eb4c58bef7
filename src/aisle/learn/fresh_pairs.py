"""Pairs of what happened since the co-visitation model was made, counted as it counts: its lists, up to this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.covisitation import COUNTING, Counting, Relation
from aisle.learn.session_index import SessionIndex
from aisle.types import Ords, Scores


@dataclass(frozen=True, slots=True)
class FreshPairs:
    """What goes with products by the sessions since `until_ms`.

    `index` holds the sessions (orders for `bought`) as they are now, `support`
    float32[n] the events of each ord that the model knows. A session that went
    on at that moment is counted whole, by both.
    """

    index: Callable[[], SessionIndex]
    counting: Counting
    support: NDArray[np.float32]
    until_ms: int

    @classmethod
    def of(cls, relation: Relation, arrays: Mapping[str, np.ndarray], index: Callable[[], SessionIndex]) -> Self | None:
        """For a trained model; None for one of a release that did not say until when it counted."""
        if f"{relation}_until_ms" not in arrays:
            return None
        until_ms = int(arrays[f"{relation}_until_ms"][0])
        return cls(index, COUNTING[relation], arrays[f"{relation}_support"], until_ms)

    def __call__(self, seeds: Ords) -> tuple[Ords, Scores, Ords]:
        """Neighbour, weight and place in `seeds` of each pair, a row each; a pair may have several."""
        counting = self.counting
        pairs = self.index().pairs_since(seeds, self.until_ms, counting.reach)
        if not len(pairs.ords):
            return pairs.ords, np.empty(0, np.float32), pairs.seed
        distance = np.abs(pairs.distance).astype(np.float64)
        weights = distance**-counting.nearness
        weights[pairs.distance < 0] *= counting.backward
        # As if each pair stood alone with what the model counted: new pairs are trusted the less, the fewer.
        keys = pairs.seed.astype(np.int64) << 32 | pairs.ords
        _, place = np.unique(keys, return_inverse=True)
        counts = np.bincount(place, weights)[place]
        trust = counts / (counts + counting.shrinkage)
        of_seed, of_neighbour = self._support(seeds[pairs.seed]), self._support(pairs.ords)
        weights *= trust / (np.sqrt(of_seed) * of_neighbour**counting.popularity)
        return pairs.ords, weights.astype(np.float32), pairs.seed

    def _support(self, ords: Ords) -> NDArray[np.float64]:
        known = ords < len(self.support)
        if not len(self.support):
            return np.ones(len(ords))
        return np.maximum(1.0, np.where(known, self.support[np.where(known, ords, 0)], 0.0)) + 1.0
