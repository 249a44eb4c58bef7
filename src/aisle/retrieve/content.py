"""Products whose text, photo, attributes, price and use together are near to what the shopper went through."""

from __future__ import annotations

from typing import Final

import numpy as np

from aisle.ports import DenseIndex, Shopper
from aisle.types import Candidates, Ords

HISTORY: Final = 8
HALF: Final = 2.0
"""Steps back after which a product of the history counts half; as the vectors were judged when they were fitted."""


class Content:
    """Nearest fused vectors to the seeds or, without seeds, to the last products.

    One search for their weighted sum: in the learned space, unlike in the text
    encoder's, the sum of a shopper's products lies near what comes next. A new
    product is proposed from its content alone, as soon as the index has its vector.
    """

    name = "content"

    def __init__(self, dense: DenseIndex) -> None:
        self._dense = dense

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Empty when no seed (without seeds: nothing of the history) has a vector."""
        chosen = (seeds if len(seeds) else shopper.recent)[:HISTORY].astype(np.int32)
        if not len(chosen) or not len(self._dense):
            return Candidates.none(self.name)
        # Several seeds stand beside each other; of a history the newest says the most.
        steps = np.zeros(len(chosen)) if len(seeds) else np.arange(len(chosen))
        vectors = self._dense.vectors(chosen) * np.exp2(-steps / HALF).astype(np.float32)[:, None]
        query = vectors.sum(axis=0)
        length = float(np.linalg.norm(query))
        if length < 1e-6:
            return Candidates.none(self.name)
        without = np.concatenate([chosen, seeds])
        n = top_k + len(without)
        ords, cosines = self._dense.search(query / np.float32(length), n, beam=n)
        kept = ~np.isin(ords, without) & (cosines > 0)
        ords = ords[kept][:top_k].astype(np.int32)
        because = chosen[(self._dense.vectors(ords) @ vectors.T).argmax(axis=1)] if len(ords) else ords
        return Candidates(self.name, ords, cosines[kept][:top_k].astype(np.float32), because)
