"""Adding up what several seeds propose."""

from __future__ import annotations

import numpy as np

from aisle.types import Candidates, Ords, Scores


def pool(source: str, ords: Ords, parts: Scores, seeds: Ords, *, without: Ords, top_k: int) -> Candidates:
    """Sum contributions by ord, best first; `because` is the seed that gave the most.

    `ords`, `parts` and `seeds` are aligned, one row a proposal; those `without`
    are left out, and so are contributions that are not positive.
    """
    kept = (parts > 0) & (ords >= 0)
    if len(without):
        kept &= ~np.isin(ords, without)
    ords, parts, seeds = ords[kept], parts[kept], seeds[kept]
    if not len(ords):
        return Candidates.none(source)
    unique, inverse = np.unique(ords, return_inverse=True)
    sums = np.bincount(inverse, parts)
    because = np.empty(len(unique), np.int32)
    rising = np.argsort(parts, kind="stable")
    because[inverse[rising]] = seeds[rising]  # the last write, the largest part, stays
    best = np.argsort(-sums, kind="stable")[:top_k]
    return Candidates(source, unique[best].astype(np.int32), sums[best].astype(np.float32), because[best])
