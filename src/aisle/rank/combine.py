"""Several sources into one order, by weights that were learned from what shoppers took.

A linear model over what each source says of a candidate: whether it proposes it,
how sure it is, and on which place. It is fitted as a choice among the candidates
of one moment (conditional logit, McFadden 1974), so its scores are logarithms of
probabilities up to a constant, and a source that is missing adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores

FLOOR: Final = 1e-4
"""The least share that a proposal counts as."""

OF_A_SOURCE: Final = ("present", "log_share", "place", "log_share_short", "top")
"""Columns of each source: 1 when it proposes the candidate; how certain it is (see `certainty`); 1 / (place + 1);
the second once more in short histories; the second over that of the source's best."""

OF_AN_ITEM: Final = ("popularity", "known", "last", "known_back", "known_often")
"""Columns of the candidate itself: how many took it; whether it is in the shopper's own history, was its last step,
how far back, how often."""

SHORT: Final = 3
"""Steps of a short history."""


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of one moment: `ords` int32[n], ascending, with `columns` float32[n, k]."""

    ords: Ords
    columns: NDArray[np.float32]


def n_columns(sources: Sequence[str]) -> int:
    return len(OF_A_SOURCE) * len(sources) + len(OF_AN_ITEM)


def column_names(sources: Sequence[str]) -> tuple[str, ...]:
    """What each column says, as `sequence.place` or `known`."""
    return (*(f"{source}.{part}" for source in sources for part in OF_A_SOURCE), *OF_AN_ITEM)


def tabulate(
    proposals: Mapping[str, Candidates],
    sources: Sequence[str],
    shopper: Shopper,
    popularity: Scores,
) -> Table:
    """What the `sources`, in this order, say of every candidate that any of them proposes.

    `popularity` float32[n_ords] is a logarithm of how many took each item.
    """
    used = [proposals.get(source) for source in sources]
    given = [c for c in used if c is not None and len(c)]
    ords = np.unique(np.concatenate([c.ords for c in given])) if given else np.empty(0, np.int32)
    columns = np.zeros((len(ords), n_columns(sources)), np.float32)
    short = len(shopper.sequence) <= SHORT
    for number, candidates in enumerate(used):
        if candidates is None or not len(candidates):
            continue
        at = np.searchsorted(ords, candidates.ords)
        first = len(OF_A_SOURCE) * number
        certain = certainty(candidates.scores)
        columns[at, first] = 1.0
        columns[at, first + 1] = certain
        columns[at, first + 2] = 1.0 / (np.arange(len(candidates)) + 1.0)
        if short:
            columns[at, first + 3] = certain
        columns[at, first + 4] = certain / max(float(certain[0]), 1e-6)
    first = len(OF_A_SOURCE) * len(sources)
    here = ords < len(popularity)
    columns[here, first] = popularity[ords[here]]
    steps = shopper.sequence
    if len(steps) and len(ords):
        newest, back, often = np.unique(steps[::-1], return_index=True, return_counts=True)
        at = np.searchsorted(ords, newest)
        at[at == len(ords)] = 0
        own = ords[at] == newest
        at, back, often = at[own], back[own], often[own]
        columns[at, first + 1] = 1.0
        columns[at[back == 0], first + 2] = 1.0
        columns[at, first + 3] = 1.0 / (back + 1.0)
        columns[at, first + 4] = np.log(often)
    return Table(ords.astype(np.int32), columns)


def certainty(scores: Scores) -> Scores:
    """log(share / FLOOR) float32[n], at least 0: 0 means "hardly", 9 "this and nothing else".

    Scores below 0 are logarithms of probabilities already; others are made shares of their sum.
    """
    if len(scores) and scores[-1] < 0:
        logs = scores
    else:
        total = float(scores.sum())
        logs = np.log(np.maximum(scores / total if total > 0 else scores, 1e-12))
    found: Scores = np.maximum(logs - np.float32(np.log(FLOOR)), 0.0).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True)
class Combination:
    """Learned weights: `weights` float32[k] of the columns of `sources`; `popularity` float32[n_ords]."""

    sources: tuple[str, ...]
    weights: NDArray[np.float32]
    popularity: Scores

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], sources: Sequence[str]) -> Self:
        """From a version's arrays `weights` and `popularity` and the names it was fitted on."""
        return cls(tuple(sources), arrays["weights"].astype(np.float32), arrays["popularity"].astype(np.float32))

    def rank(self, proposals: Mapping[str, Candidates], shopper: Shopper) -> tuple[Ords, Scores]:
        """Every candidate, best first: ords int32[n] and logarithms of probabilities among them float32[n]."""
        table = tabulate(proposals, self.sources, shopper, self.popularity)
        scores = table.columns @ self.weights
        order = np.argsort(-scores, kind="stable")
        scores = scores[order]
        if len(scores):
            scores = scores - (np.log(np.exp(scores - scores[0]).sum()) + scores[0])
        return table.ords[order], scores.astype(np.float32)
