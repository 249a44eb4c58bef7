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
