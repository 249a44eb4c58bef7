"""The models a shop may have, and the sources of recommendations: adding one is one entry here.

A model is fitted on a `Task` by its trainer in `learn/` and read by its sources
in `retrieve/`. `aisle.training` fits, measures and promotes what stands here;
`aisle.serving.models_in_use` serves what was promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from aisle.learn.clicks import NAME as CLICKS
from aisle.learn.clicks import earns as tastes_tell
from aisle.learn.clicks import fit_clicks
from aisle.learn.clusters import CLUSTERS, fit_clusters
from aisle.learn.covisitation import Relation, earning, earns_its_place, evaluate_covisitation, train_covisitation
from aisle.learn.factors import FACTORS, fit_factors
from aisle.learn.fitted import Fitted
from aisle.learn.fresh_pairs import FreshPairs
from aisle.learn.graph import GRAPH, fit_graph
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.neighbours import Neighbourhood, finding_of
from aisle.learn.repeats import Repeating, fit_repeats
from aisle.learn.repurchase import Repurchasing, fit_repurchase
from aisle.learn.sage import features_of
from aisle.learn.seen import Seen
from aisle.learn.sequence import MODEL_FILE, fit_sequence
from aisle.learn.sequence import NAME as SEQUENCE
from aisle.learn.sequence_training import Held
from aisle.learn.session_index import Finding, SessionIndex
from aisle.learn.shown import Shown
from aisle.learn.tower import Tower, behaviour_of, words_of
from aisle.ports import CatalogueFacts, DenseIndex, Recommender
from aisle.retrieve.arriving import Arriving
from aisle.retrieve.clicks import TasteOfClicks
from aisle.retrieve.combined import Ranks
from aisle.retrieve.complements import Complements
from aisle.retrieve.content import Content
from aisle.retrieve.factors import Factors
from aisle.retrieve.followed import Followed, NewForYou
from aisle.retrieve.for_you import ForYou
from aisle.retrieve.graph import Graph
from aisle.retrieve.groups import Groups
from aisle.retrieve.neighbours import Neighbours
from aisle.retrieve.repeats import BuyAgain, Repeats
from aisle.retrieve.sequence import Sequence as SequenceSource
from aisle.retrieve.similar import Similar
from aisle.retrieve.together import Together
from aisle.retrieve.trending import Newest, Trending, TrendingCategory
from aisle.settings import Settings
from aisle.types import LoggedEvent, Ords, Progress, Scores, Vectors, now_ms

COVISITATION: Final = "covisitation"
LOADED_AT_ONCE: Final = 5000
"""Vectors that are indexed while a shop opens; more of them (seconds of work) by the thread that follows the models."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a trainer is given.

    `past` is the log to learn from and `events()` the same as it was logged;
    `final` is false while a part of the log is held out for measuring, and
    true for the fit that will serve: then `before` is the fit on the past,
    whose choices may be kept; `held` are steps of the held-out part, to stop
    by; with `reloads`, opening what was opened last is a step to foretell
    like any other. `work` is a folder for checkpoints: what a killed
    fit left there is found again. `seconds` is the time the fit should take at
    most (0: no limit), on `threads` threads.
    """

    past: Interactions
    items: ItemTable
    events: Callable[[], Iterator[LoggedEvent]]
    ord_of: Callable[[str], int]
    settings: Settings
    work: Path
    progress: Progress
    final: bool = False
    before: Fitted | None = None
    held: Held | None = None
    reloads: bool = False
    seconds: float = 0.0
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sources look at besides their models: the shop as it is, or as it was when held-out traffic began.

    `dense` holds the text vectors of the products; `neighbourhood(how, whole)`
    finds sessions, or whole histories, like a shopper's; `new_index(dim)` makes
    an empty index of vectors; `items_of(ords)` tells what the catalogue knows of
    those products, a row each, in order; `now()` is the time it is there;
    `sessions_of(relation)` are the sessions, or orders, as they are now;
    `seen(visitor_id)` is what somebody was shown; `prompted(ranks)` lets a
    language model put the best of a combination in order.
    """

    facts: Callable[[], CatalogueFacts]
    popular: Callable[[], tuple[Ords, Scores]]
    settings: Settings
    dense: DenseIndex | None = None
    dense_version: Callable[[], object] | None = None
    neighbourhood: Callable[[Finding, bool], Neighbourhood] | None = None
    new_index: Callable[[int], DenseIndex] | None = None
    items_of: Callable[[Ords], ItemTable] | None = None
    now: Callable[[], int] = now_ms
    sessions_of: Callable[[Relation], SessionIndex] | None = None
    seen: Callable[[str], Seen] | None = None
    prompted: Callable[[Ranks], Ranks] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One entry. `share` is its part of the time that a training may take.

    `fit` returns None when there is too little to learn from. `sources` reads a
    fitted model, also as it was loaded from the store. `earns` is a rule of the
    model's own for its metrics; without one it earns its place when one of its
    sources beats popularity on held-out traffic by more than chance.
    """

    name: str
    fit: Callable[[Task], Fitted | None]
    sources: Callable[[Fitted, Surroundings], Sequence[Recommender]]
    share: float = 1.0
    earns: Callable[[Mapping[str, float]], bool] | None = None


def _covisitation(task: Task) -> Fitted:
    gap = task.settings.recommend.session_gap_minutes
    arrays = train_covisitation(task.events(), task.ord_of, session_gap_minutes=gap)
    params = {"session_gap_minutes": gap}
    if not task.final:
        return Fitted(COVISITATION, arrays, params=params)
    # Its two relations are measured on orders and sessions of their own; the one that does not earn is left out.
    metrics = evaluate_covisitation(
        task.events(), task.ord_of, session_gap_minutes=gap, held_out=task.settings.train.held_out
    )
    return Fitted(COVISITATION, earning(arrays, metrics), params=params, metrics=metrics)


def _together(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    def fresh(relation: Relation) -> FreshPairs | None:
        """What came together since the model was made."""
        if around.sessions_of is None:
            return None
        return FreshPairs.of(relation, fitted.arrays, partial(around.sessions_of, relation))

    return [
        Together.of("viewed", fitted.arrays, fresh("viewed")),
        Together.of("bought", fitted.arrays, fresh("bought")),
    ]


def _clusters(task: Task) -> Fitted | None:
    return fit_clusters(task.past, task.items, progress=task.progress, seed=task.seed)


def _groups(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    return [Groups.of(fitted.arrays)]


def _has_groups(metrics: Mapping[str, float]) -> bool:
    """Groups are browsed, whether or not they also recommend."""
    return metrics.get("groups", 0) > 1


def _neighbours(task: Task) -> Fitted | None:
    from aisle.learn.neighbours import fit_neighbours

    if task.before is not None:  # only how they are found was fitted; the sessions themselves are a fold
        return task.before
    return fit_neighbours(
        task.past, task.items, work=task.work, progress=task.progress, seed=task.seed, seconds=task.seconds or 300.0
    )


def _among_neighbours(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    if around.neighbourhood is None:
        return []
    return [Neighbours(around.neighbourhood(*finding_of(fitted.arrays)))]


def _content(task: Task) -> Fitted | None:
    from aisle.learn.fusion import WAYS, fit_fusion

    minutes = (task.seconds or 600.0) / 60 / (len(WAYS) + 1)  # each way once, and the best one on everything
    return fit_fusion(
        task.past, task.items, work=task.work, before=task.before, progress=task.progress, seed=task.seed,
        minutes=min(minutes, 4.0), threads=task.threads,
    )  # fmt: skip


def _near_in_content(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    if around.new_index is None:
        return []
    tower, vectors = Tower.of(fitted.arrays), fitted.arrays["vectors"]
    index = around.new_index(vectors.shape[1])
    known = np.flatnonzero(vectors.any(1)).astype(np.int32)

    def load() -> None:
        index.upsert(known, vectors[known])

    if len(known) <= LOADED_AT_ONCE or around.items_of is None:
        load()

    items_of, dense, text_version = around.items_of, around.dense, around.dense_version
    if items_of is None:
        return [Content(index)]

    def encode(ords: Ords) -> Vectors:
        fused = tower.encode(items_of(ords), behaviour_of(fitted.arrays, ords))
        # A product whose text is still to be read waits for it: without, it would stand in the wrong place.
        return fused if dense is None else fused * dense.vectors(ords).any(1, keepdims=True)

    def version() -> object:
        return around.facts().version, text_version() if text_version else None

    return [Arriving(Content(index), index, around.facts, encode, version, None if len(index) else load)]


def _clicks(task: Task) -> Fitted | None:
    found = fit_clicks(
        task.past, task.items, shown=Shown.read(task.events(), task.ord_of, task.items.category),
        judged=not task.final, seed=task.seed, seconds=task.seconds, progress=task.progress,
    )  # fmt: skip
    return found if found is None or task.before is None else replace(found, metrics=task.before.metrics)


def _by_taste(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    return [TasteOfClicks.of(fitted.arrays, around.seen)]


def _factors(task: Task) -> Fitted | None:
    return fit_factors(
        task.past, task.items, work=task.work, progress=task.progress, seed=task.seed,
        seconds=task.seconds, threads=task.threads, before=task.before,
    )  # fmt: skip


def _of_a_taste(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    return [Factors.of(fitted.arrays)]


def _graph(task: Task) -> Fitted | None:
    return fit_graph(
        task.past, task.items, work=task.work, progress=task.progress, seed=task.seed,
        seconds=task.seconds, threads=task.threads, before=task.before,
    )  # fmt: skip


def _in_the_graph(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    items_of = around.items_of
    if items_of is None:
        return [Graph(fitted.arrays)]

    def content(ords: Ords) -> tuple[Vectors, list[list[str]]]:
        items = items_of(ords)
        return features_of(items), words_of(items)

    return [Graph(fitted.arrays, around.facts, content, around.dense_version)]


def _sequence(task: Task) -> Fitted | None:
    return fit_sequence(
        task.past, task.items, work=task.work, progress=task.progress, seed=task.seed,
        seconds=task.seconds, threads=task.threads, valid=task.held, before=task.before,
    )  # fmt: skip


def _what_comes_next(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    folder, (n, dim) = fitted.files[MODEL_FILE].parent, fitted.arrays["vectors"].shape
    index = around.new_index(dim) if around.new_index is not None and n > LOADED_AT_ONCE else None
    return [SequenceSource.of(fitted.arrays, folder, max_length=int(fitted.params["max_length"]), index=index)]


def _repeats(task: Task) -> Fitted | None:
    # Opening again what was opened last is a reload: no recommendation is wanted for it.
    return fit_repeats(task.past, task.items, reloads=task.reloads, progress=task.progress, seed=task.seed)


def _going_back(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    return [Repeats(Repeating.of(fitted.arrays), around.now)]


def _repurchase(task: Task) -> Fitted | None:
    return fit_repurchase(task.past, task.items, progress=task.progress, seed=task.seed)


def _buying_again(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    return [BuyAgain(Repurchasing.of(fitted.arrays), around.now)]


def _is_bought_again(metrics: Mapping[str, float]) -> bool:
    """Buying again has a surface of its own; it is fitted only where it is a habit."""
    return metrics.get("auc_low", 0) > 0.5


SHELF: Final[tuple[Model, ...]] = (
    Model(COVISITATION, _covisitation, _together, earns=earns_its_place),
    Model(CLUSTERS, _clusters, _groups, share=0.2, earns=_has_groups),
    Model("neighbours", _neighbours, _among_neighbours),
    Model("repeats", _repeats, _going_back, share=0.5),
    Model("buy_again", _repurchase, _buying_again, share=0.2, earns=_is_bought_again),
    Model(CLICKS, _clicks, _by_taste, share=2.0, earns=tastes_tell),
    Model(FACTORS, _factors, _of_a_taste, share=2.0),
    Model(GRAPH, _graph, _in_the_graph, share=2.0),
    Model("content", _content, _near_in_content, share=2.0),
    Model(SEQUENCE, _sequence, _what_comes_next, share=6.0),
)
"""Every model, in the order in which they are trained: the quick ones first."""


PLAIN: Final = ("similar", "for_you", "trending", "trending_category")
"""Sources without a model that are measured and combined with the others."""


def sources_of(models: Sequence[Recommender], around: Surroundings) -> dict[str, Recommender]:
    """Every source by name: those of the models, and those that need none."""
    found: dict[str, Recommender] = {source.name: source for source in models}
    viewed = found.setdefault("viewed", Together.of("viewed", None))
    bought = found.setdefault("bought", Together.of("bought", None))
    similar = Similar(around.dense, around.facts, version=around.dense_version) if around.dense is not None else None
    assert isinstance(viewed, Together)
    assert isinstance(bought, Together)
    plain: list[Recommender] = [
        *([similar] if similar else []),
        ForYou(viewed, bought, similar),
        Complements(bought, around.facts, around.popular),
        Followed(around.facts, around.popular),
        NewForYou(around.facts),
        Trending(around.popular, around.facts),
        TrendingCategory(around.popular, around.facts),
        Newest(around.facts),
    ]
    return found | {source.name: source for source in plain}
