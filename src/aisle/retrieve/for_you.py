"""What may please this shopper, from the session going on and from before."""

from __future__ import annotations

from typing import Final

import numpy as np

from aisle.ports import Shopper
from aisle.retrieve.pooling import pool
from aisle.retrieve.similar import Similar
from aisle.retrieve.together import Together
from aisle.types import Candidates, Ords, Scores

SESSION_BOOST: Final = 2.0
"""Factor on what was done in the session going on: its intention is fresher than the taste."""

PLACE_DECAY: Final = 0.8
"""Factor from each recent product to the one before it: the last click says the most."""

PARTS: Final = {"viewed": 1.0, "bought": 0.7, "similar": 0.5}
"""Weights of the parts, each with its best score made 1."""

MAX_SEEDS: Final = 12


class ForYou:
    """Pools what goes with, and what is like, each of the last products; never their mean.

    The mean of a kettle and a trainer is near neither. Leaves out what the
    shopper knows: products just seen, in the cart, bought, or disliked.
    """

    name = "for_you"

    def __init__(self, viewed: Together, bought: Together, similar: Similar | None) -> None:
        self._viewed, self._bought, self._similar = viewed, bought, similar

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty for a shopper without history. `seeds`, if any, count as the newest history."""
        recent, weights = self._taste(shopper, seeds)
        if not len(recent):
            return Candidates.none(self.name)
        parts = [self._viewed.along(recent, weights, top_k), self._bought.along(recent, weights, top_k)]
        if self._similar is not None:
            parts.append(self._similar.like(recent, weights, top_k))
        parts = [part for part in parts if len(part)]
        if not parts:
            return Candidates.none(self.name)
        ords = np.concatenate([part.ords for part in parts])
        scores = np.concatenate([part.scores * (PARTS[part.source] / part.scores[0]) for part in parts])
        because = np.concatenate([part.because for part in parts if part.because is not None])
        known = np.concatenate([seeds, shopper.recent, shopper.cart, shopper.purchased, shopper.disliked])
        return pool(self.name, ords, scores, because, without=known, top_k=top_k)

    @staticmethod
    def _taste(shopper: Shopper, seeds: Ords) -> tuple[Ords, Scores]:
        """Distinct recent ords, the newest first, and how much each counts."""
        kept = ~np.isin(shopper.recent, seeds)
        old = shopper.weights * np.where(np.isin(shopper.recent, shopper.session), SESSION_BOOST, 1.0)
        recent = np.concatenate([seeds, shopper.recent[kept]])[:MAX_SEEDS].astype(np.int32)
        weights = np.concatenate([np.full(len(seeds), SESSION_BOOST), old[kept]])[:MAX_SEEDS]
        return recent, (weights * PLACE_DECAY ** np.arange(len(recent))).astype(np.float32)
