"""Words and meaning as one score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aisle.types import Scores


def blend(
    bm25: Scores,
    cosine: Scores,
    *,
    weight: float,
    matched: NDArray[np.bool_] | None = None,
    bonus: float = 0.0,
    affinity: Scores | None = None,
    affinity_weight: float = 0.0,
    prior: Scores | None = None,
) -> Scores:
    """float32[n]: (1 - weight) * bm25 / max(bm25) + weight * cosine + bonus * matched + …; higher is better.

    BM25 has no upper bound and its size depends on the shop and the query, so it
    is measured against the query's best match; a cosine is absolute as it is.
    `matched` bool[n] are the products that the words alone found: what was only
    found by meaning has to be nearer by `bonus` to come before them.

    `affinity` float32[n] is the cosine of the query with each product's category;
    `prior` float32[n] is what speaks for each product whatever is asked.

    Stretching both to [0, 1] (Fox and Shaw, 1994) or adding reciprocal ranks
    (Cormack et al., 2009) does worse on judged queries, for it makes the best of
    poor neighbours as good as the best of good ones: see benchmarks/blending.py.
    """
    best = float(bm25.max(initial=0.0))
    scores = weight * cosine
    if best > 0.0:
        scores = scores + bm25 * ((1.0 - weight) / best)
    if matched is not None:
        scores = scores + bonus * matched
    if affinity is not None:
        scores = scores + affinity_weight * affinity
    if prior is not None:
        scores = scores + prior
    return scores.astype(np.float32, copy=False)
