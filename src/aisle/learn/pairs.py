"""Products that shoppers went through together: pairs to learn from, factors of them, and cases to be judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.interactions import Interactions
from aisle.types import Ords, Vectors

REACH: Final = 3
"""Steps of one session that two products may lie apart to go together."""

MOST_PAIRS: Final = 200_000
"""In one epoch; more are drawn anew each time."""

FACTORS: Final = 64
HISTORY: Final = 8
HALF: Final = 2.0
"""Steps back after which a product of the history counts half."""

MOST_CASES: Final = 2000
MOST_SCORES: Final = 20_000_000
"""Scores of one judgement, cases by products: of a large catalogue fewer cases are asked."""
_CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class Pairs:
    """`left` and `right` int64[m]: products at most REACH steps apart in one session; each pair once, left earlier."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.left)

    def log_share(self, n: int) -> NDArray[np.float32]:
        """float32[n]: logarithm of each ord's share among both ends; a small one for those that never occur."""
        counts = np.bincount(self.left, minlength=n) + np.bincount(self.right, minlength=n)
        share: NDArray[np.float32] = np.log(np.maximum(counts, 0.5) / max(1, counts.sum())).astype(np.float32)
        return share

    def batches(self, rng: np.random.Generator, size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Shuffled batches of one epoch; the last, short one is left out unless it is the only one."""
        order = rng.permutation(len(self.left))[:MOST_PAIRS]
        for at in range(0, max(1, len(order) - size + 1), size):
            rows = order[at : at + size]
            yield self.left[rows], self.right[rows]


def pairs_of(past: Interactions, reach: int = REACH) -> Pairs:
    """Every two different products of one session that lie at most `reach` steps apart."""
    ords, session = past.ords.astype(np.int64), past.session
    lefts, rights = [], []
    for apart in range(1, min(reach, max(0, len(ords) - 1)) + 1):
        together = (session[apart:] == session[:-apart]) & (ords[apart:] != ords[:-apart])
        lefts.append(ords[:-apart][together])
        rights.append(ords[apart:][together])
    if not lefts:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
    return Pairs(np.concatenate(lefts), np.concatenate(rights))


def factors_of(pairs: Pairs, n: int, seed: int = 0) -> Vectors:
    """float32[n, f]: unit factors of the positive PMI of going together; zeros where there is none.

    Halko, Martinsson and Tropp (2011): subspace iteration on a sparse symmetric matrix.
    """
    size = min(FACTORS, max(1, n))
    if not len(pairs):
        return np.zeros((n, size), np.float32)
    import torch

    both = np.concatenate([pairs.left * n + pairs.right, pairs.right * n + pairs.left])
    cells, counts = np.unique(both, return_counts=True)
    row, column = np.divmod(cells, n)
    marginal = np.bincount(row, counts, minlength=n)
    # Context marginals to the power .75, as in word2vec: rare companions are not over-rated.
    context = marginal**0.75
    expected = marginal[row] * context[column] / context.sum()
    pmi = np.log(np.maximum(counts / np.maximum(expected, 1e-9), 1.0)).astype(np.float32)
    matrix = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([row, column])), torch.from_numpy(pmi), (n, n), check_invariants=True
    ).coalesce()
    generator = torch.Generator().manual_seed(seed)
    axes = torch.randn(n, min(n, size + 16), generator=generator)
    for _ in range(6):
        axes, _ = torch.linalg.qr(torch.sparse.mm(matrix, axes))
    small = axes.T @ torch.sparse.mm(matrix, axes)
    values, rotation = torch.linalg.eigh((small + small.T) / 2)
    order = torch.argsort(values.abs(), descending=True)[:size]
    factors = (axes @ rotation[:, order] * values[order].abs().sqrt()).numpy()
    factors = factors * (marginal > 0)[:, None]
    length = np.sqrt((factors * factors).sum(1, keepdims=True))
    unit: Vectors = np.where(length > 1e-6, factors / np.maximum(length, 1e-6), 0).astype(np.float32)
    if unit.shape[1] < size:
        unit = np.pad(unit, ((0, 0), (0, size - unit.shape[1])))
    return unit


@dataclass(frozen=True, slots=True)
class Cases:
    """Shoppers in the middle of something: `history` int32[c, HISTORY], newest first, -1 where there is no more;
    `target` int32[c] is what they took next, and `allowed` bool[n] what may be proposed."""

    history: Ords
    target: Ords
    allowed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.target)

    def queries(self, vectors: Vectors) -> Vectors:
        """float32[c, d]: the sum of what was taken, the newest counting most."""
        weights = np.exp2(-np.arange(HISTORY) / HALF).astype(np.float32) * (self.history >= 0)
        taken: Vectors = np.einsum("ch,chd->cd", weights, vectors[np.maximum(self.history, 0)], dtype=np.float32)
        return taken


def cases_of(
    past: Interactions, after: Interactions, is_cold: NDArray[np.bool_], alive: NDArray[np.bool_], seed: int
) -> tuple[Cases, Cases]:
    """Steps to a product that the shopper's last steps do not hold: to known ones, and to the cold ones.

    A history holds known products only, of any session of the shopper; its step
    is one of the sessions of `after`.
    """
    future = np.zeros(int(past.session.max()) + 1, bool)
    future[after.session] = True
    ords, visitor = past.ords, past.visitor
    steps = np.flatnonzero(future[past.session] & (ords < len(alive)))
    steps = steps[alive[ords[steps]]]
    begins = np.searchsorted(visitor, visitor[steps])  # visitors are sorted
    most = min(MOST_CASES, max(200, MOST_SCORES // max(1, len(alive))))
    rng = np.random.default_rng(seed)
    found: dict[bool, list[tuple[list[int], int]]] = {False: [], True: []}
    for place in rng.permutation(len(steps)).tolist():
        step, begin = int(steps[place]), int(begins[place])
        target = int(ords[step])
        kind = bool(is_cold[target])
        if len(found[kind]) >= most:
            continue
        window = ords[max(begin, step - 3 * HISTORY) : step][::-1].tolist()
        if target in window:
            continue
        history = [o for o in dict.fromkeys(window) if o < len(alive) and not is_cold[o]][:HISTORY]
        if history:
            found[kind].append((history, target))
    return _cases(found[False], alive), _cases(found[True], alive)


def _cases(found: list[tuple[list[int], int]], alive: NDArray[np.bool_]) -> Cases:
    history = np.full((len(found), HISTORY), -1, np.int32)
    for row, (ords, _) in enumerate(found):
        history[row, : len(ords)] = ords
    return Cases(history, np.array([target for _, target in found], np.int32), alive)


def recall(vectors: Vectors, cases: Cases, top_k: int) -> float:
    """Share of the cases whose next product is among the `top_k` nearest to the history, of all living products."""
    return float(hits(vectors, cases, top_k).mean()) if len(cases) else 0.0


def hits(vectors: Vectors, cases: Cases, top_k: int) -> NDArray[np.bool_]:
    """bool[c]: whether each case's next product is among the `top_k` nearest; what is in the history is left out."""
    queries = cases.queries(vectors)
    found = np.zeros(len(cases), bool)
    for at in range(0, len(cases), _CHUNK):
        part = slice(at, at + _CHUNK)
        scores = queries[part] @ vectors.T
        scores[:, ~cases.allowed] = -np.inf
        rows = np.arange(len(scores))
        for column in range(HISTORY):
            known = cases.history[part, column]
            scores[rows[known >= 0], known[known >= 0]] = -np.inf
        own = scores[rows, cases.target[part]]
        # Of equal scores half are counted as better: a vector of zeros must not win by its place.
        better = (scores > own[:, None]).sum(1) + ((scores == own[:, None]).sum(1) - 1) / 2
        found[part] = better < top_k
    return found
