"""Vectors of category names: which shelf a query belongs to, whatever its words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.ports import TextEncoder
from aisle.types import Scores, Vectors


class CategoryVectors:
    """The last level of each category path, encoded once.

    A shopper who asks for a yoga mat in a shop without mats wants the fitness
    shelf, not trousers for yoga. Titles cannot tell; the shelves' names can.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.encoder_name = encoder.name
        self._known: dict[str, Vectors] = {}
        self._matrix: Vectors = np.empty((0, encoder.dim), np.float32)

    def follow(self, categories: Sequence[str]) -> None:
        """Take in the catalogue's categories; row n of the matrix is `categories[n]`, which only grow."""
        if len(categories) == len(self._matrix):
            return
        leaves = [path.rsplit(">", 1)[-1].strip() for path in categories]
        new = [leaf for leaf in dict.fromkeys(leaves) if leaf not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        self._matrix = np.stack([self._known[leaf] for leaf in leaves])

    def affinity(self, vector: Vectors, category: NDArray[np.int32]) -> Scores:
        """float32[n]: cosine of a query's vector float32[dim] with each category code int32[n]; 0 for none."""
        if not len(self._matrix):
            return np.zeros(len(category), np.float32)
        cosines = np.append(self._matrix @ vector, np.float32(0))
        known = (category >= 0) & (category < len(self._matrix))
        found: Scores = cosines[np.where(known, category, len(self._matrix))]
        return found
