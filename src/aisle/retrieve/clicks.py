"""What a shopper would click of everything there is: the model of `learn.clicks`, asked about one shopper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores

NAME: Final = "taste"
KEPT: Final = 2.0
"""Strength from which a step was more than a look: in the cart, on the list, bought."""

TELLING: Final = 0.15
"""Least part in a product's logit for something taken before to be named as its reason."""

LOOKED_BACK: Final = 30
"""Products taken last among which a reason is looked for."""

POOL: Final = 4
"""Products whose uncertainty is looked at, as a multiple of those that are proposed."""


class TasteOfClicks:
    """Scores every product by the probability that this shopper clicks it when they see it.

    The shopper's taste is worked out anew from what they took, each time: the
    next answer knows the last event. `vectors` float32[n, k], `appeal`
    float32[n] and the rest are as `learn.clicks` writes them.
    """

    name = NAME

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self._vectors = np.ascontiguousarray(arrays["vectors"], np.float32)
        self._appeal = arrays["appeal"]
        self._category = arrays["category"].astype(np.int32)
        self._information, self._pull = arrays["information"], arrays["pull"]
        self._ask_vectors = arrays["ask_vectors"]
        self._ask_information, self._ask_pull = arrays["ask_information"], arrays["ask_pull"]
        self._offset, self._kept_offset = (float(x) for x in arrays["offset"])
        self._kept_weight = float(arrays["kept_weight"][0])
        self._k = self._vectors.shape[1]
        # Before anything is known of a shopper, every direction is as uncertain as any other.
        self._usual = _shrink((self._vectors**2).sum(1))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """From a fitted model's arrays."""
        return cls(arrays)

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Best first, what was taken before included; `seeds` count as just taken. Empty for somebody new."""
        ords, strengths, first = self._steps(shopper, seeds)
        if not len(ords):
            return Candidates.none(self.name)
        precision, right = self._evidence(ords, strengths, first, shopper.disliked)
        covariance = np.linalg.inv(precision).astype(np.float32)
        taste = covariance @ right.astype(np.float32)
        logits = self._vectors @ taste
        logits += self._appeal
        logits += self._offset
        logits[seeds[(seeds >= 0) & (seeds < len(logits))]] = -np.inf
        found = self._uppermost(logits * self._usual, POOL * top_k)
        found = found[np.isfinite(logits[found])]
        vectors = self._vectors[found]
        uncertain = ((vectors @ covariance) * vectors).sum(1)
        scores = _sigmoid(logits[found] * _shrink(uncertain))
        order = np.argsort(-scores, kind="stable")[:top_k]
        found = found[order].astype(np.int32)
        return Candidates(self.name, found, scores[order], self._because(vectors[order], covariance, ords))

    def score(self, shopper: Shopper, ords: Ords) -> Scores:
        """The probability of a click at the top of a home page for those products, float32[n]; 0 for unknown ones."""
        known = (ords >= 0) & (ords < len(self._appeal))
        found = np.zeros(len(ords), np.float32)
        steps, strengths, first = self._steps(shopper, np.empty(0, np.int32))
        precision, right = self._evidence(steps, strengths, first, shopper.disliked)
        covariance = np.linalg.inv(precision).astype(np.float32)
        vectors = self._vectors[ords[known]]
        taste = covariance @ right.astype(np.float32)
        logits = vectors @ taste + self._appeal[ords[known]] + np.float32(self._offset)
        found[known] = _sigmoid(logits * _shrink(((vectors @ covariance) * vectors).sum(1)))
        return found

    def _steps(self, shopper: Shopper, seeds: Ords) -> tuple[Ords, Scores, NDArray[np.bool_]]:
        """What was taken in order, how strongly, and which steps turn to another category than the one before."""
        taken, strengths = shopper.sequence, shopper.strengths
        if not len(taken):
            taken, strengths = shopper.recent[::-1], np.ones(len(shopper.recent), np.float32)
        ords = np.concatenate([taken, seeds]).astype(np.int32)
        strengths = np.concatenate([strengths, np.ones(len(seeds), np.float32)])
        known = (ords >= 0) & (ords < len(self._appeal))
        ords, strengths = ords[known], strengths[known]
        codes = self._category[ords]
        return ords, strengths, (np.diff(codes, prepend=-2) != 0) & (codes >= 0)

    def _evidence(
        self, ords: Ords, strengths: Scores, first: NDArray[np.bool_], disliked: Ords
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Precision float64[k, k] and right-hand side float64[k] of the taste, the prior included."""
        vectors, codes = self._vectors[ords], self._category[ords]
        precision = np.eye(self._k) + self._information[codes + 1].sum(0)
        right = vectors.sum(0) - self._pull[codes + 1].sum(0)
        asked = codes[first]
        if len(asked) and len(self._ask_vectors):
            precision += len(asked) * self._ask_information
            right = right + self._ask_vectors[asked].sum(0) - len(asked) * self._ask_pull
        if self._kept_weight > 0:
            weight, expected = self._kept_weight, self._kept_offset + self._appeal[ords]
            precision += weight * (vectors.T @ vectors)
            right = right + ((strengths >= KEPT) - 0.5 - weight * expected) @ vectors
        turned = disliked[(disliked >= 0) & (disliked < len(self._appeal))]
        if len(turned):
            away = self._vectors[turned]
            precision += away.T @ away / 4
            right = right - away.sum(0)
        return precision.astype(np.float64), right.astype(np.float64)

    @staticmethod
    def _uppermost(scores: Scores, n: int) -> NDArray[np.int64]:
        """The places of the `n` highest, in no order."""
        if n >= len(scores):
            return np.arange(len(scores))
        found: NDArray[np.int64] = np.argpartition(-scores, n)[:n]
        return found

    def _because(self, vectors: Scores, covariance: Scores, taken: Ords) -> Ords:
        """Which of the products taken last speaks most for each; -1 where none says much."""
        last = np.unique(taken[-LOOKED_BACK:])
        if not len(last):
            return np.full(len(vectors), -1, np.int32)
        says = vectors @ (covariance @ self._vectors[last].T)
        most = says.argmax(1)
        return np.where(says[np.arange(len(most)), most] > TELLING, last[most], -1).astype(np.int32)


def _shrink(variance: Scores) -> Scores:
    """What a logit's uncertainty makes of it, on average over the taste (MacKay 1992)."""
    found: Scores = (1 / np.sqrt(1 + np.pi / 8 * variance)).astype(np.float32)
    return found


def _sigmoid(x: Scores) -> Scores:
    found: Scores = (1 / (1 + np.exp(-x))).astype(np.float32)
    return found
