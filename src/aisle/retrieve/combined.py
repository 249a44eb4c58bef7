"""What may please this shopper, by all sources together: the learned combination as one source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from aisle.ports import Recommender, Shopper
from aisle.types import Candidates, Ords, Scores

PROPOSED: Final = 100
"""Candidates of each source that are weighed, as many as when the weights were fitted."""


class Ranks(Protocol):
    """`rank.combine.Combination`: one order of several sources' candidates."""

    @property
    def sources(self) -> tuple[str, ...]: ...

    def rank(self, proposals: Mapping[str, Candidates], shopper: Shopper) -> tuple[Ords, Scores]: ...


def first(candidates: Candidates, n: int) -> Candidates:
    """The best n of them, without their features."""
    if len(candidates) <= n:
        return candidates
    because = None if candidates.because is None else candidates.because[:n]
    return Candidates(candidates.source, candidates.ords[:n], candidates.scores[:n], because)


class Once:
    """A source that an answer asks both by itself and within the combination: the second time it is not asked again."""

    def __init__(self, source: Recommender) -> None:
        self.name, self._source = source.name, source
        self._last: tuple[Shopper, Ords, int, Candidates] | None = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """What it said just now of the very same view of the shopper, or what it says now."""
        last = self._last
        if last is None or last[0] is not shopper or last[1] is not seeds or last[2] < top_k:
            last = self._last = (shopper, seeds, top_k, self._source.recommend(shopper, seeds, top_k))
        return first(last[3], top_k)


class Combined:
    """Takes the place of `for_you` when a combination serves: the same name, the same reasons.

    A source that is missing, or has nothing to say, is done without. Scores are
    probabilities that the candidate is the shopper's next step.
    """

    name = "for_you"

    def __init__(self, combination: Ranks, sources: Mapping[str, Recommender]) -> None:
        self._combination = combination
        self._sources = [sources[name] for name in combination.sources if name in sources]

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty for a shopper without history; never the seeds, nor the step just taken."""
        if shopper.is_new and not len(seeds):
            return Candidates.none(self.name)
        proposals = {source.name: source.recommend(shopper, seeds, PROPOSED) for source in self._sources}
        ords, scores = self._combination.rank(proposals, shopper)
        kept = ~np.isin(ords, np.concatenate([seeds, shopper.sequence[-1:]]))
        ords, scores = ords[kept][:top_k], scores[kept][:top_k]
        if not len(ords):
            return Candidates.none(self.name)
        return Candidates(self.name, ords, np.exp(scores).astype(np.float32), _led_by(ords, proposals))


def _led_by(ords: Ords, proposals: Mapping[str, Candidates]) -> Ords:
    """For each ord the step that led to it, by the source that places it highest of those that say so."""
    because = np.full(len(ords), -1, np.int32)
    best = np.full(len(ords), np.iinfo(np.int32).max, np.int32)
    order = np.argsort(ords, kind="stable")
    ascending = ords[order]
    for candidates in proposals.values():
        if candidates.because is None or not len(candidates):
            continue
        at = np.searchsorted(ascending, candidates.ords)
        at[at == len(ascending)] = 0
        here = np.flatnonzero((ascending[at] == candidates.ords) & (candidates.because >= 0))
        rows = order[at[here]]
        better = here < best[rows]
        best[rows[better]] = here[better]
        because[rows[better]] = candidates.because[here[better]]
    return because
