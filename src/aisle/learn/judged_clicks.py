"""Whether tastes tell who clicks what: in the newest lists, against how often everybody clicked a product."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.shown import HOME, Shown

Array = NDArray[np.float32]

HELD_OUT: Final = 0.1
"""Share of the rows, the newest, that a model is judged on and not fitted on."""

LEAST_LISTS: Final = 50
"""Lists with a click that it takes to judge."""

SMOOTHING: Final = 20.0
"""Impressions at the shop's mean that every product starts with."""


def split(shown: Shown) -> tuple[Shown, Shown]:
    """What was shown before, and the newest lists of many kinds: those whose order is a matter of taste."""
    cut = int(len(shown) * (1 - HELD_OUT))
    old = np.arange(len(shown)) < cut
    return _take(shown, old), _take(shown, ~old & (shown.kind == HOME))


def _take(shown: Shown, rows: NDArray[np.bool_]) -> Shown:
    return replace(
        shown, visitor=shown.visitor[rows], page=shown.page[rows], ords=shown.ords[rows], place=shown.place[rows],
        kind=shown.kind[rows], clicked=shown.clicked[rows],
    )  # fmt: skip


def judge(old: Shown, new: Shown, tastes: Array, places: Array) -> dict[str, float]:
    """How well `tastes` float32[n], logits of the rows of `new` by shopper and product, find what was clicked.

    `places` float32[n] is what the place in the list does to each. `auc` is the
    share of pairs of a list, one clicked and one not, that are told apart;
    `auc_popular` that of clicks or of click rates so far, whichever tells more;
    `auc_gain` the mean difference with `auc_gain_low`, the lower end of its 95%
    interval over shoppers. Empty where there are too few lists with a click.
    """
    n = int(max(old.ords.max(initial=0), new.ords.max(initial=0))) + 1
    listed = old.page >= 0
    shown = np.bincount(old.ords[listed], minlength=n)
    clicks = np.bincount(old.ords[listed], old.clicked[listed], n)
    rate = (clicks + SMOOTHING * clicks.sum() / max(1, shown.sum())) / (shown + SMOOTHING)
    popular = (np.log1p(clicks)[new.ords] + places, np.log(np.maximum(rate, 1e-9))[new.ords] + places)

    told: list[tuple[float, ...]] = []
    bounds = np.flatnonzero(np.diff(new.page, prepend=-1, append=-1))
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yes = new.clicked[begin:end]
        if yes.any() and not yes.all():
            found = [_told_apart(scores[begin:end], yes) for scores in (tastes + places, *popular)]
            told.append((int(new.visitor[begin]), *found))
    if len(told) < LEAST_LISTS:
        return {}
    visitor, ours, *others = np.array(told).T
    theirs = max(others, key=lambda one: float(one.mean()))
    difference = ours - theirs
    mean = float(difference.mean())
    _, cluster = np.unique(visitor, return_inverse=True)
    error = float(np.sqrt((np.bincount(cluster, difference - mean) ** 2).sum())) / len(difference)
    return {
        "lists": float(len(told)), "auc": float(ours.mean()), "auc_popular": float(theirs.mean()),
        "auc_gain": mean, "auc_gain_low": mean - 1.96 * error,
    }  # fmt: skip


def _told_apart(scores: Array, yes: NDArray[np.bool_]) -> float:
    above = scores[yes][:, None] - scores[~yes][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())
