"""The best candidates in the order that a network gives them which reads query and product together."""

from __future__ import annotations

from typing import Final

import numpy as np

from aisle.types import Scores

TOGETHER: Final = 20
"""Candidates that are read."""


def with_reading(scores: Scores, logits: Scores, weight: float) -> Scores:
    """float32[n]: `scores` with the best of them reordered by score + `weight` * logit.

    `logits` float32[n] are NaN for what was not read. What was read keeps the
    places it had, as a whole: nothing else comes before it.
    """
    read = np.flatnonzero(~np.isnan(logits))
    if not len(read):
        return scores
    better = scores.copy()
    order = read[np.argsort(-(scores[read] + weight * logits[read]), kind="stable")]
    better[order] = np.sort(scores[read])[::-1]
    return better
