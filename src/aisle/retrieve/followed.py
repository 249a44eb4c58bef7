"""What the brands and categories that a shopper follows have to offer, and what is new for a taste."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.ports import CatalogueFacts, Shopper
from aisle.retrieve.trending import within
from aisle.types import Candidates, Ords, Scores

NEW_DAYS: Final = 30
DAY_MS: Final = 86_400_000
MOST_NEW: Final = 0.5
"""Beyond this share of the catalogue "new" says nothing: it was all imported on one day."""

BRAND: Final = 0.6
"""What a brand says of a taste, against a category."""


class Followed:
    """Products of followed brands and categories: the popular first, then the newest.

    The best place is the top of the popular one; without followers' brands it is empty.
    """

    name = "followed"

    def __init__(self, facts: Callable[[], CatalogueFacts], popular: Callable[[], tuple[Ords, Scores]]) -> None:
        self._facts, self._popular = facts, popular

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty for a shopper who follows nothing."""
        if not shopper.follows:
            return Candidates.none(self.name)
        facts = self._facts()
        inside = np.flatnonzero(follows_mask(shopper, facts) & facts.alive).astype(np.int32)
        inside = inside[~np.isin(inside, seeds)]
        ords, scores = self._popular()
        popularity = np.zeros(len(facts.category), np.float32)
        known = ords < len(popularity)
        popularity[ords[known]] = scores[known]
        order = np.lexsort((-facts.first_seen_ms[inside], -popularity[inside]))[:top_k]
        # A ladder: a brand just followed has products that nobody has looked at yet.
        return Candidates(self.name, inside[order], np.linspace(1, 0.4, len(order), dtype=np.float32))


def follows_mask(shopper: Shopper, facts: CatalogueFacts) -> NDArray[np.bool_]:
    """bool[n]: which ords are of a brand or category that the shopper follows."""
    brands = {name for kind, name in shopper.follows if kind == "brand"}
    codes = [code for code, name in enumerate(facts.brands) if name in brands]
    kinds = [within(name, facts) for kind, name in shopper.follows if kind == "product_type"]
    mask: NDArray[np.bool_] = np.isin(facts.brand, np.array(codes, np.int32))
    if kinds:
        mask |= np.isin(facts.category, np.concatenate(kinds))
    return mask


class NewForYou:
    """What came into the shop lately, of the kinds and brands that the shopper likes."""

    name = "new_for_you"

    def __init__(self, facts: Callable[[], CatalogueFacts]) -> None:
        self._facts = facts
        self._fresh: tuple[int, Ords] | None = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty for a new shopper, and in a shop whose products all came at once."""
        if shopper.is_new:
            return Candidates.none(self.name)
        facts = self._facts()
        fresh = self._fresh
        if fresh is None or fresh[0] != facts.version:
            fresh = self._fresh = (facts.version, _fresh(facts))
        ords = fresh[1]
        scores = taste(shopper, facts, ords)
        kept = (scores > 0) & ~np.isin(ords, seeds)
        ords, scores = ords[kept], scores[kept]
        best = np.argsort(-scores, kind="stable")[:top_k]
        return Candidates(self.name, ords[best], scores[best])


def taste(shopper: Shopper, facts: CatalogueFacts, ords: Ords) -> Scores:
    """float32[n] in [0, 1]: how much of what the shopper did was of each product's category and brand."""
    here = shopper.recent < len(facts.category)
    recent, weights = shopper.recent[here], shopper.weights[here]
    if not len(recent) or not len(ords):
        return np.zeros(len(ords), np.float32)

    def share(codes: NDArray[np.int32], n: int) -> NDArray[np.float64]:
        of_code = np.bincount(codes[recent] + 1, weights, minlength=n + 1)
        of_code[0] = 0.0  # no brand is no taste
        return np.asarray(of_code / weights.sum())[codes[ords] + 1]

    found = share(facts.category, len(facts.categories)) + BRAND * share(facts.brand, len(facts.brands))
    return (found / (1 + BRAND)).astype(np.float32)


def _fresh(facts: CatalogueFacts) -> Ords:
    alive = np.flatnonzero(facts.alive & facts.in_stock)
    if not len(alive):
        return np.empty(0, np.int32)
    seen = facts.first_seen_ms[alive]
    fresh = alive[seen > seen.max() - NEW_DAYS * DAY_MS]
    return fresh.astype(np.int32) if len(fresh) <= MOST_NEW * len(alive) else np.empty(0, np.int32)
