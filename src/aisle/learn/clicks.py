"""Who clicks what, of what they were shown: a Bayesian model of tastes over what products are made of.

The logit of a click is place + product + taste · product's vector. A product's
vector and its own appeal are drawn around what its category, brand, attributes
and price predict, so that one that was hardly shown borrows from its like; a
shopper's taste is drawn around nobody's in particular, and known the better the
more they did. What a list and a place in it do to a click is told apart from
what the product does: popularity that comes of being shown is none, and who
asks for a category clicks there more readily than the home page's visitors would.

A logistic matrix factorisation with features (Agarwal and Chen 2009, the
regression-based latent factor model), fitted by expectation and maximisation
under the bound of Jaakkola and Jordan (2000), which makes every step a small
least-squares problem. Departures: one variance each for products' vectors and
appeals, set and not fitted (fitted ones shrink to nothing in the mean-field
bound); the categories that a shopper asks for count as choices of their own;
started from the leading directions of shoppers' residuals.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.judged_clicks import judge, split
from aisle.learn.shown import ENGAGED, HOME, KINDS, PLACES, Shown
from aisle.learn.trials import ASK, DRAWN, N_CONTEXTS, Array, Trials, drawn_rows, shown_rows, with_categories
from aisle.types import Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

log = logging.getLogger("aisle.learn")

NAME: Final = "clicks"
N_FACTORS: Final = 20
SWEEPS: Final = 15
VECTOR_SD, APPEAL_SD, LOADING_SD, LEVEL_SD = 0.1, 0.2, 0.3, 0.3
"""Spread, in logits, of a product's vector around what its features predict, of its appeal, of what one feature
does to a vector, and of how readily a shopper clicks at all. Chosen on demo shop 101."""

APPEAL_LOADING_SD: Final = 0.4
ASKED_SD: Final = 0.5
"""Spread of how much more readily those click who asked for a category."""

LEAST_CLICKS: Final = 200
SMOOTHING: Final = 20.0
"""Clicks after which what a category's shoppers were shown is believed over what everybody was."""

_CHUNK: Final = 20_000


