"""What this shopper goes back to: products of their own past, and purchases that are due again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores, now_ms

LEAST_CHANCE: Final = 1e-4
"""Probability below which a product is not proposed: where nobody goes back, nothing is."""

BOUGHT: Final = 5.0
"""Strength from which a step was a purchase."""


class Foretells(Protocol):
    """`learn.repeats.Repeating`: products of the steps, with the probability that each comes next, best first."""

    def foretell(
        self, steps: Ords, times_ms: NDArray[np.int64], strengths: Scores, n_session: int, now_ms: int
    ) -> tuple[Ords, Scores]: ...


class Dues(Protocol):
    """`learn.repurchase.Repurchasing`: the probability that each of these is bought again soon."""

    def due(self, ords: Ords, bought_ms: NDArray[np.int64], now_ms: int) -> Scores: ...


class Repeats:
    """Products that the shopper went to before; a score is the probability that it is the next step."""

    name = "repeats"

    def __init__(self, model: Foretells | None, now: Callable[[], int] = now_ms) -> None:
        self._model, self._now = model, now

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Without the seeds. Empty for a new shopper, and where nobody goes back."""
        ords, chances = self._foretold(shopper)
        kept = (chances >= LEAST_CHANCE) & (ords >= 0)
        if len(seeds):
            kept &= ~np.isin(ords, seeds)
        return Candidates(self.name, ords[kept][:top_k], chances[kept][:top_k])

    def rate(self, shopper: Shopper) -> float:
        """The probability that the shopper's next step is something they went to before."""
        return float(self._foretold(shopper)[1].sum())

    def _foretold(self, shopper: Shopper) -> tuple[Ords, Scores]:
        steps, times, strengths, n_session = _steps(shopper)
        if self._model is None or not len(steps):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        last_ms = int(times[-1])
        # While a session goes on, it is the time of its last step.
        now = last_ms if n_session else max(last_ms, self._now())
        return self._model.foretell(steps, times, strengths, n_session, now)


class BuyAgain:
    """What the shopper bought and is likely to need again by now; a score is the probability that they buy it soon."""

    name = "buy_again"

    def __init__(self, model: Dues | None, now: Callable[[], int] = now_ms) -> None:
        self._model, self._now = model, now

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Without the seeds and what is in the cart. Empty where nobody buys again."""
        steps, times, strengths, _ = _steps(shopper)
        bought = (strengths >= BOUGHT) & (steps >= 0)
        if self._model is None or not bought.any():
            return Candidates.none(self.name)
        newest, newest_ms = steps[bought][::-1], times[bought][::-1]
        ords, first = np.unique(newest, return_index=True)
        left_out = np.concatenate([seeds, shopper.cart, shopper.disliked])
        kept = ~np.isin(ords, left_out)
        ords, bought_ms = ords[kept].astype(np.int32), newest_ms[first][kept]
        chances = self._model.due(ords, bought_ms, self._now())
        best = np.argsort(-chances, kind="stable")
        best = best[chances[best] >= LEAST_CHANCE][:top_k]
        return Candidates(self.name, ords[best], chances[best])


def _steps(shopper: Shopper) -> tuple[Ords, NDArray[np.int64], Scores, int]:
    """Steps oldest first; where only what was had recently is known, that with times and strengths unknown."""
    if len(shopper.sequence):
        return shopper.sequence, shopper.sequence_ms, shopper.strengths, shopper.n_session
    n = len(shopper.recent)
    return shopper.recent[::-1], np.arange(n, dtype=np.int64), np.ones(n, np.float32), len(shopper.session)
