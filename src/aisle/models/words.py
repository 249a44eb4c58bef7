"""Where words lie among the tokens of a text. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def placed(
    pieces: Sequence[NDArray[np.int64]], around: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids int64[t] of words whose own tokens are `pieces`, and int64[words]: where in them each word begins.

    `around` are the model's first and last tokens. Of a text with more than
    `most` tokens the words that do not fit are left out; those begin at -1.
    """
    n_first = (len(around) + 1) // 2
    parts, firsts, at = [around[:n_first]], [], n_first
    for ids in pieces:
        if not len(ids) or at + len(ids) + len(around) - n_first > most:
            firsts.append(-1)
            continue
        firsts.append(at)
        parts.append(ids)
        at += len(ids)
    return np.concatenate([*parts, around[n_first:]]), np.array(firsts, np.int64)
