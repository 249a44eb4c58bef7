"""Make one order of many sources, and say what each of them adds.

The combination is fitted on one half of the visitors and measured on the other,
once with all sources and once without each. What serves is fitted on both, of
the sources that are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.evaluate.next_item import TOP_K, Cases, Gain, Places, places
from aisle.learn.blending import Moments, fit_weights
from aisle.rank.combine import OF_A_SOURCE, OF_AN_ITEM, Combination, tabulate
from aisle.retrieve.combined import PROPOSED, first
from aisle.types import Candidates, Scores

LEAST_MOMENTS: Final = 50
"""Moments whose target some source proposes; fewer say nothing of thirty weights."""

LEAST_GAIN: Final = 0.0005
"""MRR that the sources left out may have been worth together: every source costs each shopper some time."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one source is worth: alone (recall and MRR at 20), and the MRR that the combination gains by it."""

    source: str
    recall: float
    mrr: float
    gain_in_mrr: Gain


@dataclass(frozen=True, slots=True)
class Combined:
    """The combination that serves, and how it did on the half of the visitors that it was not fitted on."""

    combination: Combination
    recall: float
    mrr: float
    best_alone: str
    gain_over_best: Gain
    shares: tuple[Share, ...]


def combine(
    proposals: Mapping[str, Sequence[Candidates]],
    cases: Cases,
    popularity: Scores,
    *,
    shares: bool = True,
    seed: int = 0,
) -> Combined | None:
    """Fit on `proposals`, lists by source of one entry a case; None with too little to fit on.

    `popularity` float32[n_ords] is the logarithm of 1 + how many took each
    item. `shares`: also measure the combination without each source, and leave
    out of what serves those without which the rest does as well or better: a
    shopper waits for every source.
    """
    sources = tuple(proposals)
    tables = _Tables(proposals, sources, cases, popularity)
    first = np.flatnonzero(cases.first_half)
    second = np.flatnonzero(~cases.first_half)
    if min(tables.n_found(first), tables.n_found(second)) < LEAST_MOMENTS:
        return None
    measured = cases.take(~cases.first_half)
    alone = {source: places([proposals[source][row] for row in second.tolist()], measured) for source in sources}

    whole = tables.fit(first, sources, seed)

    def measure(used: Sequence[str]) -> Places:
        return tables.measure(tables.fit(first, used, seed, start=whole), second, used)

    together = tables.measure(whole, second, sources)
    best_alone = max(alone, key=lambda source: alone[source].mrr)
    found, kept = [], sources
    if shares and len(sources) > 1:
        without = {source: measure([one for one in sources if one != source]) for source in sources}
        found = [_share(source, alone[source], together, without[source], measured) for source in sources]
        kept, together = _needed(sources, together, without, measure)
    weights = tables.fit(np.arange(len(cases)), kept, seed, start=whole)
    return Combined(
        Combination(kept, weights[tables.columns_of(kept)], popularity),
        together.recall,
        together.mrr,
        best_alone,
        Gain.of(together.reciprocals, alone[best_alone].reciprocals, measured.visitor),
        tuple(found),
    )


def _share(source: str, alone: Places, together: Places, without: Places, cases: Cases) -> Share:
    return Share(
        source,
        alone.recall,
        alone.mrr,
        Gain.of(together.reciprocals, without.reciprocals, cases.visitor),
    )


def _needed(
    sources: tuple[str, ...],
    together: Places,
    without: Mapping[str, Places],
    measure: Callable[[Sequence[str]], Places],
) -> tuple[tuple[str, ...], Places]:
    """The sources left when those without which the rest does as well are taken out, the least useful first.

    One look at each: what is missed while all others are there is missed among
    fewer too. Of two that say the same, one stays.
    """
    best = together.mrr
    kept, found = sources, together
    for source in sorted(sources, key=lambda one: without[one].mrr, reverse=True):
        if len(kept) == 1 or without[source].mrr < together.mrr - LEAST_GAIN:
            break
        rest = tuple(one for one in kept if one != source)
        there = without[source] if kept is sources else measure(rest)
        if there.mrr >= best - LEAST_GAIN:
            kept, found, best = rest, there, max(best, there.mrr)
    return kept, found


class _Tables:
    """The candidates of every case as tables, and fits on some of the cases with some of the sources."""

    def __init__(
        self, proposals: Mapping[str, Sequence[Candidates]], sources: Sequence[str], cases: Cases, popularity: Scores
    ) -> None:
        self._sources = tuple(sources)
        made = []
        for row, shopper in enumerate(cases.shoppers):
            told = {source: first(proposals[source][row], PROPOSED) for source in sources}
            made.append(tabulate(told, sources, shopper, popularity))
        self._columns = [table.columns for table in made]
        self._rows = [
            int(at[0]) if len(at := np.flatnonzero(table.ords == target)) else -1
            for table, target in zip(made, cases.targets.tolist(), strict=True)
        ]

    def n_found(self, rows: NDArray[np.int64]) -> int:
        return sum(self._rows[row] >= 0 for row in rows.tolist())

    def fit(
        self, rows: NDArray[np.int64], sources: Sequence[str], seed: int, start: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Weights float32[k] of all columns; 0 for those of sources that are left out."""
        kept, blocks = self._kept(sources)
        told = [self._as_told(row, kept) for row in rows.tolist()]
        used = [(columns, target) for columns, target in told if target >= 0]
        weights = np.zeros(len(kept), np.float32)
        if used:
            moments = Moments.of([columns for columns, _ in used], [target for _, target in used])
            weights[kept] = fit_weights(moments, blocks=blocks, seed=seed, start=None if start is None else start[kept])
        return weights

    def _as_told(self, row: int, kept: NDArray[np.bool_]) -> tuple[NDArray[np.float32], int]:
        """What the sources whose columns are kept propose in a case, and the row that was taken, -1 for none.

        What only others propose is not there at all: its own columns would bring it back.
        """
        columns, target = self._columns[row][:, kept], self._rows[row]
        proposed = np.asarray(columns[:, : -len(OF_AN_ITEM) : len(OF_A_SOURCE)].any(axis=1))
        found = int(proposed[:target].sum()) if target >= 0 and proposed[target] else -1
        return columns[proposed], found

    def _kept(self, sources: Sequence[str]) -> tuple[NDArray[np.bool_], list[slice]]:
        width = len(OF_A_SOURCE)
        kept = np.ones(self._columns[0].shape[1], bool)
        for number, source in enumerate(self._sources):
            kept[number * width : (number + 1) * width] = source in sources
        return kept, [slice(number * width, (number + 1) * width) for number in range(len(sources))]

    def columns_of(self, sources: Sequence[str]) -> NDArray[np.bool_]:
        """bool[k]: the columns of these sources, and those of the candidates themselves."""
        return self._kept(sources)[0]

    def measure(self, weights: NDArray[np.float32], rows: NDArray[np.int64], sources: Sequence[str]) -> Places:
        """Where what was taken stands among what these sources propose."""
        kept = self.columns_of(sources)
        place = np.full(len(rows), TOP_K, np.int32)
        for number, row in enumerate(rows.tolist()):
            columns, target = self._as_told(row, kept)
            if target >= 0:
                scores = columns @ weights[kept]
                place[number] = min(TOP_K, int((scores > scores[target]).sum()))
        return Places(place)
