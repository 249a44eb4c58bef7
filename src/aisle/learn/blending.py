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
    logit, by L-BFGS.
    """
    from scipy.optimize import minimize

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
    begins = moments.starts[:-1]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = columns @ weights.astype(np.float32)
        top = np.maximum.reduceat(scores, begins)
        odds = np.exp(scores - np.repeat(top, sizes))
        total = np.add.reduceat(odds, begins)
        likelihood = (scores[moments.taken] - top - np.log(total)).astype(np.float64)
        share = odds / np.repeat(total, sizes)
        gradient = (columns.T @ share - columns[moments.taken].sum(axis=0)).astype(np.float64) / len(moments)
        return (
            float(-likelihood.mean() + penalty * (weights**2).sum()),
            gradient + 2 * penalty * weights,
        )

    begin = np.zeros(k) if start is None else (start * scale).astype(np.float64)
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-7})
    weights: NDArray[np.float32] = (found.x / scale).astype(np.float32)
    return weights
