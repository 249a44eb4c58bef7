"""Collaborative filtering by vectors: of several ways to factorise, the one that predicts best here.

- ALS: implicit alternating least squares (Hu, Koren, Volinsky 2008), solved by
  the `implicit` library; shoppers are folded in by the same small solve.
- BPR: Bayesian personalised ranking (Rendle et al. 2009), by the same library.
- LightGCN (He et al. 2020), see `learn.light`.

Shoppers' own vectors are thrown away: a shopper is what they took, the newest
counting most, so their next event counts at once. How fast the past fades
(`half`, in places) is chosen with the way, on products held out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.tastes import HeldOut, Tastes
from aisle.types import Progress, Scores, Vectors

log = logging.getLogger("aisle.training")

FACTORS: Final = "factors"
WAYS: Final = ("als", "lightgcn", "bpr")

FEWEST_ROWS: Final = 200
FEWEST_ITEMS: Final = 20
MOST_CASES: Final = 4000

HALVES: Final = (0.75, 1.5, 4.0, 16.0)
"""Places back at which a product counts half for a shopper; of these one is chosen."""

WIDE: Final = 128
NARROW: Final = 64
WIDE_UP_TO: Final = 20_000
"""Products up to which vectors are wide: what a request costs grows with both."""

CONFIDENCES: Final = (5.0, 30.0)
"""Confidence of ALS in an engagement of mean weight, against 1 in its absence."""
REGULARISATION: Final = 0.25
"""Of ALS, as a share of the confidence."""
ALS_ROUNDS: Final = 15

BPR_MOST: Final = 200_000
"""Rows up to which BPR is tried: it takes far longer than ALS and rarely wins."""
BPR_ROUNDS: Final = 100
BPR_RATE: Final = 0.05
BPR_REGULARISATION: Final = 0.003

LIGHTGCN_MOST: Final = 600_000
"""Rows up to which LightGCN is tried: a step spreads over the whole graph."""


@dataclass(frozen=True, slots=True)
class Factorised:
    """Products' vectors float32[m, k] and how a shopper is made of them.

    With `gram` float32[k, k] a shopper is the solve of ALS at `confidence`;
    without, the weighted mean of their products' vectors.
    """

    way: str
    items: Vectors
    half: float = 4.0
    gram: Vectors | None = None
    confidence: float = 0.0
    rounds: int = 0

    def shoppers(self, cases: HeldOut) -> Vectors:
        """float32[n, k] of held-out cases; the same as `retrieve.factors` makes of one shopper."""
        weights = cases.weights(self.half)
        if self.gram is None:
            return _means(cases, weights, self.items)
        vectors = np.empty((len(cases), self.items.shape[1]), np.float32)
        inverse = np.linalg.inv(self.gram.astype(np.float64)).astype(np.float32)
        near = self.items @ inverse
        for case in range(len(cases)):
            row = slice(cases.starts[case], cases.starts[case + 1])
            taken, sure = cases.before[row], self.confidence * weights[row]
            among = np.eye(len(taken), dtype=np.float32) + sure[:, None] * (near[taken] @ self.items[taken].T)
            vectors[case] = np.linalg.solve(among, 1 + sure) @ near[taken]
        return vectors

    def at_its_best(self, cases: HeldOut) -> tuple[Factorised, float, float]:
        """With the half that predicts best, and its (nDCG@20, recall@20)."""
        tried = [replace(self, half=half) for half in HALVES]
        measured = [cases.ndcg(one.shoppers(cases), one.items) for one in tried]
        best = int(np.argmax([ndcg for ndcg, _ in measured]))
        return tried[best], *measured[best]

    def arrays(self, tastes: Tastes) -> dict[str, np.ndarray]:
        """What `retrieve.factors` reads."""
        made = {
            "ords": tastes.ords,
            "items": self.items,
            "half": np.array([self.half], np.float32),
            "confidence": np.array([self.confidence], np.float32),
        }
        return made if self.gram is None else made | {"gram": self.gram}


def _means(cases: HeldOut, weights: Scores, items: Vectors) -> Vectors:
    from scipy.sparse import csr_matrix

    parts = csr_matrix((weights, cases.before, cases.starts), shape=(len(cases), len(items)))
    means: Vectors = np.asarray(parts @ items, np.float32)
    return means


def fit_factors(
    past: Interactions,
    items: ItemTable,
    *,
    work: Path,
    progress: Progress,
    seed: int = 0,
    seconds: float = 0.0,
    threads: int = 1,
    before: Fitted | None = None,
    ways: tuple[str, ...] = WAYS,
) -> Fitted | None:
    """Vectors of the products that shoppers took, by the way that predicts their next product best.

    `before` is an earlier fit whose choices are kept: then only that way is
    fitted, on everything. `seconds` (0: no limit) is what the fit should take at
    most; `work` keeps LightGCN's checkpoints. Arrays: `ords` int32[m],
    `items` float32[m, k], `half` and `confidence` float32[1] and, of ALS, `gram`
    float32[k, k]. None when there is too little to learn from.

    Raises TrainingFailed when the numbers run away.
    """
    tastes = Tastes.of(past)
    if len(tastes) < FEWEST_ROWS or len(tastes.ords) < FEWEST_ITEMS:
        log.info(
            "factors: not fitted: shoppers with two products or more took %d products in %d rows; it needs %d and %d",
            len(tastes.ords), len(tastes), FEWEST_ITEMS, FEWEST_ROWS,
        )  # fmt: skip
        return None
    fitting = _Fitting(tastes, work, progress, seed, seconds, threads)
    if before is not None and before.params.get("way") in WAYS:
        params = before.params
        return fitting.made(fitting.again(params), {"way": params["way"], **_told(params)}, before.metrics)
    return fitting.best(ways)


def _told(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: params[key] for key in ("half", "confidence", "rounds") if key in params}


class _Fitting:
    """One fit: what all ways of it share."""

    def __init__(self, tastes: Tastes, work: Path, progress: Progress, seed: int, seconds: float, threads: int) -> None:
        self.tastes, self.work, self.progress = tastes, work, progress
        self.seed, self.threads = seed, threads
        self.ends = time.monotonic() + seconds if seconds > 0 else float("inf")
        widest = WIDE if len(tastes.ords) <= WIDE_UP_TO else NARROW
        self.dim = min(widest, max(8, len(tastes.ords) // 4))

    def best(self, ways: tuple[str, ...]) -> Fitted:
        """Each way on what is left after some products are held out; the best on those."""
        left, cases = HeldOut.of(self.tastes, most=MOST_CASES, seed=self.seed)
        popular = np.bincount(left.item, left.weight, len(left.ords)).astype(np.float32)
        always = np.ones((len(cases), 1), np.float32)
        ndcg, recall = cases.ndcg(always, popular[:, None])
        metrics = {"popularity.heldout_ndcg@20": ndcg, "popularity.heldout_recall@20": recall}
        found: list[tuple[float, Factorised]] = []
        for way in (way for way in ways if self._fits(way)):
            for one in self._tried(way, left, cases):
                made, ndcg, recall = one.at_its_best(cases)
                if ndcg >= metrics.get(f"{way}.heldout_ndcg@20", -1.0):
                    metrics |= {f"{way}.heldout_ndcg@20": ndcg, f"{way}.heldout_recall@20": recall}
                found.append((ndcg, made))
        made = max(found, key=lambda one: one[0])[1]
        return self.made(made, {"way": made.way, **_choices(made)}, metrics)

    def _fits(self, way: str) -> bool:
        if way == "bpr":
            return len(self.tastes) <= BPR_MOST and time.monotonic() < self.ends
        return way == "als" or (len(self.tastes) <= LIGHTGCN_MOST and time.monotonic() < self.ends)

    def _tried(self, way: str, tastes: Tastes, cases: HeldOut) -> Iterator[Factorised]:
        if way == "als":
            for confidence in CONFIDENCES:
                self.progress(f"ALS at confidence {confidence:g}", 0, 0)
                yield fit_als(tastes, confidence, self.dim, seed=self.seed, threads=self.threads)
        elif way == "bpr":
            self.progress("BPR", 0, 0)
            yield fit_bpr(tastes, self.dim, seed=self.seed)
        else:
            yield self._lightgcn(tastes, cases, 0)

    def again(self, params: Mapping[str, Any]) -> Factorised:
        """The way that was chosen before, on everything."""
        self.progress(str(params["way"]), 0, 0)
        if params["way"] == "als":
            made = fit_als(self.tastes, float(params["confidence"]), self.dim, seed=self.seed, threads=self.threads)
        elif params["way"] == "bpr":
            made = fit_bpr(self.tastes, self.dim, seed=self.seed)
        else:
            made = self._lightgcn(self.tastes, None, int(params["rounds"]))
        return replace(made, half=float(params["half"]))

    def _lightgcn(self, tastes: Tastes, cases: HeldOut | None, rounds: int) -> Factorised:
        from aisle.learn.light import fit_lightgcn

        vectors, rounds = fit_lightgcn(
            tastes, cases, rounds=rounds, work=self.work, progress=self.progress,
            seed=self.seed, ends=self.ends, threads=self.threads,
        )  # fmt: skip
        return Factorised("lightgcn", vectors, rounds=rounds)

    def made(self, one: Factorised, params: Mapping[str, Any], metrics: Mapping[str, float]) -> Fitted:
        told = {"n_rows": len(self.tastes), "n_shoppers": self.tastes.n_shoppers, "n_items": len(self.tastes.ords)}
        return Fitted(FACTORS, one.arrays(self.tastes), params={**params, **told}, metrics=metrics)


def _choices(made: Factorised) -> dict[str, Any]:
    return {"half": made.half, "confidence": made.confidence, "rounds": made.rounds, "dim": made.items.shape[1]}


# ----------------------------------------------------- the library's two ways


def fit_als(tastes: Tastes, confidence: float, dim: int, *, seed: int, threads: int) -> Factorised:
    """Implicit alternating least squares; products that nobody else's shoppers share still get a vector."""
    from implicit.cpu.als import AlternatingLeastSquares

    matrix = tastes.matrix() * np.float32(confidence)
    penalty = REGULARISATION * confidence
    with _library():
        model = AlternatingLeastSquares(
            factors=dim, regularization=penalty, iterations=ALS_ROUNDS, num_threads=threads, random_state=seed
        )
        model.fit(matrix, show_progress=False)
    items = np.ascontiguousarray(model.item_factors, np.float32)
    gram = items.T @ items + penalty * np.eye(dim, dtype=np.float32)
    return Factorised("als", items, gram=gram, confidence=confidence)


def fit_bpr(tastes: Tastes, dim: int, *, seed: int) -> Factorised:
    """Bayesian personalised ranking, on one thread: on several it is another model each time."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    with _library():
        model = BayesianPersonalizedRanking(
            factors=dim - 1, learning_rate=BPR_RATE, regularization=BPR_REGULARISATION,
            iterations=BPR_ROUNDS, num_threads=1, random_state=seed,
        )  # fmt: skip
        model.fit(tastes.matrix(), show_progress=False)
    return Factorised("bpr", np.ascontiguousarray(model.item_factors, np.float32))


@contextmanager
def _library() -> Iterator[None]:
    """The library brings its own threads; those of the linear algebra beneath would only be in their way."""
    from implicit.recommender_base import ModelFitError
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1, "blas"):
            yield
    except ModelFitError as error:
        raise TrainingFailed(f"factors: {error}; nothing was saved. Look for absurd weights in the events") from error
