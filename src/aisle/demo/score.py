"""How good a recommender is, measured against the truth: 0 is popularity, 1 is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aisle.demo.world import World


@dataclass(frozen=True, slots=True)
class SlateScore:
    """Expected clicks a slate, averaged over shoppers.

    `score` is (model - popularity) / (oracle - popularity), the ratio of means; `standard_error`
    is its standard error over shoppers (delta method).
    """

    score: float
    standard_error: float
    model: float
    popularity: float
    oracle: float
    n_shoppers: int


def score_slates(
    world: World,
    slate_of: Callable[[str], Sequence[str]],
    *,
    n_shoppers: int = 200,
    top_k: int = 12,
    seed: int = 0,
    time_ms: int | None = None,
    visitors: Sequence[str] | None = None,
) -> SlateScore:
    """Score the slates a recommender gives, `slate_of(visitor_id) -> item ids`, best first.

    Shoppers are sampled in proportion to how often they come, unless `visitors` names them.
    Only the first `top_k` items count; a group shown twice counts once.
    """
    if visitors is None:
        rng = np.random.default_rng([world.config.seed, seed, 51])
        weights = world.shoppers.activity.astype(np.float64)
        n = min(n_shoppers, len(weights))
        visitors = [world.visitor_ids[v] for v in rng.choice(len(weights), n, replace=False, p=weights / weights.sum())]
    if not visitors:
        raise ValueError("no shoppers to score")
    popular = world.popular_slate(top_k)
    values = np.array(
        [
            (
                world.slate_value(visitor, list(slate_of(visitor))[:top_k], time_ms),
                world.slate_value(visitor, popular, time_ms),
                world.slate_value(visitor, world.oracle_slate(visitor, top_k, time_ms), time_ms),
            )
            for visitor in visitors
        ]
    )
    model, popularity, oracle = values.mean(0)
    span = max(oracle - popularity, 1e-9)
    score = (model - popularity) / span
    residual = (values[:, 0] - values[:, 1]) - score * (values[:, 2] - values[:, 1])
    error = float(residual.std(ddof=1) / np.sqrt(len(values)) / span) if len(values) > 1 else float("nan")
    return SlateScore(float(score), error, float(model), float(popularity), float(oracle), len(values))
