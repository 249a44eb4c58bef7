"""What is popular now, in the shop or in a category, and what is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.ports import CatalogueFacts, Shopper
from aisle.types import Candidates, Ords, Scores

MAX_RECENT: Final = 3
"""Products seen last whose categories stand for the shopper's interest."""


class Trending:
    """Popular products, best first; `popular` gives ords and scores as a fold counts them."""

    name = "trending"

    def __init__(self, popular: Callable[[], tuple[Ords, Scores]], facts: Callable[[], CatalogueFacts]) -> None:
        self._popular, self._facts = popular, facts

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """The same for everybody, without the seeds."""
        ords, scores = self._popular()
        # A margin over top_k, for the seeds left out.
        return _best(self.name, ords[: top_k + len(seeds)], scores[: top_k + len(seeds)], seeds, top_k)


class TrendingCategory:
    """Popular products of one category, or of the categories that the seeds are in."""

    name = "trending_category"

    def __init__(
        self,
        popular: Callable[[], tuple[Ords, Scores]],
        facts: Callable[[], CatalogueFacts],
        product_type: str = "",
    ) -> None:
        self._popular, self._facts, self._product_type = popular, facts, product_type

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Of `product_type` and all below it; else of the seeds' own categories, or of what was seen last."""
        facts = self._facts()
        if self._product_type:
            codes = within(self._product_type, facts)
        else:
            near = seeds if len(seeds) else shopper.recent[:MAX_RECENT]
            here = near[(near >= 0) & (near < len(facts.category))]
            codes = np.unique(facts.category[here])
            codes = codes[codes >= 0]
        if not len(codes):
            return Candidates.none(self.name)
        ords, scores = self._popular()
        ords, scores = _known(ords, scores, facts)
        inside = np.isin(facts.category[ords], codes)
        found = _best(self.name, ords[inside], scores[inside], seeds, top_k)
        if len(found) >= top_k:
            return found
        return _with_quiet(found, codes, facts, seeds, top_k)


class Newest:
    """The newest products that can be bought, those with a picture first, categories in turn.

    What a shop without any event shows.
    """

    name = "newest"

    def __init__(self, facts: Callable[[], CatalogueFacts], kept: int = 600) -> None:
        self._facts, self._n_kept = facts, kept
        self._kept: tuple[int, Ords] | None = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """The same for everybody, without the seeds."""
        facts = self._facts()
        kept = self._kept
        if kept is None or kept[0] != facts.version:
            kept = self._kept = (facts.version, self._order(facts))
        ords = kept[1][: top_k + len(seeds)]
        scores = (1 - np.arange(len(ords)) / max(1, len(ords))).astype(np.float32)
        return _best(self.name, ords, scores, seeds, top_k)

    def _order(self, facts: CatalogueFacts) -> Ords:
        ords = np.flatnonzero(facts.alive & facts.in_stock).astype(np.int32)
        best_first = np.lexsort((ords, -facts.first_seen_ms[ords], ~facts.has_image[ords]))
        ords = ords[best_first]
        turn = _place_within(facts.category[ords])
        return ords[np.lexsort((np.arange(len(ords)), turn, ~facts.has_image[ords]))][: self._n_kept]


def within(product_type: str, facts: CatalogueFacts) -> NDArray[np.int32]:
    """Codes of a category (`Men > Tops`) and of all below it."""
    wanted = normal_path(product_type)
    codes = [
        code
        for code, path in enumerate(facts.categories)
        if (found := normal_path(path)) == wanted or found.startswith(wanted + ">")
    ]
    return np.array(codes, np.int32)


def normal_path(product_type: str) -> str:
    """A category path without regard to case and to spaces around `>`."""
    return ">".join(part.strip() for part in product_type.casefold().split(">"))


def _known(ords: Ords, scores: Scores, facts: CatalogueFacts) -> tuple[Ords, Scores]:
    here = ords < len(facts.category)
    return (ords, scores) if here.all() else (ords[here], scores[here])


def _best(name: str, ords: Ords, scores: Scores, without: Ords, top_k: int) -> Candidates:
    if len(without):
        kept = ~np.isin(ords, without)
        ords, scores = ords[kept], scores[kept]
    return Candidates(name, ords[:top_k], scores[:top_k])


def _with_quiet(
    found: Candidates, codes: NDArray[np.int32], facts: CatalogueFacts, seeds: Ords, top_k: int
) -> Candidates:
    """Fill up with products of the category that nobody has looked at, the newest first."""
    alive = np.flatnonzero(facts.alive & np.isin(facts.category, codes)).astype(np.int32)
    quiet = alive[~np.isin(alive, np.concatenate([found.ords, seeds]))]
    order = np.lexsort((-facts.first_seen_ms[quiet], ~facts.has_image[quiet], ~facts.in_stock[quiet]))
    quiet = quiet[order][: top_k - len(found)]
    least = float(found.scores[-1]) if len(found) else QUIET
    scores = np.linspace(least, least / 2, len(quiet), dtype=np.float32) * QUIET
    return Candidates(found.source, np.concatenate([found.ords, quiet]), np.concatenate([found.scores, scores]))


def _place_within(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many rows of the same code came before each row."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1)) if len(ordered) else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, len(ordered)))
    places = np.empty(len(codes), np.int64)
    places[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return places


QUIET: Final = 0.5
"""Factor on the score of a product without events against the least popular one with some."""
