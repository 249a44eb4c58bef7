"""Search learns from judgements and from what shoppers took: lists are gathered through the search itself.

A fifth of the queries is held out. What orders those better than words and
meaning blended, by more than chance, is fitted again on all of them and serves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import AisleError, StorageError
from aisle.evaluate.ranked import Compared, ndcg_of
from aisle.learn.fitted import Fitted, Progress
from aisle.learn.judgements import Judgements, together
from aisle.learn.ranking import LEAST_QUERIES, RANKING, Lists, fit_ranking
from aisle.learn.searched import Searched, clicked_arrays
from aisle.learn.workbench import Workbench
from aisle.rank.features import FEATURES, matrix_of
from aisle.search_ranking import NOTHING_CLICKED, Clicked, clicked_of
from aisle.types import LoggedEvent, ModelVersion, Scores, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle.training")

SEARCH_MODELS: Final = (RANKING,)
"""Models of search, in the order in which they are trained."""

MOST_QUERIES: Final = 8000
_FOLDS: Final = 5
_OLDER: Final = 0.7
"""Share of what shoppers took, the oldest, that tells of products; the rest is what is to be foretold."""

_UNSHOWN: Final = 0.1
"""How much it counts that a product which was never shown for a search was not taken."""

Events = Callable[[str], Iterator[LoggedEvent]]


@dataclass(frozen=True, slots=True)
class Known:
    """What search is trained on.

    `judged` are judgements that people made, and those read from the newer part
    of the log; `clicked` and `popular` tell of the older part, `whole` of all.
    `of_clicks` bool, one a query, tells which were read from the log.
    """

    judged: Judgements
    of_clicks: NDArray[np.bool_]
    clicked: Clicked
    popular: Scores | None
    whole: Judgements

    @classmethod
    def of(cls, parts: Parts, events: Events) -> Known:
        made = Judgements.of(parts.stores.content.judgements(), parts.ord_of)
        searched = Searched.read(events("searches"), parts.ord_of)
        cut = int(len(searched) * _OLDER)
        older, newer = searched.before(cut), searched.after(cut).judgements()
        n_ords = len(parts.columns.facts.alive)
        popular = np.log1p(np.bincount(older.ords, older.worth, n_ords)).astype(np.float32) if len(searched) else None
        return cls(
            together(made, newer),
            np.arange(len(made.queries) + len(newer.queries)) >= len(made.queries),
            clicked_of(clicked_arrays(older.judgements())) if cut else NOTHING_CLICKED,
            popular,
            searched.judgements(),
        )

    def sample(self, most: int) -> Known:
        """At most so many queries: always the same ones."""
        n = len(self.judged.queries)
        if n <= most:
            return self
        drawn = self.judged.fold(1 << 30)
        kept = drawn <= np.partition(drawn, most - 1)[most - 1]
        return replace(self, judged=self.judged.take(kept), of_clicks=self.of_clicks[kept])


def train_search(
    parts: Parts, bench: Workbench, events: Events, progress: Progress, *, threads: int = 1
) -> list[ModelVersion]:
    """Train the models of search; one version each, active if it serves. Raises StorageError."""
    try:
        return [_Training(parts, bench, events, progress, threads).run()]
    except StorageError:
        raise
    except Exception as error:
        # The other models go on, and what served before goes on serving.
        expected = isinstance(error, AisleError)
        log.error("training %s: %s", RANKING, error, exc_info=None if expected else error)
        told = str(error) if expected else f"{type(error).__name__}: {error}"
        return [ModelVersion(RANKING, "", now_ms(), note=f"failed: {told}")]


class _Training:
    def __init__(self, parts: Parts, bench: Workbench, events: Events, progress: Progress, threads: int) -> None:
        self._parts, self._bench, self._progress, self._threads = parts, bench, progress, threads
        self._events = events
        self._seed = parts.settings.train.seed

    def run(self) -> ModelVersion:
        store = self._parts.stores.models
        made = self._bench.versions().get(RANKING)
        if made is not None:  # before the training was stopped
            return next(one for one in store.versions(RANKING) if one.version == made)
        began = time.monotonic()
        self._parts.ranking.catch_up()
        known = Known.of(self._parts, self._events).sample(MOST_QUERIES)
        if len(known.judged.queries) < LEAST_QUERIES:
            return ModelVersion(RANKING, "", now_ms(), note="not trained: too few searches and judgements")
        lists, ideal = self._gathered(known)
        held = lists.fold % _FOLDS == 0
        fitted = self._fit(lists.take(~held), "past")
        if fitted is None:
            return ModelVersion(RANKING, "", now_ms(), note="not trained: too few lists tell good from bad")
        metrics, good = self._measured(fitted, lists.take(held), ideal[held])
        if good:
            fitted = self._fit(lists, "all") or fitted
        note = "" if good else "not promoted: it orders held-out searches no better than words and meaning blended"
        version = store.create(
            RANKING,
            clicked_arrays(known.whole),
            files=fitted.files,
            params={**fitted.params},
            metrics={**fitted.metrics, **metrics, "training_seconds": time.monotonic() - began},
            note=note,
        )
        if good:
            store.promote(RANKING, version.version)
        self._bench.made(RANKING, version.version)
        return replace(version, active=good, note=note)

    def _fit(self, lists: Lists, stage: str) -> Fitted | None:
        kept = self._bench.kept(RANKING, stage)
        if kept is not None:
            return kept
        fitted = fit_ranking(
            lists,
            work=self._bench.folder(RANKING, stage),
            threads=self._threads,
            seed=self._seed,
            progress=lambda told, done, total: self._progress(f"{RANKING}: {told}", done, total),
        )
        return None if fitted is None else self._bench.keep(fitted, RANKING, stage)

    def _gathered(self, known: Known) -> tuple[Lists, Scores]:
        """The candidates of each query as search finds them today, and the best nDCG's sum, float64[q], of each."""
        parts, judged = self._parts, known.judged
        bounds = np.searchsorted(judged.query, np.arange(len(judged.queries) + 1))
        features, gains, weights, sizes, ideal, fold = [], [], [], [], [], []
        folds = judged.fold(20)
        for number, text in enumerate(judged.queries):
            if number % 50 == 0:
                self._progress(f"{RANKING}: searching", number, len(judged.queries))
            query = parts.understander.understand(text)
            found = parts.retriever.retrieve(query)
            if not len(found.ords):
                continue
            weighed = parts.ranking.weigh(found)
            rows = weighed.best
            of_query = slice(bounds[number], bounds[number + 1])
            order = np.argsort(judged.ords[of_query])
            ords, gain = judged.ords[of_query][order], judged.gain[of_query][order]
            at = np.minimum(np.searchsorted(ords, found.ords[rows]), len(ords) - 1)
            told = ords[at] == found.ords[rows]
            columns = parts.ranking.columns(query, found, weighed, known.clicked, popular=known.popular)
            features.append(matrix_of(columns, FEATURES))
            gains.append(np.where(told, gain[at], 0.0))
            silent = _UNSHOWN if known.of_clicks[number] else 1.0
            weights.append(np.where(told, judged.weight[of_query][order][at], silent))
            sizes.append(len(rows))
            ideal.append(ndcg_of(np.sort(gain)[::-1]))
            fold.append(int(folds[number]))
        self._progress(f"{RANKING}: searching", len(judged.queries), len(judged.queries))
        return Lists(
            FEATURES,
            np.concatenate(features) if features else np.empty((0, len(FEATURES)), np.float32),
            np.concatenate(gains).astype(np.float32) if gains else np.empty(0, np.float32),
            np.concatenate(weights).astype(np.float32) if weights else np.empty(0, np.float32),
            np.array(sizes, np.int32),
            np.array(fold, np.int32),
        ), np.array(ideal)

    def _measured(self, fitted: Fitted, lists: Lists, ideal: Scores) -> tuple[dict[str, float], bool]:
        """nDCG@10 of held-out queries in the model's order and in that of words and meaning blended."""
        names = tuple(fitted.params["features"])
        ranker = self._parts.indexes.open_ranker(fitted.files["model.onnx"], names)
        scores = ranker.score(np.ascontiguousarray(lists.features[:, [FEATURES.index(name) for name in names]]))
        compared = Compared.of(lists.sizes, lists.gain, ideal, scores, lists.features[:, FEATURES.index("blend")])
        return {
            "ranking.ndcg@10": compared.mean,
            "blend.ndcg@10": compared.base,
            "ranking.over_blend": compared.gain,
            "ranking.over_blend_low": compared.low,
            "ranking.over_blend_high": compared.high,
            "held_out_queries": float(compared.n),
        }, compared.low > 0
