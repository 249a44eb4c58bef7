"""Products whose text means nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from aisle.ports import CatalogueFacts, DenseIndex, Shopper
from aisle.retrieve.pooling import pool
from aisle.types import Candidates, Ords, Scores

SAME_CATEGORY: Final = 0.1
"""Added to the cosine of a product in the seed's own category: "a shirt like this" is a shirt."""

MAX_SEEDS: Final = 3
KEPT: Final = 4096


class Similar:
    """Content neighbours of the seeds or, without seeds, of what the shopper saw last.

    A seed's neighbours are kept until `version()` differs, so a product page
    that many look at costs one search of the dense index for each catalogue.
    """

    name = "similar"

    def __init__(
        self,
        dense: DenseIndex,
        facts: Callable[[], CatalogueFacts],
        *,
        version: Callable[[], object] | None = None,
        neighbours: int = 64,
    ) -> None:
        self._dense, self._facts, self._version = dense, facts, version
        self._neighbours = neighbours
        self._kept: dict[int, tuple[Ords, Scores]] = {}
        self._kept_version: object = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Neighbours of the first few seeds; empty when none of them has a vector."""
        chosen = seeds if len(seeds) else shopper.recent
        weights = np.ones(len(chosen), np.float32) if len(seeds) else shopper.weights
        return self.like(chosen, weights, top_k)

    def like(self, seeds: Ords, weights: Scores, top_k: int) -> Candidates:
        """Products like these; `weights` float32[n] say how much each seed matters."""
        seeds, weights = seeds[:MAX_SEEDS], weights[:MAX_SEEDS]
        found = [self._of(int(seed)) for seed in seeds]
        if not found:
            return Candidates.none(self.name)
        sizes = [len(ords) for ords, _ in found]
        parts = np.concatenate([scores * weight for (_, scores), weight in zip(found, weights, strict=True)])
        ords = np.concatenate([ords for ords, _ in found])
        return pool(self.name, ords, parts, np.repeat(seeds, sizes), without=seeds, top_k=top_k)

    def _of(self, seed: int) -> tuple[Ords, Scores]:
        version = (self._version() if self._version else None, self._facts().version)
        if self._version is None or version != self._kept_version or len(self._kept) > KEPT:
            self._kept, self._kept_version = {}, version
        kept = self._kept.get(seed)
        if kept is None:
            kept = self._kept[seed] = self._search(seed)
        return kept

    def _search(self, seed: int) -> tuple[Ords, Scores]:
        facts = self._facts()
        if not 0 <= seed < len(facts.category):
            return _NOTHING
        vector = self._dense.vectors(np.array([seed], np.int32))[0]
        if not vector.any():
            return _NOTHING
        ords, cosines = self._dense.search(vector, self._neighbours, beam=self._neighbours)
        here = ords < len(facts.category)
        ords, cosines = ords[here], cosines[here]
        same = (facts.category[ords] == facts.category[seed]) & (facts.category[seed] >= 0)
        scores = np.clip(cosines, 0, 1) + SAME_CATEGORY * same
        best = np.argsort(-scores, kind="stable")
        return ords[best].astype(np.int32), scores[best].astype(np.float32)


_NOTHING: Final = (np.empty(0, np.int32), np.empty(0, np.float32))