def fit_clicks(
    past: Interactions,
    items: ItemTable,
    *,
    shown: Shown | None = None,
    n_factors: int = N_FACTORS,
    sweeps: int = SWEEPS,
    judged: bool = False,
    seconds: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted | None:
    """Fit on what was shown or, where the log does not tell, on what was taken; None for too few clicks.

    What the fit gives is read by `retrieve.clicks.TasteOfClicks`. `seconds` ends the sweeps early (0: no limit).
    With `judged` the newest lists are not fitted on: metrics then tell how well their clicks are foretold.
    """
    has_lists = shown is not None and shown.has_lists
    n_clicks = len(past)
    if n_clicks < LEAST_CLICKS or not len(items):
        log.info("%s: %d engagements are too few, it takes %d", NAME, n_clicks, LEAST_CLICKS)
        return None
    newest: Shown | None = None
    if judged and has_lists and shown is not None:
        shown, newest = split(shown)
    rows = shown_rows(shown, items) if has_lists and shown is not None else drawn_rows(past, len(items), seed)
    model = _Model(rows, with_categories(items), n_factors, seed)
    ends = time.monotonic() + seconds if seconds else float("inf")
    try:
        model.start()
        for sweep in range(sweeps):
            model.sweep()
            if progress is not None:
                progress(f"training {NAME}", sweep + 1, sweeps)
            if time.monotonic() > ends:
                break
    except np.linalg.LinAlgError as error:
        raise TrainingFailed(f"model {NAME}: {error}; look for absurd prices in the feed") from error
    arrays = model.arrays(items)
    metrics = judge(shown, newest, *model.logits(newest)) if shown is not None and newest is not None else {}
    params = {"n_factors": n_factors, "sweeps": sweep + 1, "impressions": has_lists, "n_rows": len(rows.user)}
    return Fitted(NAME, arrays, params=params, metrics=metrics)


def earns(metrics: Mapping[str, float]) -> bool:
    """Whether tastes tell more of clicks than popularity does, by more than chance.

    Where the log has no lists to judge by, whether they tell more of the next step.
    """
    return metrics.get("auc_gain_low", metrics.get("taste.gain_low", 0.0)) > 0


class _Model:
    """The state of a fit. Shoppers' vectors are [1, level, taste…], products' [appeal, 1, vector…]."""

    def __init__(self, rows: Trials, features: Array, n_factors: int, seed: int) -> None:
        self.rows, self.features, self.k = rows, features, n_factors
        self.n_users, self.n_items = int(rows.user.max()) + 1, len(features)
        width = n_factors + 2
        self.users = np.zeros((self.n_users, width), np.float32)
        self.users[:, 0] = 1
        self.spread = np.zeros((self.n_users, width, width), np.float32)
        self.spread[:, range(1, width), range(1, width)] = 1
        self.spread[:, 1, 1] = LEVEL_SD**2
        self.items = np.zeros((self.n_items, width), np.float32)
        self.items[:, 1] = 1
        trials = np.bincount(rows.context, rows.trials, N_CONTEXTS) + 2
        hits = np.bincount(rows.context, rows.successes, N_CONTEXTS) + 0.3
        self.offset = np.log(hits / np.maximum(trials - hits, 0.1)).astype(np.float32)
        self.asked = np.zeros(int(rows.asked.max(initial=0)) + 1, np.float32)
        self.seed = seed
        gram = features.T @ features
        eye = np.eye(gram.shape[0], dtype=np.float32)
        self.ridge_appeal = np.linalg.inv(gram / APPEAL_SD**2 + eye / APPEAL_LOADING_SD**2) / APPEAL_SD**2
        self.ridge_vector = np.linalg.inv(gram / VECTOR_SD**2 + eye / LOADING_SD**2) / VECTOR_SD**2
        self.own = [0, *range(2, width)]

    def _sums(self, values: Array, of: Array, *, by_item: bool = False) -> Array:
        """For each user (or item) the rows' values times what `of` has in the row of the other side."""
        from scipy.sparse import csr_matrix

        rows = self.rows
        if by_item:
            table: csr_matrix = csr_matrix((values, (rows.item, rows.user)), (self.n_items, self.n_users))
        else:
            table = csr_matrix((values, (rows.user, rows.item)), (self.n_users, self.n_items))
        found: Array = np.asarray(table @ of, np.float32)
        return found

    # ---------------------------------------------------------------- start

    def start(self) -> None:
        """Appeals without tastes, then the directions in which shoppers depart from them most."""
        rows, features = self.rows, self.features
        appeal = np.zeros(self.n_items, np.float32)
        p = np.empty(0, np.float32)
        for _ in range(10):
            p = _sigmoid(self._offsets() + appeal[rows.item])
            weight = np.bincount(rows.item, rows.trials * p * (1 - p), self.n_items)
            slope = np.bincount(rows.item, rows.successes - rows.trials * p, self.n_items)
            prior = features @ (self.ridge_appeal @ (features.T @ appeal)) / APPEAL_SD**2
            appeal = ((weight * appeal + slope + prior) / (weight + 1 / APPEAL_SD**2)).astype(np.float32)
            p = _sigmoid(self._offsets() + appeal[rows.item])
            error, certain = rows.successes - rows.trials * p, rows.trials * p * (1 - p)
            self.offset += _ratio(rows.context, error, certain, N_CONTEXTS, 1.0)
            pull = -self.asked / ASKED_SD**2
            self.asked += _ratio(rows.asked, error, certain, len(self.asked), 1 / ASKED_SD**2, pull)
            self.asked[0] = 0
        residual = self._sums(rows.successes - rows.trials * p, features)
        certain = self._sums(rows.trials * p * (1 - p), features**2)
        scaled = residual / np.sqrt(certain.sum(1, keepdims=True) + 2) / np.sqrt(certain.sum(0) + 20)
        _, directions = np.linalg.eigh((scaled.T @ scaled).astype(np.float64))
        k = min(self.k, directions.shape[1])
        loadings = np.zeros((features.shape[1], self.k), np.float32)
        loadings[:, :k] = directions[:, ::-1][:, :k]
        if k < self.k:
            loadings[:, k:] = np.random.default_rng(self.seed).normal(0, 0.01, (len(loadings), self.k - k))
        sd = (features @ loadings).std(axis=0)
        loadings *= 0.25 / np.maximum(sd, 1e-3)
        self.items[:, 0] = appeal
        self.items[:, 2:] = features @ loadings
        self._update_users(*self._bound())

    # ---------------------------------------------------------------- sweeps

    def sweep(self) -> None:
        """Shoppers given products, products given shoppers, places given both."""
        self._update_users(*self._bound())
        weight, pull = self._bound()
        self._update_items(weight, pull)
        rows = self.rows
        mean = self._means()
        error = rows.successes - rows.trials / 2 - weight * mean
        self.offset = _ratio(rows.context, error - weight * self.asked[rows.asked], weight, N_CONTEXTS, 1e-3)
        error -= weight * self.offset[rows.context]
        self.asked = _ratio(rows.asked, error, weight, len(self.asked), 1 / ASKED_SD**2)
        self.asked[0] = 0
        self._standardise()

    def _offsets(self) -> Array:
        """What the list and the place do to each row's logit."""
        found: Array = self.offset[self.rows.context] + self.asked[self.rows.asked]
        return found

    def _means(self) -> Array:
        rows, mean = self.rows, np.empty(len(self.rows.user), np.float32)
        for at in range(0, len(mean), _CHUNK):
            part = slice(at, at + _CHUNK)
            mean[part] = np.einsum("ij,ij->i", self.users[rows.user[part]], self.items[rows.item[part]])
        return mean

    def _bound(self) -> tuple[Array, Array]:
        """The bound's weight of each row, and what it pulls a logit by beside the weight: float32[n] each."""
        rows = self.rows
        mean, offset = self._means(), self._offsets()
        variance = np.empty(len(mean), np.float32)
        for at in range(0, len(mean), _CHUNK):
            part = slice(at, at + _CHUNK)
            vectors = self.items[rows.item[part]]
            spread = self.spread[rows.user[part]]
            variance[part] = np.einsum("ij,ij->i", np.einsum("ij,ijk->ik", vectors, spread), vectors)
        xi = np.sqrt(np.maximum((mean + offset) ** 2 + variance, 1e-6))
        weight = rows.trials * np.tanh(xi / 2) / (2 * xi)
        return weight, rows.successes - rows.trials / 2 - weight * offset

    def _update_users(self, weight: Array, pull: Array) -> None:
        precision, right = self._products(weight, pull)
        prior = np.diag(np.array([1 / LEVEL_SD**2, *[1.0] * self.k], np.float32))
        self.spread[:] = 0
        for at in range(0, self.n_users, _CHUNK):
            part = slice(at, at + _CHUNK)
            inverse = np.linalg.inv(precision[part] + prior)
            self.spread[part, 1:, 1:] = inverse
            self.users[part, 1:] = np.einsum("nij,nj->ni", inverse, right[part])

    def _products(self, weight: Array, pull: Array) -> tuple[Array, Array]:
        """Precision float32[users, k + 1, k + 1] and right-hand side of each shopper's least squares."""
        width = self.k + 2
        squares = (self.items[:, :, None] * self.items[:, None, :]).reshape(self.n_items, -1)
        precision = self._sums(weight, squares).reshape(self.n_users, width, width)
        right = self._sums(pull, self.items)
        return precision[:, 1:, 1:], right[:, 1:] - precision[:, 1:, 0]

    def _update_items(self, weight: Array, pull: Array) -> None:
        own, features, width = self.own, self.features, self.k + 2
        squares = (self.spread + self.users[:, :, None] * self.users[:, None, :]).reshape(self.n_users, -1)
        sums = self._sums(weight, squares, by_item=True).reshape(self.n_items, width, width)
        right = self._sums(pull, self.users, by_item=True)[:, own] - sums[:, own, 1]
        prior = np.array([1 / APPEAL_SD**2, *[1 / VECTOR_SD**2] * self.k], np.float32)
        inverse = np.linalg.inv(sums[:, own][:, :, own] + np.diag(prior))
        found = self.items[:, own]
        # What features predict and what products are, in turns: cheap, and a sweep goes further.
        for _ in range(8):
            predicted = np.empty_like(found)
            predicted[:, 0] = features @ (self.ridge_appeal @ (features.T @ found[:, 0]))
            predicted[:, 1:] = features @ (self.ridge_vector @ (features.T @ found[:, 1:]))
            found = np.einsum("nij,nj->ni", inverse, right + prior * predicted).astype(np.float32)
        self.items[:, own] = found

    def _standardise(self) -> None:
        """Tastes have covariance 1 by definition: what they lack in spread is the vectors'."""
        taste = self.users[:, 2:]
        covariance = self.spread[:, 2:, 2:].mean(0) + taste.T @ taste / self.n_users
        root = np.linalg.cholesky(covariance.astype(np.float64) + 1e-6 * np.eye(self.k))
        inverse = np.linalg.inv(root).astype(np.float32)
        self.users[:, 2:] = taste @ inverse.T
        turn = np.eye(self.k + 2, dtype=np.float32)
        turn[2:, 2:] = inverse
        self.spread = (turn @ self.spread @ turn.T).astype(np.float32)
        self.items[:, 2:] = self.items[:, 2:] @ root.astype(np.float32)

    # ---------------------------------------------------------------- result

    def logits(self, shown: Shown) -> tuple[Array, Array]:
        """What shopper and product, and what the place, do to each row's logit: float32[n] each."""
        users = np.zeros((len(shown), self.k + 2), np.float32)
        users[:, 0] = 1
        known = shown.visitor < self.n_users
        users[known] = self.users[shown.visitor[known]]
        tastes = np.einsum("ij,ij->i", users, self.items[shown.ords])
        return tastes, self.offset[shown.kind.astype(np.int32) * PLACES + shown.place]

    def arrays(self, items: ItemTable) -> dict[str, Array | NDArray[np.int32]]:
        """What serving needs: products, and what a click says besides which product it was.

        Where serving knows what a shopper took, but not what else they saw, a click
        of a category stands for as much of what was shown there, and of home pages,
        as came with one on average.
        """
        rows, n, k = self.rows, len(items), self.k
        weight, _ = self._bound()
        vectors = self.items[:, 2:]
        passed = rows.trials / 2 + weight * (self._offsets() + self.items[rows.item, 0])
        kind = rows.context // PLACES
        is_ask, is_kept = rows.context == ASK, kind == ENGAGED
        is_shown = ~is_ask & ~is_kept
        code = np.where(rows.item < n, items.category[np.minimum(rows.item, n - 1)], -1)
        n_codes = len(items.categories)

        def told(chosen: NDArray[np.bool_], by: NDArray[np.int32], size: int) -> tuple[Array, Array, Array]:
            """Clicks, information float32[size, k, k] and pull float32[size, k] of the chosen rows."""
            hits = np.bincount(by[chosen], rows.successes[chosen], size).astype(np.float32)
            table = _by_group(by[chosen], rows.item[chosen], size, self.n_items)
            squares = (vectors[:, :, None] * vectors[:, None, :]).reshape(self.n_items, -1)
            information = table(weight[chosen]) @ squares
            return hits, information.reshape(size, k, k), table(passed[chosen]) @ vectors

        nowhere = np.zeros(len(rows.item), np.int32)
        everywhere = rows.asked == 0
        n_clicks = max(1.0, float(rows.successes[is_shown].sum()))
        _, home_information, home_pull = told(is_shown & everywhere, nowhere, 1)
        hits, information, pull = told(is_shown & ~everywhere, (code + 1).astype(np.int32), n_codes + 1)
        total = max(1.0, float(hits.sum()))
        share = (hits + SMOOTHING)[:, None, None]
        information = (information + SMOOTHING * information.sum(0) / total) / share + home_information / n_clicks
        pull = (pull + SMOOTHING * pull.sum(0) / total) / share[:, 0] + home_pull / n_clicks
        asks, ask_information, ask_pull = told(is_ask, nowhere, 1)
        first = HOME * PLACES if is_shown.any() and (rows.context[is_shown] != DRAWN).any() else DRAWN
        return {
            "vectors": vectors[:n].astype(np.float32),
            "appeal": self.items[:n, 0].astype(np.float32),
            "category": items.category.astype(np.int32),
            "information": information.astype(np.float32),
            "pull": pull.astype(np.float32),
            "ask_vectors": vectors[n:].astype(np.float32),
            "ask_information": (ask_information[0] / max(1.0, asks[0])).astype(np.float32),
            "ask_pull": (ask_pull[0] / max(1.0, asks[0])).astype(np.float32),
            "offset": np.array([self.offset[first], self.offset[ENGAGED * PLACES]], np.float32),
            "offsets": (
                self.offset[: KINDS * PLACES].reshape(KINDS, PLACES)[:ENGAGED]
                if first != DRAWN
                else np.zeros((0, PLACES), np.float32)
            ),
            "asked_offsets": np.pad(self.asked, (0, n_codes + 1 - len(self.asked))).astype(np.float32),
            "level_sd": np.array([LEVEL_SD], np.float32),
            "kept_weight": np.array([weight[is_kept].mean() if is_kept.any() else 0.0], np.float32),
        }


def _by_group(
    group: NDArray[np.int32], item: NDArray[np.int32], n_groups: int, n_items: int
) -> Callable[[Array], csr_matrix]:
    """Makes of values by row a table of their sums, groups by items."""
    from scipy.sparse import csr_matrix

    def table(values: Array) -> csr_matrix:
        return csr_matrix((values, (group, item)), (n_groups, n_items))

    return table


def _ratio(
    codes: NDArray[np.int32], error: Array, weight: Array, size: int, prior: float, pull: Array | float = 0.0
) -> Array:
    """Sum of errors over sum of weights by code, drawn to 0 by `prior`."""
    found = (np.bincount(codes, error, size) + pull) / (np.bincount(codes, weight, size) + prior)
    return found.astype(np.float32)


def _sigmoid(x: Array) -> Array:
    found: Array = (1 / (1 + np.exp(-x))).astype(np.float32)
    return found
