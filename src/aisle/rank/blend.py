"""Words and meaning as one score."""

from __future__ import annotations

import numpy as np

from aisle.types import Scores


def blend(bm25: Scores, cosine: Scores, *, weight: float, boosts: Scores | None = None) -> Scores:
    """float32[n]: (1 - weight) * bm25 / max(bm25) + weight * cosine + boosts; higher is better.

    BM25 has no upper bound and its size depends on the shop and the query, so it
    is measured against the query's best match; a cosine is absolute as it is.
    Stretching both to [0, 1] (Fox and Shaw, 1994) or ranking by reciprocal ranks
    (Cormack et al., 2009) does worse on judged queries, for it makes the best of
    poor neighbours as good as the best of good ones: see benchmarks/blending.py.
    """
    best = float(bm25.max(initial=0.0))
    scores = weight * cosine
    if best > 0.0:
        scores = scores + bm25 * ((1.0 - weight) / best)
    if boosts is not None:
        scores = scores + boosts
    return scores.astype(np.float32, copy=False)
