"""What shoppers of the same taste take: products' vectors against the vector of what this shopper took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores, Vectors

MOST_STEPS: Final = 200
"""Steps of a shopper that are looked at."""
MOST_TAKEN: Final = 50
"""Distinct products, the newest, that make a shopper: those before weigh nothing any more."""


class Factors:
    """A shopper is folded in for each request, so their last event counts at once; none is stored.

    With `gram` by the solve of ALS (Hu, Koren, Volinsky 2008), without by the
    weighted mean of the vectors. A product counts half for `half` places back.
    """

    name = "factors"

    def __init__(
        self, ords: Ords, items: Vectors, *, half: float, gram: Vectors | None = None, confidence: float = 0.0
    ) -> None:
        """`ords` int32[m] ascending, `items` float32[m, k], `gram` float32[k, k]."""
        self._ords, self._items = ords.astype(np.int32), np.ascontiguousarray(items, np.float32)
        self._half, self._confidence = half, confidence
        self._inverse = None if gram is None else np.linalg.inv(gram.astype(np.float64)).astype(np.float32)
        self._row = np.full(int(ords.max()) + 1 if len(ords) else 0, -1, np.int32)
        self._row[ords] = np.arange(len(ords), dtype=np.int32)

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The source of a fitted model `factors`."""
        return cls(
            arrays["ords"],
            arrays["items"],
            half=float(arrays["half"][0]),
            gram=arrays.get("gram"),
            confidence=float(arrays["confidence"][0]),
        )

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """For the seeds or, without seeds, for what the shopper took; what they know is left out."""
        if len(seeds):
            path, known = seeds, seeds
        else:
            path = shopper.sequence[: -MOST_STEPS - 1 : -1] if len(shopper.sequence) else shopper.recent
            known = np.concatenate([path, shopper.recent, shopper.purchased, shopper.cart, shopper.disliked])
        taken = self._rows(path)
        if not len(taken):
            return Candidates.none(self.name)
        _, first = np.unique(taken, return_index=True)
        taken = taken[np.sort(first)[:MOST_TAKEN]]
        parts = self._parts(taken)
        scores = self._items @ parts.sum(0)
        scores[self._rows(known)] = -np.inf
        rows = best(scores, top_k)
        because = taken[(self._items[rows] @ parts.T).argmax(1)] if len(rows) else rows
        return Candidates(self.name, self._ords[rows], scores[rows], self._ords[because])

    def _rows(self, ords: Ords) -> NDArray[np.int32]:
        ords = ords[(ords >= 0) & (ords < len(self._row))]
        rows: NDArray[np.int32] = self._row[ords]
        return rows[rows >= 0]

    def _parts(self, taken: NDArray[np.int32]) -> Vectors:
        """float32[n, k]: what each product taken, the newest first, gives to the shopper's vector."""
        weights = np.exp2(-np.arange(len(taken), dtype=np.float32) / self._half)
        vectors = self._items[taken]
        if self._inverse is None:
            parts: Vectors = weights[:, None] * vectors
            length = float(np.linalg.norm(parts.sum(0)))
            parts /= np.float32(length or 1.0)
            return parts
        # (gram + V'CV)^-1 V' = gram^-1 V' (1 + C V gram^-1 V')^-1: as large as the history, not as the vectors.
        sure = self._confidence * weights
        near = vectors @ self._inverse
        among = np.eye(len(taken), dtype=np.float32) + sure[:, None] * (near @ vectors.T)
        solved: Vectors = np.linalg.solve(among, np.diag(1 + sure)).T @ near
        return solved


def best(scores: Scores, top_k: int) -> NDArray[np.int64]:
    """Rows of the largest positive scores, best first; of equals the first."""
    n = len(scores)
    least = np.float32(0)
    if n > top_k:
        # Partitioning values and comparing is faster than partitioning rows.
        least = max(np.partition(scores, n - top_k)[n - top_k], least)
    rows = np.flatnonzero((scores >= least) & (scores > 0))
    found: NDArray[np.int64] = rows[np.argsort(-scores[rows], kind="stable")][:top_k]
    return found
