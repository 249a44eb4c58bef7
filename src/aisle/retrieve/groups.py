"""Groups found by clustering: to browse, and to know a shopper by from the first click."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords

COLD: Final = 5
"""Products seen beyond which a shopper is known better by themselves than by their group."""


class Groups:
    """What shoppers of the nearest group like, for a shopper of whom little is known; and the groups of products.

    Built from the arrays of `learn.clusters`; without them it proposes nothing.
    """

    name = "kindred"

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._vectors = np.asarray(arrays["vectors"], np.float32)
        self._group = np.asarray(arrays["group"], np.int32)
        self._near = np.asarray(arrays["near"], np.float32)
        self._centres = np.asarray(arrays["shopper_centres"], np.float32)
        self._indptr = np.asarray(arrays["liked_indptr"], np.int64)
        self._liked = np.asarray(arrays["liked"], np.int32)
        self._scores = np.asarray(arrays["liked_scores"], np.float32)
        self.names: tuple[str, ...] = tuple(json.loads(np.asarray(arrays["names"], np.uint8).tobytes()))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        return cls(arrays)

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty for a new shopper, and for one who is known well."""
        known = seeds if len(seeds) else shopper.recent
        if not 0 < len(known) <= COLD or not len(self._centres):
            return Candidates.none(self.name)
        weights = np.ones(len(known), np.float32) if len(seeds) else shopper.weights
        here = (known >= 0) & (known < len(self._vectors))
        taste = weights[here] @ self._vectors[known[here]]
        if not taste.any():
            return Candidates.none(self.name)
        place = int((self._centres @ taste).argmax())
        rows = slice(self._indptr[place], self._indptr[place + 1])
        ords, scores = self._liked[rows], self._scores[rows]
        kept = ~np.isin(ords, known)
        ords, scores = ords[kept][:top_k], scores[kept][:top_k]
        return Candidates(self.name, ords, scores, np.full(len(ords), known[here][0], np.int32))

    def members(self, group: int) -> Ords:
        """The products of a group, the most typical first."""
        inside = np.flatnonzero(self._group == group)
        return inside[np.argsort(-self._near[inside], kind="stable")].astype(np.int32)
