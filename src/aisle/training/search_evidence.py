"""What search is trained and measured on: judged queries, and the candidates that search finds for them today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.evaluate.ranked import ndcg_of
from aisle.learn.judgements import Judgements, fold_of, together
from aisle.learn.ranking import Lists
from aisle.learn.searched import MOST_WORTH, PLACES, WORTH, Searched, clicked_arrays
from aisle.rank.features import FEATURES, matrix_of
from aisle.retrieve.hybrid import Retrieved
from aisle.serving.search_ranking import NOTHING_CLICKED, Clicked, clicked_of
from aisle.types import LoggedEvent, Ords, Query, Scores, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

FOLDS: Final = 20
"""Parts into which queries fall by their text, for good."""

_OLDER: Final = 0.7
"""Share of what shoppers took, the oldest, that tells of products; the rest is what is to be foretold."""

_UNSHOWN: Final = 0.1
"""How much it counts that a product which was never shown for a search was not taken."""

_LEAST_LOOKED: Final = 0.1
"""Least chance of being looked at that a measure divides by."""

_OF_CLICKS: Final = 0.5
"""Most that a list of which something was taken counts beside one that somebody judged."""

_DAYS_SHOWN: Final = 90
MOST_SHOWN: Final = 20_000

Events = Callable[[str], Iterator[LoggedEvent]]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of how products answer queries.

    `judged` are judgements that people made, and those read from the newer part
    of the log; `clicked` and `popular` tell of the older part, `whole` of all;
    `looked` float32[PLACES] is how likely each place of a list is looked at.
    `of_clicks` bool, one a query, tells which were read from the log.
    """

    judged: Judgements
    of_clicks: NDArray[np.bool_]
    clicked: Clicked
    popular: Scores | None
    whole: Judgements
    looked: Scores

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
            searched.looked(),
        )

    def sample(self, most: int) -> Known:
        """At most so many queries: always the same ones."""
        n = len(self.judged.queries)
        if n <= most:
            return self
        drawn = self.judged.fold(1 << 30)
        kept = drawn <= np.partition(drawn, most - 1)[most - 1]
        return replace(self, judged=self.judged.take(kept), of_clicks=self.of_clicks[kept])


@dataclass(frozen=True, slots=True)
class Gathered:
    """Lists of candidates with all that ranking knows of them.

    `query` int32[q] says which query each list is of, `ords` int32[n] which
    products its rows are, `looked` float32[n] how likely a product was looked at
    where it stood when it was taken or not (1: somebody judged it); `ideal`
    float64[q] is the best discounted sum of `true_gain` it could have, also with
    what was not found (of answers that were shown, the mean of theirs).
    """

    lists: Lists
    query: NDArray[np.int32]
    ords: Ords
    looked: Scores
    ideal: NDArray[np.float64]

    @property
    def true_gain(self) -> Scores:
        """float32[n]: what orders are measured by. What was taken where few look counts as much more, or every order
        would lose to the one that was shown (inverse propensity, Joachims et al. 2017; cut at _LEAST_LOOKED)."""
        return _true(self.lists.gain, self.looked)

    def with_lists(self, other: Gathered) -> Gathered:
        """These and those."""
        lists = Lists(
            FEATURES,
            *(
                np.concatenate((getattr(self.lists, name), getattr(other.lists, name)))
                for name in ("features", "gain", "weight", "sizes", "fold")
            ),
        )
        query, ords, looked, ideal = (
            np.concatenate((getattr(self, name), getattr(other, name))) for name in ("query", "ords", "looked", "ideal")
        )
        return Gathered(lists, query, ords, looked, ideal)

    def take(self, chosen: NDArray[np.bool_]) -> Gathered:
        """Those lists alone."""
        rows = np.repeat(chosen, self.lists.sizes)
        return Gathered(
            self.lists.take(chosen), self.query[chosen], self.ords[rows], self.looked[rows], self.ideal[chosen]
        )

    def column(self, name: str) -> Scores:
        """float32[n] of a feature."""
        column: Scores = self.lists.features[:, FEATURES.index(name)]
        return column

    def each(self) -> Iterator[slice]:
        """The rows of each list."""
        ends = np.cumsum(self.lists.sizes).tolist()
        return (slice(end - size, end) for end, size in zip(ends, self.lists.sizes.tolist(), strict=True))


