"""What goes with a product and is of another kind: a lead for the dog, not another dog.

Which kinds go together is learned from what is bought together, over all the
products of a category, so it holds for a product that nobody has bought yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from aisle.ports import CatalogueFacts, Shopper
from aisle.retrieve.pooling import pool
from aisle.retrieve.together import Together
from aisle.types import Candidates, Ords, Scores

MAX_SEEDS: Final = 10
KINDS: Final = 8
"""Kinds that go with a kind, the strongest."""

PER_KIND: Final = 24
SAME_BRAND: Final = 1.3
"""Factor for a product of the seed's own brand: what is made together fits together."""

PLACES: Final = 6.0
"""A popular product counts half as much after so many places."""

_NOTHING: Final = (np.empty(0, np.int32), np.empty(0, np.float32))


class Complements:
    """Popular products of the kinds that are bought with the seeds' kinds.

    A kind is a category path. One that nothing was bought with yet is
    complemented by the categories beside it (the same parent).
    """

    name = "complements"

    def __init__(
        self,
        bought: Together,
        facts: Callable[[], CatalogueFacts],
        popular: Callable[[], tuple[Ords, Scores]],
    ) -> None:
        self._bought, self._facts, self._popular = bought, facts, popular
        self._pairs: tuple[int, dict[int, tuple[Ords, Scores]]] | None = None
        self._best: tuple[int, int, dict[int, Ords]] | None = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """For the seeds or, without seeds, what is in the cart, was bought, or was seen last."""
        known = next((o for o in (seeds, shopper.cart, shopper.purchased, shopper.recent[:3]) if len(o)), seeds)
        facts = self._facts()
        chosen = known[(known >= 0) & (known < len(facts.category))][:MAX_SEEDS]
        ords, parts, because = [], [], []
        for seed in chosen.tolist():
            kind, brand = int(facts.category[seed]), int(facts.brand[seed])
            for other, weight in zip(*self._companions(kind, facts), strict=True):
                found = self._best_of(int(other), facts)
                fit = weight * PLACES / (PLACES + np.arange(len(found)))
                if brand >= 0:
                    fit = np.where(facts.brand[found] == brand, SAME_BRAND * fit, fit)
                ords.append(found)
                parts.append(fit.astype(np.float32))
                because.append(np.full(len(found), seed, np.int32))
        if not ords:
            return Candidates.none(self.name)
        return pool(
            self.name, np.concatenate(ords), np.concatenate(parts), np.concatenate(because), without=known, top_k=top_k
        )

    def _companions(self, kind: int, facts: CatalogueFacts) -> tuple[Ords, Scores]:
        """Codes of the kinds that go with one, best first, the best with weight 1."""
        if kind < 0:
            return _NOTHING
        kept = self._pairs
        if kept is None or kept[0] != len(facts.categories):
            kept = self._pairs = (len(facts.categories), self._learned(facts))
        found = kept[1].get(kind)
        return found if found is not None else _siblings(kind, facts)

    def _learned(self, facts: CatalogueFacts) -> dict[int, tuple[Ords, Scores]]:
        sources, targets, weights = self._bought.pairs()
        here = (sources < len(facts.category)) & (targets < len(facts.category))
        one, other = facts.category[sources[here]], facts.category[targets[here]]
        apart = (one >= 0) & (other >= 0) & (one != other)
        if not apart.any():
            return {}
        n = len(facts.categories)
        keys, inverse = np.unique(one[apart].astype(np.int64) * n + other[apart], return_inverse=True)
        sums = np.bincount(inverse, weights[here][apart])
        # A kind that goes with everything (bags) says less of each: divided by the root of its own total.
        sums = sums / np.sqrt(np.bincount(keys % n, sums, minlength=n)[keys % n])
        learned = {}
        for kind in np.unique(keys // n).tolist():
            rows = np.flatnonzero(keys // n == kind)
            best = rows[np.argsort(-sums[rows], kind="stable")][:KINDS]
            learned[kind] = ((keys[best] % n).astype(np.int32), (sums[best] / sums[best[0]]).astype(np.float32))
        return learned

    def _best_of(self, kind: int, facts: CatalogueFacts) -> Ords:
        """The most popular products of a kind that can be bought; where none is popular, the newest."""
        popular, _ = self._popular()
        kept = self._best
        if kept is None or kept[0] != id(popular) or kept[1] != facts.version:
            # `popular` is held as long as its id is compared.
            self._held = popular
            kept = self._best = (id(popular), facts.version, {})
        found = kept[2].get(kind)
        if found is None:
            inside = np.flatnonzero((facts.category == kind) & facts.alive & facts.in_stock).astype(np.int32)
            place = np.full(len(facts.category), len(facts.category), np.int64)
            known = popular[popular < len(place)]
            place[known] = np.arange(len(known))
            order = np.lexsort((-facts.first_seen_ms[inside], place[inside]))
            found = kept[2][kind] = inside[order][:PER_KIND]
        return found


def _siblings(kind: int, facts: CatalogueFacts) -> tuple[Ords, Scores]:
    parent, _, own = facts.categories[kind].rpartition(">")
    if not own or not parent:
        return _NOTHING
    beside = [
        code
        for code, path in enumerate(facts.categories)
        if code != kind and path.rpartition(">")[0].strip() == parent.strip()
    ][:KINDS]
    return np.array(beside, np.int32), np.ones(len(beside), np.float32)
