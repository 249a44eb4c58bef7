"""Fit the learned combination of sources on moments of which it is known what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

PENALTY: Final = 1e-4
"""Weight of the squared weights, of columns scaled to a deviation of 1."""
DROPPED: Final = 0.1
"""Share of the moments in which a source is left out while fitting, so that the rest learns to do without it."""

_MOST_STEPS: Final = 50
_CLOSE: Final = 1e-6
"""Nats a moment that another step must promise."""
_UNLIKELY: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Moments:
    """Choices: the candidates of moment m are rows starts[m]:starts[m + 1].

    `columns` float32[n, k]; `starts` int64[m + 1]; `taken` int64[m] is the row that was taken.
    """

    columns: NDArray[np.float32]
    starts: NDArray[np.int64]
    taken: NDArray[np.int64]

    @classmethod
    def of(cls, columns: Sequence[NDArray[np.float32]], taken: Sequence[int]) -> Moments:
        """From a table of columns a moment and the row in it that was taken."""
        starts = np.concatenate([[0], np.cumsum([len(table) for table in columns])]).astype(np.int64)
        stacked = np.concatenate(columns) if columns else np.zeros((0, 0), np.float32)
        return cls(stacked, starts, starts[:-1] + np.asarray(taken, np.int64))

    def __len__(self) -> int:
        return len(self.taken)


def fit_weights(
    moments: Moments,
    *,
    blocks: Sequence[slice] = (),
    start: NDArray[np.float32] | None = None,
    penalty: float = PENALTY,
    dropped: float = DROPPED,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Weights float32[k] under which what was taken is likeliest among its candidates.

    `blocks` are the columns of each source; in `dropped` of the moments each is
    set to 0. `start` are weights near which these may be expected. Conditional
    logit, by Newton's method.
    """
    columns = moments.columns.copy()
    k = columns.shape[1]
    if not len(moments):
        return np.zeros(k, np.float32)
    sizes = np.diff(moments.starts)
    rng = np.random.default_rng(seed)
    for block in blocks:
        gone = np.repeat(rng.random(len(moments)) < dropped, sizes)
        columns[gone, block] = 0.0
    scale = columns.std(axis=0)
    scale[scale < 1e-6] = 1.0
    columns /= scale
    choices = _Choices(columns, moments, penalty)
    weights = np.zeros(k) if start is None else (start * scale).astype(np.float64)
    there = choices.look(weights)
    for _ in range(_MOST_STEPS):
        further = choices.further(weights, there)
        if further is None:
            break
        weights, there = further
    found: NDArray[np.float32] = (weights / scale).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """The loss at some weights: float64, its gradient float64[k], and the probability of each candidate float32[n]."""

    loss: float
    gradient: NDArray[np.float64]
    share: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Choices:
    """The loss, in nats a moment, as a function of the weights of the scaled columns."""

    columns: NDArray[np.float32]
    moments: Moments
    penalty: float

    def look(self, weights: NDArray[np.float64]) -> _Look:
        moments, begins = self.moments, self.moments.starts[:-1]
        sizes = np.diff(moments.starts)
        scores = self.columns @ weights.astype(np.float32)
        top = np.maximum.reduceat(scores, begins)
        odds = np.exp(scores - np.repeat(top, sizes))
        total = np.add.reduceat(odds, begins)
        likelihood = (scores[moments.taken] - top - np.log(total)).astype(np.float64)
        share = odds / np.repeat(total, sizes)
        away = (self.columns.T @ share - self.columns[moments.taken].sum(axis=0)).astype(np.float64) / len(moments)
        loss = float(-likelihood.mean() + self.penalty * (weights**2).sum())
        return _Look(loss, away + 2 * self.penalty * weights, share)

    def further(self, weights: NDArray[np.float64], there: _Look) -> tuple[NDArray[np.float64], _Look] | None:
        """One step of Newton's, halved until it leads down as it promised; None where none is worth taking."""
        step = np.linalg.solve(self.curvature(there), there.gradient)
        promised = float(there.gradient @ step)
        length = 1.0
        while length * promised > _CLOSE:
            after = weights - length * step
            found = self.look(after)
            if found.loss <= there.loss - 0.1 * length * promised:
                return after, found
            length /= 2
        return None

    def curvature(self, there: _Look) -> NDArray[np.float64]:
        """float64[k, k], of the candidates that matter: most are far too unlikely to bend anything."""
        rows = np.flatnonzero(there.share > _UNLIKELY)
        columns, share = self.columns[rows], there.share[rows]
        weighted = columns * share[:, None]
        means = np.add.reduceat(weighted, np.searchsorted(rows, self.moments.starts[:-1]), axis=0)
        bent: NDArray[np.float64] = (columns.T @ weighted - means.T @ means).astype(np.float64) / len(self.moments)
        bent[np.diag_indices_from(bent)] += 2 * self.penalty
        return bent