Cosines = Callable[[Sequence[int], Sequence[Ords]], Sequence[Scores | None]]
"""For some queries, by number, and what was found for each: float32[n] cosines to take instead (None: those found)."""


def gather(
    parts: Parts, known: Known, chosen: NDArray[np.bool_], tell: Tell, cosines: Cosines | None = None
) -> Gathered:
    """Search for those queries, `chosen` bool one a query, as a shopper's search would."""
    judged = known.judged
    bounds = np.searchsorted(judged.query, np.arange(len(judged.queries) + 1)).tolist()
    folds = judged.fold(FOLDS)
    searches: list[tuple[int, Query, Retrieved]] = []
    wanted = np.flatnonzero(chosen).tolist()
    for done, number in enumerate(wanted):
        if done % 20 == 0:
            tell(done, len(wanted))
        query = parts.understander.understand(judged.queries[number])
        found = parts.retriever.retrieve(query)
        if len(found.ords):
            searches.append((number, query, found))
    tell(len(wanted), len(wanted))
    if cosines is not None:
        others = cosines([number for number, _, _ in searches], [found.ords for _, _, found in searches])
        searches = [
            (number, query, found if other is None else replace(found, cosine=other))
            for (number, query, found), other in zip(searches, others, strict=True)
        ]
    rows = _Rows()
    for number, query, found in searches:
        weighed = parts.ranking.weigh(found)
        chosen_rows = weighed.order[: parts.settings.search.ranked]
        ords = found.ords[chosen_rows]
        silent = _UNSHOWN if known.of_clicks[number] else 1.0
        gain, weight, best = _told(judged, slice(bounds[number], bounds[number + 1]), ords, silent)
        columns = parts.ranking.columns(query, found, weighed, chosen_rows, known.clicked, popular=known.popular)
        known_for_sure = np.ones(len(ords), np.float32)
        rows.add(matrix_of(columns, FEATURES), gain, weight, ords, known_for_sure, number, int(folds[number]), best)
    return rows.gathered()


def shown(parts: Parts, known: Known, events: Events) -> Gathered:
    """Answers of which something was taken, with the features that were logged as they were given.

    What stood where it was hardly looked at, and was not taken, says little: its weight is how likely it was seen.
    """
    taken: dict[str, dict[str, float]] = {}
    for logged in events("answers"):
        event = logged.event
        worth = WORTH.get(event.name, 0.0) / MOST_WORTH
        if worth > 0 and event.list_id:
            of_list = taken.setdefault(event.list_id, {})
            for item in event.items:
                of_list[item.item_id] = max(of_list.get(item.item_id, 0.0), worth)
    rows, looked = _Rows(), known.looked
    for number, slate in enumerate(islice(_searches(parts, taken), MOST_SHOWN)):
        features, places = slate["features"], np.minimum(slate["positions"], PLACES - 1)
        of_list = taken[slate["list_id"]]
        pairs = zip(slate["items"], slate["groups"], strict=True)
        gain = np.array([max(of_list.get(item, 0.0), of_list.get(group, 0.0)) for item, group in pairs], np.float32)
        if len(gain) < 2 or not gain.any():
            continue
        n = len(gain)
        matrix = np.stack([np.array(features.get(name, [0.0] * n), np.float32) for name in FEATURES], 1)
        weight = _OF_CLICKS * np.where(gain > 0, 1.0, looked[places]).astype(np.float32)
        ords = np.array([parts.ord_of(item) for item in slate["items"]], np.int32)
        fold = int(fold_of(slate["query"], FOLDS))
        best = ndcg_of(np.sort(_true(gain, looked[places]))[::-1])
        rows.add(matrix, gain, weight, ords, looked[places], -1 - number, fold, best)
    found = rows.gathered()
    # One for all: a sum of its own for each list would take back what looking less often is made up for by.
    return replace(found, ideal=np.full(len(found.ideal), found.ideal.mean() if len(found.ideal) else 0.0))


