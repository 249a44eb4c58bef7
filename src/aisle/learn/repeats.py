"""Going back: whether a shopper's next step is a product of their own past, and which.

Some shops live by it, in others it never happens, so it is learnt: a conditional
logit (McFadden 1974) between the products of a shopper's own steps and "something
new". Its probabilities are calibrated as they are. Repeat consumption depends
most on how long ago a product was had (Anderson, Kumar, Tomkins, Vassilvitskii
2014); here also on how often, how strongly, in which session, the product's and
its category's own rate of return, and the shopper's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.types import Ords, Progress, Scores

log = logging.getLogger("aisle.learn")

NAME: Final = "repeats"
WINDOW: Final = 50
"""Newest steps of a shopper whose products may be gone back to."""

MOST_CASES: Final = 40_000
LEAST_CASES: Final = 200
LEAST_RETURNS: Final = 20
PRIOR: Final = 20.0
"""Opportunities that a product's or category's rate is shrunk by."""

FOLDS: Final = 5
"""Parts of the cases; the rates that a case is fitted with are counted on the other parts."""

RIDGE: Final = 1.0
MINUTE_MS: Final = 60_000

_BACK: Final = np.array([0, 1, 2, 3, 5, 9, 17])
"""Steps back: where each kind of distance begins."""
_MINUTES: Final = np.array([0, 5, 30, 360, 1440, 4320, 10_080, 30_240, 86_400])
"""Minutes since: where each kind of absence begins."""
_STRONG: Final = (2.0, 3.0, 5.0)
"""Strengths from a share or wish, a cart, and a purchase on."""

N_FEATURES: Final = len(_BACK) + len(_MINUTES) + len(_STRONG) + 6
N_CONTEXT: Final = 5


class Candidates(NamedTuple):
    """The products of a shopper's own steps, newest first.

    `ords` int32[c], `features` float64[c, N_FEATURES] without the rates of
    return, `context` float64[N_CONTEXT] speaks for something new.
    """

    ords: Ords
    features: NDArray[np.float64]
    context: NDArray[np.float64]


def candidates(
    steps: Ords,
    times_ms: NDArray[np.int64],
    strengths: Scores,
    n_session: int,
    now_ms: int,
    *,
    timed: bool,
    reloads: bool,
) -> Candidates:
    """What may be gone back to, of steps int32[n] oldest first; without `reloads` not the last step of this session."""
    first_kept = max(0, len(steps) - WINDOW)
    newest = steps[first_kept:][::-1]
    times, strong = times_ms[first_kept:][::-1], strengths[first_kept:][::-1]
    unique, first, inverse, counts = np.unique(newest, return_index=True, return_inverse=True, return_counts=True)
    strongest = np.zeros(len(unique))
    np.maximum.at(strongest, inverse, strong)
    order = np.argsort(first)
    back, counts, strongest = first[order], counts[order], strongest[order]
    features = np.zeros((len(back), N_FEATURES))
    rows = np.arange(len(back))
    features[rows, np.searchsorted(_BACK, back, "right") - 1] = 1
    at = len(_BACK)
    if timed:
        minutes = np.maximum(0, now_ms - times[back]) / MINUTE_MS
        features[rows, at + np.searchsorted(_MINUTES, minutes, "right") - 1] = 1
    at += len(_MINUTES)
    for n, strength in enumerate(_STRONG):
        features[:, at + n] = strongest >= strength
    at += len(_STRONG)
    features[:, at] = np.log(counts)
    features[:, at + 1] = (back < n_session) & (n_session < len(newest))
    # What followed the last product before: from there to and fro.
    followed = np.bincount(inverse[:-1][newest[1:] == newest[0]], minlength=len(unique))
    features[:, at + 2] = np.log1p(followed[order])
    features[:, at + 3] = back == len(newest) - 1
    n_distinct, n_steps = len(back), len(newest)
    context = np.array(
        [1.0, np.log(n_distinct), 1 - n_distinct / n_steps, float(n_steps == 1), float(counts[0] > 1)], np.float64
    )
    ords = newest[back]
    if not reloads and n_session > 0:
        return Candidates(ords[1:], features[1:], context)
    return Candidates(ords, features, context)


@dataclass(frozen=True, slots=True)
class Repeating:
    """The fitted model. `weights` float64[N_FEATURES + N_CONTEXT]; the rates are log-odds against the shop's own.

    `item_rates` and `category_rates` float32[n_ords], by ord: the category's
    stands at each of its products.
    """

    weights: NDArray[np.float64]
    item_rates: NDArray[np.float32]
    category_rates: NDArray[np.float32]
    timed: bool
    reloads: bool
    shop_rate: float

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        timed, reloads = (bool(value) for value in arrays["flags"])
        return cls(
            arrays["weights"], arrays["item_rates"], arrays["category_rates"], timed, reloads,
            float(arrays["shop_rate"][0]),
        )  # fmt: skip

    def foretell(
        self, steps: Ords, times_ms: NDArray[np.int64], strengths: Scores, n_session: int, now_ms: int
    ) -> tuple[Ords, Scores]:
        """Products of the shopper's own steps with the probability that each is the next step, best first.

        `steps` int32[n] oldest first, when int64[n] and how strongly float32[n]
        each was taken, the last `n_session` of them in the session going on.
        """
        if not len(steps):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        ords, features, context = candidates(
            steps, times_ms, strengths, n_session, now_ms, timed=self.timed, reloads=self.reloads
        )
        features[:, -2] = _by_ord(self.item_rates, ords)
        features[:, -1] = _by_ord(self.category_rates, ords)
        says = features @ self.weights[:N_FEATURES]
        new = float(context @ self.weights[N_FEATURES:])
        top = max(new, float(says.max())) if len(says) else new
        odds = np.exp(says - top)
        chance = odds / (odds.sum() + np.exp(new - top))
        order = np.argsort(-chance, kind="stable")
        return ords[order], chance[order].astype(np.float32)

    def rate(self, steps: Ords, times_ms: NDArray[np.int64], strengths: Scores, n_session: int, now_ms: int) -> float:
        """The probability that the shopper's next step is any product of their own past."""
        return float(self.foretell(steps, times_ms, strengths, n_session, now_ms)[1].sum())


