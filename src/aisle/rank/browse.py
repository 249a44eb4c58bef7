"""The order of a category page: what is wanted now, by everybody and by this shopper, and what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.ports import CatalogueFacts, Shopper
from aisle.types import Candidates, Ords, Scores

PERSONAL, TASTE, POPULAR, FRESH, FOLLOWS = 0.8, 0.4, 0.6, 0.15, 0.4
"""What the shopper's own candidates, their categories and brands, popularity, freshness and follows add at most."""

FRESH_DAYS: Final = 30.0
"""Days after which a product is half as fresh."""

SPREAD, MOST_SPREAD = 0.04, 15
"""What is taken off for each better product of the same category, up to so many: a page of tops is not all hoodies."""

SOLD_OUT, DISLIKED, SET_ASIDE = 4.0, 8.0, 0.4
"""What is taken off: sold out comes last, unless it was turned away."""

DAY_MS: Final = 86_400_000


SOURCES: Final = ("for_you", "followed", "trending_category", "newest")


@dataclass(frozen=True, slots=True)
class Browsed:
    """A category page's whole order: `ords` int32[n], `scores` float32[n], best first, and why.

    `told` int8[n] is the place in `SOURCES` of what tells the most of each (-1: nothing does), `because` int32[n]
    the ord that led to it. Thousands of orders are kept, so they are arrays.
    """

    ords: Ords
    scores: Scores
    told: NDArray[np.int8]
    because: Ords

    def sources(self, rows: slice) -> list[tuple[str, ...]]:
        """The source that tells of each of some rows, if any."""
        return [(SOURCES[place],) if place >= 0 else () for place in self.told[rows].tolist()]


def browse_order(
    ords: Ords,
    *,
    shopper: Shopper,
    facts: CatalogueFacts,
    popular: tuple[Ords, Scores],
    taste: Scores,
    follows: NDArray[np.bool_],
    personal: Candidates,
) -> Browsed:
    """Order the `ords` int32[n] of a page.

    `popular` are all popular products with scores in [0, 1], `taste` float32[n]
    and `follows` bool[n] are aligned with `ords`, `personal` are the shopper's candidates.
    Popularity counts by its root: the best seller is not a hundred times as interesting.
    """
    popularity = np.sqrt(_spread_out(popular[0], popular[1], ords))
    if popularity.max(initial=0) > 0:
        popularity = popularity / popularity.max()
    own = _spread_out(personal.ords, personal.scores, ords)
    if own.max(initial=0) > 0:
        own = own / own.max()
    seen = facts.first_seen_ms[ords]
    # Ages count from the newest product: a shop that was imported a year ago has novelties too.
    days = (seen.max(initial=0) - seen) / DAY_MS
    apart = seen.min(initial=0) < seen.max(initial=0) if len(seen) else False
    fresh = np.exp2(-days / FRESH_DAYS) if apart else np.zeros(len(ords))
    parts = np.stack([PERSONAL * own, FOLLOWS * follows, POPULAR * popularity, FRESH * fresh, TASTE * taste])
    scores = parts.sum(axis=0)
    scores = scores - SOLD_OUT * ~facts.in_stock[ords] - DISLIKED * np.isin(ords, shopper.disliked)
    if len(shopper.set_aside):
        aside = shopper.set_aside[shopper.set_aside < len(facts.brand)]
        same = np.isin(facts.brand[ords], facts.brand[aside]) & (facts.brand[ords] >= 0)
        scores = scores - SET_ASIDE * same
    scores = scores - SPREAD * np.minimum(_place_within(facts.category[ords], scores), MOST_SPREAD)
    best = np.argsort(-scores, kind="stable")
    named = parts[: len(SOURCES)]
    told = np.where(named.max(axis=0) > _LEAST, named.argmax(axis=0), -1).astype(np.int8)
    because = _because(personal, ords)
    return Browsed(ords[best].astype(np.int32), scores[best].astype(np.float32), told[best], because[best])


_LEAST: Final = 0.1
"""Part of a score below which nothing is named."""


def _spread_out(known: Ords, scores: Scores, ords: Ords) -> NDArray[np.float64]:
    """float64[n]: the score of each of `ords`, 0 where it has none."""
    if not len(known) or not len(ords):
        return np.zeros(len(ords))
    dense = np.zeros(int(max(known.max(), ords.max())) + 1)
    dense[known] = scores
    return dense[ords]


def _place_within(codes: NDArray[np.int32], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[n]: how many of the same code are better."""
    order = np.lexsort((-scores, codes))
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-2)) if len(ordered) else np.empty(0, np.int64)
    places = np.empty(len(codes), np.int64)
    places[order] = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    return places


def _because(personal: Candidates, ords: Ords) -> Ords:
    if personal.because is None or not len(personal) or not len(ords):
        return np.full(len(ords), -1, np.int32)
    dense = np.full(int(max(personal.ords.max(), ords.max())) + 1, -1, np.int32)
    dense[personal.ords] = personal.because
    return dense[ords]