def _searches(parts: Parts, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The logged answers to searches among those wanted that have all that ranking looks at; newest days first."""
    since = now_ms() - _DAYS_SHOWN * 86_400_000
    while slates := parts.stores.slates.read(since, 2000):
        for slate in slates:
            # The cosines of another encoder mean something else.
            same = slate["model_versions"].get("encoder", "") == parts.encoder_name
            if same and slate["surface"] == "search" and slate["list_id"] in wanted and "blend" in slate["features"]:
                yield slate
        if len(slates) < 2000:
            return
        since = max(slates[-1]["time_ms"], since + 1)


class _Rows:
    """Lists as they come."""

    def __init__(self) -> None:
        self._features: list[NDArray[np.float32]] = [np.empty((0, len(FEATURES)), np.float32)]
        self._gain: list[Scores] = [np.empty(0, np.float32)]
        self._weight: list[Scores] = [np.empty(0, np.float32)]
        self._ords: list[Ords] = [np.empty(0, np.int32)]
        self._looked: list[Scores] = [np.empty(0, np.float32)]
        self._of_list: list[tuple[int, int, int, float]] = []

    def add(
        self,
        features: NDArray[np.float32],
        gain: Scores,
        weight: Scores,
        ords: Ords,
        looked: Scores,
        number: int,
        fold: int,
        best: float,
    ) -> None:
        self._features.append(features)
        self._gain.append(gain)
        self._weight.append(weight)
        self._ords.append(ords)
        self._looked.append(looked.astype(np.float32))
        self._of_list.append((number, fold, len(ords), best))

    def gathered(self) -> Gathered:
        of_list = np.array(self._of_list, np.float64).reshape(-1, 4)
        number, fold, sizes = of_list[:, :3].astype(np.int32).T
        lists = Lists(
            FEATURES,
            np.concatenate(self._features),
            np.concatenate(self._gain),
            np.concatenate(self._weight),
            sizes,
            fold,
        )
        return Gathered(lists, number, np.concatenate(self._ords), np.concatenate(self._looked), of_list[:, 3])


def _true(gain: Scores, looked: Scores) -> Scores:
    corrected: Scores = (gain / np.maximum(looked, _LEAST_LOOKED)).astype(np.float32)
    return corrected


def _told(judged: Judgements, of_query: slice, ords: Ords, silent: float) -> tuple[Scores, Scores, float]:
    """Gain and weight of each product, float32[n], and the best discounted sum; what nobody judged weighs `silent`."""
    order = np.argsort(judged.ords[of_query])
    known, gain = judged.ords[of_query][order], judged.gain[of_query][order]
    at = np.minimum(np.searchsorted(known, ords), len(known) - 1)
    told = known[at] == ords
    weight = judged.weight[of_query][order][at]
    return (
        np.where(told, gain[at], 0.0).astype(np.float32),
        np.where(told, weight, silent).astype(np.float32),
        ndcg_of(np.sort(gain)[::-1]),
    )


def texts_of(parts: Parts, ords: Ords, text_of: Callable[..., str]) -> Sequence[str]:
    """What an encoder reads of those products, at their ords; nothing of others."""
    needed = np.unique(ords[ords >= 0])
    texts = [""] * (int(needed[-1]) + 1 if len(needed) else 0)
    for begin in range(0, len(needed), 2000):
        some = needed[begin : begin + 2000].tolist()
        for ord_, group in zip(some, parts.stores.catalog.groups(some), strict=True):
            if group is not None and group.products:
                texts[ord_] = text_of(group)
    return texts
