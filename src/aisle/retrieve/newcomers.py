"""Products that came after training: encoded by content alone, with what GraphSAGE learnt, in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aisle.types import Vectors


class ContentEncoder:
    """A product's text and names (categories, brand, attributes) to the vector that GraphSAGE would give it.

    `weights` are those that `models.graph.GraphSage.exported` gave.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._w = weights

    @property
    def n_features(self) -> int:
        return len(self._w["features_w"])

    def encode(self, features: Vectors, names: Sequence[Sequence[int]]) -> Vectors:
        """Unit vectors float32[n, k]; `features` float32[n, n_features], and each product's name numbers.

        A product with neither has a row of zeros: there is nothing to place it by.
        """
        w = self._w
        own = features @ w["features_w"] + w["features_b"]
        first = own @ w["own_1"] + self._mean(names, "names_1") @ w["told_1"] + w["bias_1"]
        first = np.maximum(first, 0)
        second = first @ w["own_2"] + self._mean(names, "names_2") @ w["told_2"] + w["bias_2"]
        known = features.any(1) | np.array([len(of_one) > 0 for of_one in names], bool)
        length = np.maximum(np.linalg.norm(second, axis=1, keepdims=True), 1e-12)
        vectors: Vectors = (second / length * known[:, None]).astype(np.float32)
        return vectors

    def _mean(self, names: Sequence[Sequence[int]], of: str) -> Vectors:
        table = self._w[of]
        means = np.zeros((len(names), table.shape[1]), np.float32)
        for row, of_one in enumerate(names):
            if len(of_one):
                means[row] = table[list(of_one)].mean(0)
        return means
