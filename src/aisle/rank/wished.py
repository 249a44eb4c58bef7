"""The order that the shopper's words wish for, among what is relevant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from aisle.types import Ords, Scores

GATE = 0.6
"""Share of the best lexical score from which a match counts as what was asked for: the cheapest yoga mat is a mat."""

SCEPTICISM = 4.0
"""How many average reviews every product is given beside its own, so that one enthusiast is no best seller."""


def in_wished_order(
    scores: Scores, bm25: Scores, matched: NDArray[np.bool_], values: Scores, *, descending: bool
) -> Scores:
    """float32[n]: scores by which what is relevant comes first, by `values` float32[n] (NaN: unknown, last).

    `matched` bool[n] are those that may be what was asked for.
    """
    best = float(bm25[matched].max(initial=0.0))
    rows = np.flatnonzero(matched & (bm25 >= GATE * best))
    if not len(rows):
        return scores
    keys = np.where(np.isnan(values[rows]), np.inf, -values[rows] if descending else values[rows])
    order = rows[np.lexsort((-scores[rows], keys))]
    found = scores.copy()
    found[order] = float(scores.max()) + 1.0 + np.arange(len(order), 0, -1, dtype=np.float32)
    return found


class Ratings:
    """Mean ratings by ord, drawn towards the shop's mean where there are few."""

    def __init__(self, ratings: Mapping[str, tuple[float, int]], ord_of: Mapping[str, int], n_ords: int) -> None:
        """`ratings` gives mean and number of reviews by item id."""
        total, count = np.zeros(n_ords + 1, np.float32), np.zeros(n_ords + 1, np.float32)
        for item_id, (mean, n) in ratings.items():
            ord_ = ord_of.get(item_id, -1)
            if 0 <= ord_ < n_ords:
                total[ord_] += mean * n
                count[ord_] += n
        mean = float(total.sum() / count.sum()) if count.sum() else 0.0
        self._rating = ((total + SCEPTICISM * mean) / (count + SCEPTICISM)).astype(np.float32)

    def of(self, ords: Ords) -> Scores:
        """float32[n]; a product without reviews has the mean."""
        found: Scores = self._rating[np.minimum(ords, len(self._rating) - 1)]
        return found