def _by_ord(values: NDArray[np.float32], ords: Ords) -> NDArray[np.float32]:
    """Of each ord; 0 for one beyond."""
    known = (ords >= 0) & (ords < len(values))
    return (
        np.where(known, values[np.where(known, ords, 0)], np.float32(0))
        if len(values)
        else np.zeros(len(ords), np.float32)
    )


# -------------------------------------------------------------------- fitting


class _Rows(NamedTuple):
    """Every candidate of every case: `case` int64[r] counts up, `chosen` bool[r] marks what came."""

    case: NDArray[np.int64]
    ords: Ords
    features: NDArray[np.float64]
    context: NDArray[np.float64]
    chosen: NDArray[np.bool_]


def fit_repeats(
    past: Interactions,
    items: ItemTable | None = None,
    *,
    reloads: bool = True,
    work: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Fitted | None:
    """Learns who goes back to what; None with too little to learn from.

    Without `reloads`, opening again what was opened last in the same session is
    not counted: it is no choice. `metrics` are of the newest fifth of the
    cases, which the fit that made them had not seen.
    """
    at = _cases(past, reloads, seed)
    if len(at) < LEAST_CASES:
        log.info("repeats: %d steps to learn from, %d are needed", len(at), LEAST_CASES)
        return None
    timed = int(past.time_ms.max()) > 10**9  # else times are places in a list
    rows = _rows(past, at, timed=timed, reloads=reloads, progress=progress)
    n_ords = max(past.n_ords, len(items) if items is not None else 0)
    category = items.category if items is not None else np.empty(0, np.int32)
    n_past = int(0.8 * len(at))
    old = _take(rows, rows.case < n_past)
    early = _fitted(old, n_past, n_ords, category, timed, reloads)
    new = _take(rows, rows.case >= n_past)
    metrics = _measured(early, new, n_past, len(at))
    final = _fitted(rows, len(at), n_ords, category, timed, reloads)
    arrays: dict[str, np.ndarray] = {
        "weights": final.weights,
        "item_rates": final.item_rates,
        "category_rates": final.category_rates,
        "flags": np.array([timed, reloads]),
        "shop_rate": np.array([final.shop_rate]),
    }
    return Fitted(NAME, arrays, params={"timed": timed, "reloads": reloads}, metrics=metrics)


def _cases(past: Interactions, reloads: bool, seed: int) -> NDArray[np.int64]:
    """Rows of `past` that had steps before them, by time: of too many, a draw from the newer half."""
    if not len(past):
        return np.empty(0, np.int64)
    later = np.concatenate([[False], past.visitor[1:] == past.visitor[:-1]])
    if not reloads:
        later[1:] &= (past.ords[1:] != past.ords[:-1]) | (past.session[1:] != past.session[:-1])
    at = np.flatnonzero(later)
    began = past.time_ms if past.time_ms[past.starts(past.visitor)[:-1]].any() else past.visitor
    at = at[np.argsort(began[at], kind="stable")]
    if len(at) > MOST_CASES:
        newer = at[-max(MOST_CASES, len(at) // 2) :]
        at = newer[np.sort(np.random.default_rng(seed).choice(len(newer), MOST_CASES, replace=False))]
    return at


def _rows(past: Interactions, at: NDArray[np.int64], *, timed: bool, reloads: bool, progress: Progress | None) -> _Rows:
    starts = past.starts(past.visitor)
    begins = starts[np.searchsorted(starts, at, "right") - 1]
    session_starts = past.starts(past.session)
    session_begins = session_starts[np.searchsorted(session_starts, at, "right") - 1]
    parts: list[Candidates] = []
    for n, (i, begin, session) in enumerate(zip(at.tolist(), begins.tolist(), session_begins.tolist(), strict=True)):
        before = slice(max(begin, i - WINDOW), i)
        steps, times_ms, strengths = past.ords[before], past.time_ms[before], past.strength[before]
        n_session, now_ms = min(i - session, len(steps)), int(past.time_ms[i])
        parts.append(candidates(steps, times_ms, strengths, n_session, now_ms, timed=timed, reloads=reloads))
        if progress is not None and n % 5000 == 0:
            progress("reading who went back", n, len(at))
    sizes = np.array([len(part.ords) for part in parts])
    case = np.repeat(np.arange(len(at)), sizes)
    ords = np.concatenate([part.ords for part in parts])
    return _Rows(
        case,
        ords,
        np.concatenate([part.features for part in parts]),
        np.stack([part.context for part in parts]),
        ords == past.ords[at][case],
    )


def _take(rows: _Rows, kept: NDArray[np.bool_]) -> _Rows:
    return _Rows(rows.case[kept], rows.ords[kept], rows.features[kept], rows.context, rows.chosen[kept])


def _fitted(
    rows: _Rows, n_cases: int, n_ords: int, category: NDArray[np.int32], timed: bool, reloads: bool
) -> Repeating:
    """The rates, then the weights. While fitting, a case's own outcome is left out of its rates."""
    group = np.full(n_ords, -1, np.int64)
    group[: min(n_ords, len(category))] = category[:n_ords]
    codes = group[rows.ords]
    mean = max(float(rows.chosen.mean()), 1e-6) if len(rows.chosen) else 1e-6
    features = rows.features
    features[:, -2], item_rates = _rates(rows.ords.astype(np.int64), rows.case, rows.chosen, n_ords, mean)
    features[:, -1], of_code = _rates(codes, rows.case, rows.chosen, int(group.max(initial=-1)) + 1, mean)
    weights = _logit(rows, n_cases)
    category_rates = np.where(group >= 0, of_code[group], 0) if len(of_code) else np.zeros(n_ords)
    shop_rate = float(rows.chosen.sum()) / max(1, n_cases)
    return Repeating(
        weights, item_rates.astype(np.float32), category_rates.astype(np.float32), timed, reloads, shop_rate
    )


def _rates(
    codes: NDArray[np.int64], case: NDArray[np.int64], chosen: NDArray[np.bool_], n: int, mean: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log of each code's shrunk rate of return against the mean: float64[rows] of the other folds, float64[n]."""
    if n <= 0:
        return np.zeros(len(codes)), np.zeros(0)
    known = np.flatnonzero(codes >= 0)
    cells = (case[known] % FOLDS) * n + codes[known]
    tried = np.bincount(cells, minlength=FOLDS * n).astype(np.float64)
    returned = np.bincount(cells, chosen[known], minlength=FOLDS * n)
    all_tried, all_returned = tried.reshape(FOLDS, n).sum(0), returned.reshape(FOLDS, n).sum(0)
    others = np.zeros(len(codes))
    at = codes[known]
    others[known] = _log_rate(all_returned[at] - returned[cells], all_tried[at] - tried[cells], mean)
    return others, _log_rate(all_returned, all_tried, mean)


def _log_rate(returned: NDArray[np.float64], tried: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    rate: NDArray[np.float64] = np.log((returned + PRIOR * mean) / (tried + PRIOR) / mean)
    return rate


def _logit(rows: _Rows, n_cases: int) -> NDArray[np.float64]:
    """Weights float64[N_FEATURES + N_CONTEXT] of greatest likelihood under a ridge, by Newton's method."""
    case, context = rows.case, rows.context[:n_cases]
    came_new = 1.0 - np.bincount(case, rows.chosen, minlength=n_cases)
    n = N_FEATURES + N_CONTEXT
    weights = np.zeros(n)
    observed = np.concatenate([rows.features[rows.chosen].sum(axis=0), came_new @ context])
    best = -np.inf
    step = np.zeros(n)
    for _ in range(25):
        # Probability of each row, and of something new, in each case.
        says, new = rows.features @ weights[:N_FEATURES], context @ weights[N_FEATURES:]
        top = np.maximum(new, 0)
        np.maximum.at(top, case, says)
        odds, new_odds = np.exp(says - top[case]), np.exp(new - top)
        total = np.bincount(case, odds, minlength=n_cases) + new_odds
        likelihood = float(
            (says - top[case] - np.log(total[case]))[rows.chosen].sum()
            + came_new @ (new - top - np.log(total))
            - RIDGE / 2 * weights @ weights
        )
        if likelihood < best - 1e-9:
            step /= 2  # too far
            weights -= step
            continue
        chance, new_chance = odds / total[case], new_odds / total
        weighted = rows.features * chance[:, None]
        mean = np.zeros((n_cases, n))
        begins = np.flatnonzero(np.diff(case, prepend=-1))
        mean[case[begins], :N_FEATURES] = np.add.reduceat(weighted, begins, axis=0)
        mean[:, N_FEATURES:] = context * new_chance[:, None]
        gradient = observed - mean.sum(axis=0) - RIDGE * weights
        curvature = RIDGE * np.eye(n) - mean.T @ mean
        curvature[:N_FEATURES, :N_FEATURES] += weighted.T @ rows.features
        curvature[N_FEATURES:, N_FEATURES:] += (context * new_chance[:, None]).T @ context
        gained, best = likelihood - best, likelihood
        step = np.linalg.solve(curvature, gradient)
        if gained < 1e-6 * n_cases:
            break
        weights = weights + step
    return weights


def _measured(model: Repeating, rows: _Rows, begin: int, end: int) -> dict[str, float]:
    """On cases not fitted on: recall@20 and MRR@20 over all of them, and the promised against the real share."""
    features = rows.features.copy()
    features[:, -2] = _by_ord(model.item_rates, rows.ords)
    features[:, -1] = _by_ord(model.category_rates, rows.ords)
    says = features @ model.weights[:N_FEATURES]
    new = rows.context @ model.weights[N_FEATURES:]
    case = rows.case - begin
    odds = np.exp(np.clip(says - new[rows.case], -50, 50))
    total = np.bincount(case, odds, minlength=end - begin) + 1
    order = np.lexsort((-says, case))
    place = np.arange(len(order)) - np.searchsorted(case[order], case[order])
    hit = np.flatnonzero(rows.chosen[order] & (place < 20))
    return {
        "cases": float(end - begin),
        "recall@20": len(hit) / (end - begin),
        "mrr@20": float((1 / (place[hit] + 1)).sum()) / (end - begin),
        "rate": float(rows.chosen.sum()) / (end - begin),
        "rate_foretold": float((1 - 1 / total).mean()),
    }


def earns(metrics: Mapping[str, Any]) -> bool:
    """Whether shoppers go back at all here."""
    return float(metrics.get("rate", 0.0)) * float(metrics.get("cases", 0.0)) >= LEAST_RETURNS
