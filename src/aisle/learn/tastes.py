"""Who took what, how much: the matrix that factorisation reads, and what of it is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.interactions import Interactions
from aisle.types import Ords, Scores, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

HALF_LIFE_DAYS: Final = 180.0
"""Days after which an engagement counts half in training."""

MOST_OF_ONE: Final = 400
"""Distinct products of one shopper, the newest: a reseller must not draw the whole map."""

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Tastes:
    """One row a shopper and product, by shopper and then by when they first took it.

    `shopper` int32[n] and `item` int32[n] count from 0; `ords` int32[m] are the
    products, ascending. `weight` float32[n] has mean 1, so that a shop of views
    and one of purchases are alike.
    """

    shopper: NDArray[np.int32]
    item: NDArray[np.int32]
    weight: Scores
    ords: Ords

    @classmethod
    def of(cls, past: Interactions, *, half_life_days: float = HALF_LIFE_DAYS) -> Self:
        """Strengths summed with decay, then their logarithm; shoppers of one product only tell nothing."""
        n = len(past)
        key = past.visitor.astype(np.int64) << 32 | past.ords
        pair, first, of_pair = np.unique(key, return_index=True, return_inverse=True)
        age = (past.time_ms.max() - past.time_ms) / (half_life_days * DAY_MS) if n else np.empty(0)
        total = np.bincount(of_pair, past.strength * np.exp2(-age), len(pair))
        order = np.argsort(first)  # the log is sorted by visitor and time
        visitor, ords, total = (pair[order] >> 32).astype(np.int32), pair[order].astype(np.int32), total[order]
        starts = np.flatnonzero(np.diff(visitor, prepend=-1))
        sizes = np.diff(np.append(starts, len(visitor)))
        from_end = np.repeat(starts + sizes, sizes) - np.arange(len(visitor))
        kept = (np.repeat(sizes, sizes) > 1) & (from_end <= MOST_OF_ONE)
        _, shopper = np.unique(visitor[kept], return_inverse=True)
        known, item = np.unique(ords[kept], return_inverse=True)
        weight = np.log1p(total[kept])
        mean = weight.mean() if len(weight) else 1.0
        return cls(
            shopper.astype(np.int32), item.astype(np.int32), (weight / mean).astype(np.float32), known.astype(np.int32)
        )

    def take(self, rows: np.ndarray) -> Tastes:
        """Those rows, shoppers and products numbered as before."""
        return Tastes(self.shopper[rows], self.item[rows], self.weight[rows], self.ords)

    def matrix(self) -> csr_matrix:
        """float32[n_shoppers, n_items], compressed by rows."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.weight, (self.shopper, self.item)), shape=(self.n_shoppers, len(self.ords)))

    @property
    def n_shoppers(self) -> int:
        return int(self.shopper.max()) + 1 if len(self.shopper) else 0

    def __len__(self) -> int:
        return len(self.shopper)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The last product of some shoppers, and what they had taken before, oldest first, in CSR form.

    `target` int32[n]; those before case c are `before[starts[c]:starts[c + 1]]`.
    """

    target: NDArray[np.int32]
    starts: NDArray[np.int64]
    before: NDArray[np.int32]

    @classmethod
    def of(cls, tastes: Tastes, *, most: int, seed: int) -> tuple[Tastes, Self]:
        """What is left to train on, and the cases: at most `most`, half of the shoppers and a tenth of all rows."""
        ends = np.flatnonzero(np.diff(tastes.shopper, append=-1))
        n = min(most, len(ends) // 2, len(tastes) // 10)
        ends = np.sort(np.random.default_rng(seed).choice(ends, n, replace=False)) if n else ends[:0]
        begins = np.searchsorted(tastes.shopper, tastes.shopper[ends])
        starts = np.concatenate([[0], np.cumsum(ends - begins)]).astype(np.int64)
        rows = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], ends - begins)
        left = np.ones(len(tastes), bool)
        left[ends] = False
        return tastes.take(np.flatnonzero(left)), cls(tastes.item[ends], starts, tastes.item[rows])

    def weights(self, half: float) -> Scores:
        """Of `before`: each half as much for `half` places further back."""
        back = np.repeat(self.starts[1:], np.diff(self.starts)) - 1 - np.arange(len(self.before))
        return np.exp2(-back / half).astype(np.float32)

    def ndcg(self, vectors: Vectors, items: Vectors, top_k: int = 20) -> tuple[float, float]:
        """(nDCG@top_k, recall@top_k) of shoppers' `vectors` float32[n, k] against all `items` float32[m, k]."""
        gains = hits = 0.0
        for at in range(0, len(self), 512):
            last = min(at + 512, len(self))
            scores = vectors[at:last] @ items.T
            flat = slice(self.starts[at], self.starts[last])
            owner = np.repeat(np.arange(last - at), np.diff(self.starts[at : last + 1]))
            scores[owner, self.before[flat]] = -np.inf
            place = (scores > scores[np.arange(last - at), self.target[at:last]][:, None]).sum(1)
            shown = place[place < top_k]
            gains += float((1 / np.log2(shown + 2)).sum())
            hits += len(shown)
        n = max(1, len(self))
        return gains / n, hits / n

    def __len__(self) -> int:
        return len(self.target)
