"""The order that the shopper's words wish for: what it is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aisle.rank.wished import Ratings, in_wished_order
from aisle.types import Ords, Scores

if TYPE_CHECKING:
    from aisle.parts import Parts
    from aisle.retrieve.hybrid import Retrieved


class Wishing:
    """Orders what was found by price, by rating or by age."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ratings: tuple[tuple[int, int], Ratings] | None = None

    def ordered(self, wish: str, scores: Scores, found: Retrieved) -> Scores:
        """float32[n]: `scores` with what is relevant in front, by price_asc, price_desc, rating or newest."""
        values = self._values(wish, found.ords)
        return in_wished_order(scores, found.bm25, found.matched, values, descending=wish != "price_asc")

    def _values(self, wish: str, ords: Ords) -> Scores:
        facts = self._parts.columns.facts
        if wish == "rating":
            content = self._parts.stores.content
            known = content.version(), facts.version
            if self._ratings is None or self._ratings[0] != known:
                self._ratings = known, Ratings(content.ratings(), facts.ord_of, len(facts.price))
            return self._ratings[1].of(ords)
        if wish == "newest":  # in hours, which a float32 can tell apart
            return (facts.first_seen_ms[ords] / 3_600_000).astype(np.float32)
        return facts.price[ords]
