"""Learning to rank: gradient-boosted trees with LambdaMART's gradients (Burges, 2010), fitted by LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.trees import write_onnx
from aisle.types import Progress, Scores

if TYPE_CHECKING:
    import lightgbm

RANKING: Final = "ranking"
MODEL_FILE: Final = "model.onnx"
LEAST_QUERIES: Final = 30
"""Queries with something to tell apart that it takes to fit."""

GRADES: Final = 12
"""Steps into which gains from 0 to 1 are cut; each is worth its share, as nDCG counts them here."""

MOST_TREES: Final = 600
PATIENCE: Final = 40
_VALID_SHARE: Final = 0.2
_PARAMS: Final[Mapping[str, Any]] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambdarank_truncation_level": 20,
    "label_gain": [grade / GRADES for grade in range(GRADES + 1)],
    "use_missing": False,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True, slots=True)
class Lists:
    """Judged lists of candidates: `features` float32[n, k] named `names`, `gain` float32[n] in [0, 1].

    `sizes` int32[q] are the lengths of the lists, one after another; `weight`
    float32[n] is how much a row counts, `fold` int32[q] a number that a list
    keeps from one training to the next.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    gain: Scores
    weight: Scores
    sizes: NDArray[np.int32]
    fold: NDArray[np.int32]

    def take(self, lists: NDArray[np.bool_]) -> Lists:
        """Those lists alone."""
        rows = np.repeat(lists, self.sizes)
        return Lists(
            self.names, self.features[rows], self.gain[rows], self.weight[rows], self.sizes[lists], self.fold[lists]
        )

    def telling(self) -> Lists:
        """The lists in which some product is better than another."""
        best = np.zeros(len(self.sizes))
        np.maximum.at(best, np.repeat(np.arange(len(self.sizes)), self.sizes), self.gain)
        return self.take(best > 0)

    def __len__(self) -> int:
        return len(self.sizes)


def fit_ranking(
    lists: Lists, *, work: Path, threads: int = 1, seed: int = 0, progress: Progress | None = None
) -> Fitted | None:
    """Fit on four fifths of the lists, stopped by the others; None when there are fewer than LEAST_QUERIES.

    Columns that are the same everywhere are left out, so the model reads only
    what this shop can tell it.
    """
    lists = lists.telling()
    if len(lists) < LEAST_QUERIES:
        return None
    varying = np.ptp(lists.features, axis=0) > 0
    names = tuple(name for name, varies in zip(lists.names, varying.tolist(), strict=True) if varies)
    features = np.ascontiguousarray(lists.features[:, varying])
    valid = lists.fold % 5 == 0
    if not valid.any() or valid.all():
        valid = np.arange(len(lists)) % 5 == 0
    booster, metrics = _fit(lists, features, valid, threads, seed, progress)
    work.mkdir(parents=True, exist_ok=True)
    write_onnx(booster, work / MODEL_FILE)
    gains = booster.feature_importance("gain")
    share = gains / max(float(gains.sum()), 1e-9)
    told = {name: round(float(value), 4) for name, value in zip(names, share, strict=True)}
    metrics |= {"queries": float(len(lists)), "trees": float(booster.num_trees())}
    return Fitted(RANKING, {}, {MODEL_FILE: work / MODEL_FILE}, {"features": list(names), "importance": told}, metrics)


def _fit(
    lists: Lists,
    features: NDArray[np.float32],
    valid: NDArray[np.bool_],
    threads: int,
    seed: int,
    progress: Progress | None,
) -> tuple[lightgbm.Booster, dict[str, float]]:
    import lightgbm

    rows = np.repeat(valid, lists.sizes)
    few = min(100, max(5, int((~rows).sum()) // 400))
    params = {**_PARAMS, "num_threads": threads, "seed": seed, "min_data_in_leaf": few}

    def data(chosen: NDArray[np.bool_], of_rows: NDArray[np.bool_]) -> lightgbm.Dataset:
        grade = np.rint(lists.gain[of_rows] * GRADES)
        sizes = lists.sizes[chosen]
        return lightgbm.Dataset(features[of_rows], grade, group=sizes, weight=lists.weight[of_rows], params=params)

    def told(env: Any) -> None:
        if progress is not None:
            progress("trees", env.iteration + 1, MOST_TREES)

    booster = lightgbm.train(
        params,
        data(~valid, ~rows),
        MOST_TREES,
        valid_sets=[data(valid, rows)],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), told],
    )
    return booster, {"valid.ndcg@10": float(booster.best_score["valid_0"]["ndcg@10"])}
