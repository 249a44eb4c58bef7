"""How good orders of judged lists are: nDCG@10 with linear gains, and what one order gains on another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.types import Scores

TOP_K: Final = 10
DISCOUNT: Final = 1 / np.log2(np.arange(2, TOP_K + 2))


def ndcg_of(gains: NDArray[np.floating]) -> float:
    """The discounted sum of the first TOP_K gains, in the order shown (Järvelin and Kekäläinen, 2002)."""
    first = gains[:TOP_K]
    return float(first @ DISCOUNT[: len(first)])


@dataclass(frozen=True, slots=True)
class Compared:
    """Mean nDCG@10 over `n` lists of one order and of a `base`, and the mean difference with its 95% interval."""

    n: int
    mean: float
    base: float
    gain: float
    low: float
    high: float

    @classmethod
    def of(
        cls, sizes: NDArray[np.int32], gain: Scores, ideal: NDArray[np.floating], scores: Scores, base: Scores
    ) -> Self:
        """Lists of `sizes` one after another: `gain`, `scores` and `base` float32[n]; `ideal` float64[q] is the best
        discounted sum that each could have, also with what was not found."""
        bounds = np.concatenate(([0], np.cumsum(sizes)))
        rows = []
        for number, (begin, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            if ideal[number] > 0:
                of_list = gain[begin:end]
                rows.append(
                    [
                        ndcg_of(of_list[np.argsort(-order[begin:end], kind="stable")]) / ideal[number]
                        for order in (scores, base)
                    ]
                )
        if not rows:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        ours, theirs = np.array(rows).T
        difference = ours - theirs
        mean = float(difference.mean())
        error = float(difference.std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else np.inf
        return cls(len(rows), float(ours.mean()), float(theirs.mean()), mean, mean - 1.96 * error, mean + 1.96 * error)
