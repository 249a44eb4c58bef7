"""The order that the shopper's words wish for: what it is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aisle.rank.wished import Ratings, in_wished_order
from aisle.types import Ords, Query, Scores

if TYPE_CHECKING:
    from aisle.parts import Parts
    from aisle.retrieve.hybrid import Retrieved


NAMED = 0.6
"""Confidence from which a category was named rather than guessed."""


class Wishing:
    """Orders what was found by price, by rating or by age."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: tuple[Mapping[str, tuple[float, int]], int, Ratings] | None = None

    def ordered(self, wish: str, query: Query, scores: Scores, found: Retrieved) -> Scores:
        """float32[n]: `scores` with what is relevant in front, by price_asc, price_desc, rating or newest."""
        values = self._values(wish, found.ords)
        asked = found.matched & self._of_category(query, found.ords)
        if not asked.any():
            asked = found.matched
        return in_wished_order(scores, found.bm25, asked, values, descending=wish != "price_asc")

    def _of_category(self, query: Query, ords: Ords) -> NDArray[np.bool_]:
        """Which products stand in the category that was named, where one was: a strap for a mat is no mat."""
        paths = [v for u in query.understood if u.kind == "category" and u.confidence >= NAMED for v in u.clause.values]
        if not paths:
            return np.ones(len(ords), np.bool_)
        facts = self._parts.columns.facts
        within = [code for code, path in enumerate(facts.categories) if _is_within(path, paths)]
        return np.isin(facts.category[ords], within)

    def _values(self, wish: str, ords: Ords) -> Scores:
        facts = self._parts.columns.facts
        if wish == "rating":
            ratings = self._parts.hits.ratings
            if self._known is None or self._known[0] is not ratings or self._known[1] != facts.version:
                self._known = ratings, facts.version, Ratings(ratings, facts.ord_of, len(facts.price))
            return self._known[2].of(ords)
        if wish == "newest":  # in hours, which a float32 can tell apart
            return (facts.first_seen_ms[ords] / 3_600_000).astype(np.float32)
        return facts.price[ords]


def _is_within(path: str, paths: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one} > ") for one in paths)
