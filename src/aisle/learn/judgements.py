"""What is known of which products answer which query: the currency of everything that learns to search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.types import Ords, Scores


@dataclass(frozen=True, slots=True)
class Judgements:
    """n judgements of products for queries.

    `queries` are distinct texts and `query` int32[n] the place of each
    judgement's own; `ords` int32[n] its product; `gain` float32[n] in [0, 1], 0
    for what was judged irrelevant; `weight` float32[n] above 0, how much a
    judgement counts (a click less than a judge's word).
    """

    queries: tuple[str, ...]
    query: NDArray[np.int32]
    ords: Ords
    gain: Scores
    weight: Scores
