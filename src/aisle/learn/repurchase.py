"""Buying again: how soon shoppers need more of what they bought, by product, by category, and in the whole shop.

The time between two purchases of one product by one shopper is log-logistic;
its median and how often it happens at all are shrunk from the product to its
category and from there to the shop (Bhagat, Muralidharan, Lobzhanidze,
Vishwanath 2018 compare such models; a modified Poisson-Gamma was theirs). A
product is due by the probability that it is bought within the next days, given
that it was not until now.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.types import Ords, Progress, Scores

log = logging.getLogger("aisle.learn")

NAME: Final = "buy_again"
DAY_MS: Final = 86_400_000
LEAST_GAP_MS: Final = DAY_MS // 2
"""Purchases nearer than this are one: an order that was split."""

LEAST_RETURNS: Final = 30
LEAST_SHARE: Final = 0.005
"""Purchases followed by another one of the same, below which a shop does not live by it."""

PRIOR: Final = 10.0
HORIZON_DAYS: Final = 7.0


@dataclass(frozen=True, slots=True)
class Repurchasing:
    """The fitted model, by ord: `median_log` float32[n] is the log of the days in which half of those who buy again
    have done so, `share` float32[n] how many ever do; `spread` of the log days is the shop's."""

    median_log: NDArray[np.float32]
    share: NDArray[np.float32]
    spread: float

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["median_log"], arrays["share"], float(arrays["spread"][0]))

    def due(self, ords: Ords, bought_ms: NDArray[np.int64], now_ms: int) -> Scores:
        """float32[n]: the probability that each is bought within a week, last bought then and not since."""
        chances = np.zeros(len(ords), np.float32)
        known = (ords >= 0) & (ords < len(self.share))
        at = ords[known]
        days = np.maximum(now_ms - bought_ms[known], LEAST_GAP_MS) / DAY_MS
        before, after = (self._done(at, days + more) for more in (0.0, HORIZON_DAYS))
        share = self.share[at]
        chances[known] = share * (after - before) / (1 - share * before)
        return chances

    def _done(self, at: Ords, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of those who buy again that have by then."""
        done: NDArray[np.float64] = 1 / (1 + np.exp(-(np.log(days) - self.median_log[at]) / self.spread))
        return done


def fit_repurchase(
    past: Interactions,
    items: ItemTable | None = None,
    *,
    work: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Fitted | None:
    """Learns when what was bought is bought again; None where that is rare.

    A purchase that was not followed by another of the same counts only as far
    as it had the time: one of yesterday says nothing of who never comes back.
    """
    visitor, ords, time_ms = _purchases(past)
    n_ords = max(past.n_ords, len(items) if items is not None else 0)
    group = np.full(n_ords, -1, np.int64)
    if items is not None:
        group[: len(items.category)] = items.category
    arrays = _fitted(visitor, ords, time_ms, group)
    if arrays is None:
        return None
    same = _same(visitor, ords)
    metrics = {"purchases": float(len(ords)), "returns": float(same.sum()), **_measured(visitor, ords, time_ms, group)}
    return Fitted(NAME, arrays, metrics=metrics)


def earns(metrics: Mapping[str, float]) -> bool:
    """Whether what it calls due is bought sooner than the rest, by more than chance."""
    return metrics.get("auc_low", 0.0) > 0.5


_Columns: TypeAlias = tuple[NDArray[np.int32], Ords, NDArray[np.int64]]


def _purchases(past: Interactions) -> _Columns:
    """Visitor, ord and time of each purchase, sorted; of an order that came in parts, the first part stands for it."""
    rows = np.flatnonzero(past.bought)
    visitor, ords, time_ms = past.visitor[rows], past.ords[rows], past.time_ms[rows]
    order = np.lexsort((time_ms, ords, visitor))
    visitor, ords, time_ms = visitor[order], ords[order], time_ms[order]
    own = np.ones(len(ords), bool)
    own[1:] = ~_same(visitor, ords) | (np.diff(time_ms) >= LEAST_GAP_MS)
    return visitor[own], ords[own], time_ms[own]


def _same(visitor: NDArray[np.int32], ords: Ords) -> NDArray[np.bool_]:
    """bool[n - 1]: whether the next purchase is of the same product by the same visitor."""
    same: NDArray[np.bool_] = (visitor[1:] == visitor[:-1]) & (ords[1:] == ords[:-1])
    return same


def _fitted(
    visitor: NDArray[np.int32], ords: Ords, time_ms: NDArray[np.int64], group: NDArray[np.int64]
) -> dict[str, np.ndarray] | None:
    same = _same(visitor, ords)
    n_returns = int(same.sum())
    if n_returns < LEAST_RETURNS or n_returns < LEAST_SHARE * len(ords):
        log.info("buy_again: %d of %d purchases were followed by another of the same: too few", n_returns, len(ords))
        return None
    days_log = np.log(np.diff(time_ms)[same] / DAY_MS)
    shop_median = float(np.median(days_log))
    # Robust: the distance between the quartiles of a logistic distribution is twice its scale times log 3.
    spread = max(0.1, float(np.subtract(*np.quantile(days_log, [0.75, 0.25]))) / (2 * np.log(3)))
    median_log = _shrunk(ords[:-1][same], days_log, np.ones(n_returns), group, shop_median)
    # How much of the time to come back a purchase without a return has had.
    last = np.concatenate([~same, [True]])
    had_days = np.maximum(int(time_ms.max()) - time_ms, LEAST_GAP_MS) / DAY_MS
    exposure = np.where(last, 1 / (1 + np.exp(-(np.log(had_days) - median_log[ords]) / spread)), 1.0)
    exposure = np.maximum(exposure, 1e-6)
    share = _shrunk(ords, (~last) / exposure, exposure, group, n_returns / float(exposure.sum()))
    return {
        "median_log": median_log.astype(np.float32),
        "share": np.clip(share, 0, 0.98).astype(np.float32),
        "spread": np.array([spread]),
    }


def _measured(
    visitor: NDArray[np.int32], ords: Ords, time_ms: NDArray[np.int64], group: NDArray[np.int64]
) -> dict[str, float]:
    """Fitted on the first four fifths: what was bought in the days after them, against what was foretold.

    `auc`: how often something that was bought again had been called more due than something that was not.
    """
    cut = int(np.quantile(time_ms, 0.8))
    old, soon = time_ms < cut, (time_ms >= cut) & (time_ms < cut + HORIZON_DAYS * DAY_MS)
    arrays = _fitted(visitor[old], ords[old], time_ms[old], group)
    if arrays is None:
        return {}
    last = np.flatnonzero(np.append(~_same(visitor[old], ords[old]), True))
    foretold = Repurchasing.of(arrays).due(ords[old][last], time_ms[old][last], cut)
    n_ords = len(group)
    keys = visitor[old][last].astype(np.int64) * n_ords + ords[old][last]
    came = np.isin(keys, visitor[soon].astype(np.int64) * n_ords + ords[soon])
    n_came, n = int(came.sum()), len(came)
    if not 0 < n_came < n:
        return {}
    _, place, counts = np.unique(foretold, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # of equals, the middle
    auc = float(rank[came].sum() - n_came * (n_came + 1) / 2) / (n_came * (n - n_came))
    low = auc - 1.96 * float(np.sqrt(auc * (1 - auc) / n_came))
    return {"auc": auc, "auc_low": low, "rate": n_came / n, "rate_foretold": float(foretold.mean())}


def _shrunk(
    ords: Ords, values: NDArray[np.float64], weights: NDArray[np.float64], group: NDArray[np.int64], shop: float
) -> NDArray[np.float64]:
    """The weighted mean of the values of each ord, drawn to that of its group, and that to the shop's: float64[n]."""
    n_ords, n_groups = len(group), int(group.max(initial=-1)) + 1
    totals, counts = np.bincount(ords, values * weights, n_ords), np.bincount(ords, weights, n_ords)
    if n_groups:
        known = group >= 0
        of_totals = np.bincount(group[known], totals[known], n_groups)
        of_counts = np.bincount(group[known], counts[known], n_groups)
        of_group = (of_totals + PRIOR * shop) / (of_counts + PRIOR)
        towards = np.where(known, of_group[np.where(known, group, 0)], shop)
    else:
        towards = np.full(n_ords, shop)
    shrunk: NDArray[np.float64] = (totals + PRIOR * towards) / (counts + PRIOR)
    return shrunk
