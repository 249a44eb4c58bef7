"""What the sessions most like this one went on to: session neighbours, fresh with every event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from aisle.ports import Shopper
from aisle.retrieve.pooling import pool
from aisle.types import Candidates, Ords, Scores

Ask: TypeAlias = Callable[[Ords, int, str], tuple[Ords, Scores, Ords]]
"""Steps int32[n] oldest first, how many of the last are the session going on, the visitor: rows of
ord, part and the step that led to it."""

MAX_STEPS: Final = 60
"""Newest steps of a shopper that are looked at."""


class Neighbours:
    """Session kNN: adds up what each like session says of each product.

    `ask` finds the neighbours (`learn.neighbours.Neighbourhood`); it may propose
    products that the shopper has seen already, where going back to them is usual.
    """

    name = "neighbours"

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """From the shopper's steps, `seeds` the newest; `because` is the last of them that a neighbour shares."""
        steps, n_session = shopper.sequence, shopper.n_session
        if not len(steps):
            steps, n_session = shopper.recent[::-1], len(shopper.session)
        if len(seeds):
            steps, n_session = np.concatenate([steps, seeds[::-1]]), n_session + len(seeds)
        if not len(steps):
            return Candidates.none(self.name)
        ords, parts, because = self._ask(steps[-MAX_STEPS:].astype(np.int32), n_session, shopper.visitor_id)
        return pool(self.name, ords, parts, because, without=seeds, top_k=top_k)
