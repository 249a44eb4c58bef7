"""What shoppers searched for, were shown, and took: the log as columns for models of search."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.judgements import Judgements
from aisle.types import Event, LoggedEvent, Ords, Scores

PLACES: Final = 24
"""Places of a list that are told apart; what is further down is the last of them."""

WORTH: Final = {"select_item": 1.0, "view_item": 1.0, "add_to_cart": 2.0, "add_to_wishlist": 2.0, "purchase": 3.0}
"""What a shopper who took that step thinks of a product for the search before it."""

MOST_WORTH: Final = 3.0
UNSEEN: Final = -1
"""The place of a product that was taken after a search whose list nobody logged."""

MOST_ROWS: Final = 3_000_000
MAX_QUERY_CHARS: Final = 120
_HALF_HOUR_MS: Final = 1_800_000
_MOST_OPEN: Final = 2_000_000
_ROUNDS: Final = 12
_PRIOR_LOOKS: Final = 4.0
"""Looks at the mean with which every product of a query starts."""

_TRUST: Final = 0.5
"""Most that a judgement read from clicks counts beside one that somebody made."""

_TRUSTED_LOOKS: Final = 5.0


def query_key(text: str) -> str:
    """Searches that differ only in case and spaces are one."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class Searched:
    """One row a product shown for a search, or taken after one, in the order of the log.

    `query` int32[n] points into `queries`, `place` int8[n] is where in the list
    (UNSEEN: not logged), `worth` float32[n] in [0, 1] is what became of it.
    """

    queries: tuple[str, ...]
    query: NDArray[np.int32]
    ords: Ords
    place: NDArray[np.int8]
    worth: Scores
    time_ms: NDArray[np.int64]

    @classmethod
    def read(cls, events: Iterable[LoggedEvent], ord_of: Callable[[str], int]) -> Self:
        """The newest three million rows. A step counts for the last search of the half hour before it that showed the
        product or, where no list was logged, for the last search."""
        reader = _Reader(ord_of)
        for logged in events:
            reader.take(logged.event)
        return cls(*reader.columns())

    def __len__(self) -> int:
        return len(self.ords)

    def before(self, row: int) -> Self:
        return self._of(slice(0, row))

    def after(self, row: int) -> Self:
        return self._of(slice(row, None))

    def _of(self, rows: slice) -> Self:
        return type(self)(
            self.queries, self.query[rows], self.ords[rows], self.place[rows], self.worth[rows], self.time_ms[rows]
        )

    def looked(self) -> Scores:
        """float32[PLACES]: how likely each place of a list is looked at, the first one 1."""
        if not len(self):
            return np.ones(PLACES, np.float32)
        _, of_pair = np.unique(self.query.astype(np.int64) << 32 | self.ords, return_inverse=True)
        looked: Scores = self._looked_places(of_pair, int(of_pair.max()) + 1).astype(np.float32)
        return looked

    def judgements(self) -> Judgements:
        """What the log says of products for queries, corrected for where they stood in the list.

        A position-based model (Craswell et al., 2008): a product is taken when
        its place is looked at and it answers the search; both are found in
        turns. Products that were never looked at say nothing.
        """
        if not len(self):
            none = np.empty(0, np.float32)
            return Judgements((), np.empty(0, np.int32), np.empty(0, np.int32), none, none)
        pair = self.query.astype(np.int64) << 32 | self.ords
        pairs, of_pair = np.unique(pair, return_inverse=True)
        looked = self._looked(of_pair, len(pairs))
        looks = np.bincount(of_pair, looked, len(pairs))
        worth = np.bincount(of_pair, self.worth, len(pairs))
        mean = worth.sum() / max(looks.sum(), 1e-9)
        answers = (worth + _PRIOR_LOOKS * mean) / (looks + _PRIOR_LOOKS)
        query = (pairs >> 32).astype(np.int64)
        most = np.zeros(len(self.queries))
        np.maximum.at(most, query, answers)
        taken = np.bincount(query, worth, len(self.queries)) > 0
        kept = taken[query]
        gain = np.where(worth > 0, answers / np.maximum(most[query], 1e-9), 0.0)
        used = np.flatnonzero(taken)
        row_of = np.full(len(self.queries), -1)
        row_of[used] = np.arange(len(used))
        weight = _TRUST * np.minimum(1.0, looks / _TRUSTED_LOOKS)
        return Judgements(
            tuple(self.queries[q] for q in used.tolist()),
            row_of[query[kept]].astype(np.int32),
            (pairs[kept] & 0xFFFFFFFF).astype(np.int32),
            np.clip(gain[kept], 0.0, 1.0).astype(np.float32),
            np.maximum(weight[kept], 0.05).astype(np.float32),
        )

    def _looked(self, of_pair: NDArray[np.intp], n_pairs: int) -> Scores:
        """float64[n]: how likely each row was looked at."""
        place = np.where(self.place < 0, 0, self.place)
        return np.where(self.place >= 0, self._looked_places(of_pair, n_pairs)[place], 1.0)

    def _looked_places(self, of_pair: NDArray[np.intp], n_pairs: int) -> Scores:
        place = np.where(self.place < 0, 0, self.place)
        listed = self.place >= 0
        looked = np.ones(PLACES)
        mean = float(self.worth.mean())
        for _ in range(_ROUNDS):
            looks = np.bincount(of_pair, np.where(listed, looked[place], 1.0), n_pairs)
            answers = (np.bincount(of_pair, self.worth, n_pairs) + _PRIOR_LOOKS * mean) / (looks + _PRIOR_LOOKS)
            expected = np.bincount(place[listed], answers[of_pair][listed], PLACES)
            found = np.bincount(place[listed], self.worth[listed], PLACES)
            looked = (found + 1e-3) / (expected + 1e-3)
            looked = np.minimum(1.0, looked / max(looked[0], 1e-9))
        return np.maximum(looked, 0.02)


class _Reader:
    """Takes events in the order of the log."""

    def __init__(self, ord_of: Callable[[str], int]) -> None:
        self._ord_of = ord_of
        self._queries: dict[str, int] = {}
        self._rows: tuple[array[int], ...] = (array("i"), array("i"), array("i"))
        self._times, self._worth = array("q"), array("f")
        self._listed: dict[tuple[str, int], int] = {}
        self._last: dict[str, tuple[int, int]] = {}

    def take(self, event: Event) -> None:
        if not event.visitor_id:
            return
        text = query_key(event.query)[: MAX_QUERY_CHARS + 1]
        if text and len(text) <= MAX_QUERY_CHARS and event.name in ("search", "view_item_list"):
            query = self._queries.setdefault(text, len(self._queries))
            self._last[event.visitor_id] = (query, event.time_ms)
            if event.name == "view_item_list":
                for line, item in enumerate(event.items):
                    ord_ = self._ord_of(item.item_id)
                    if ord_ >= 0:
                        place = item.index if item.index is not None else line
                        self._listed[event.visitor_id, ord_] = len(self._times)
                        self._add(query, ord_, min(max(place, 0), PLACES - 1), 0.0, event.time_ms)
        elif event.name == "view_item_list":
            self._last.pop(event.visitor_id, None)  # what follows is of another list
            for item in event.items:
                self._listed.pop((event.visitor_id, self._ord_of(item.item_id)), None)
        elif (worth := WORTH.get(event.name, 0.0) / MOST_WORTH) > 0:
            for item in event.items:
                ord_ = self._ord_of(item.item_id)
                if ord_ >= 0:
                    self._took(event.visitor_id, ord_, worth, event.time_ms)
        if len(self._listed) + len(self._last) > _MOST_OPEN:
            self._listed.clear()
            self._last.clear()

    def _took(self, visitor_id: str, ord_: int, worth: float, time_ms: int) -> None:
        row = self._listed.get((visitor_id, ord_), -1)
        if row < 0 or not 0 <= time_ms - self._times[row] <= _HALF_HOUR_MS:
            query, asked_ms = self._last.get(visitor_id, (-1, 0))
            if query < 0 or not 0 <= time_ms - asked_ms <= _HALF_HOUR_MS:
                return
            row = self._listed[visitor_id, ord_] = len(self._times)
            self._add(query, ord_, UNSEEN, 0.0, time_ms)
        self._worth[row] = max(self._worth[row], worth)

    def _add(self, query: int, ord_: int, place: int, worth: float, time_ms: int) -> None:
        for column, value in zip(self._rows, (query, ord_, place), strict=True):
            column.append(value)
        self._worth.append(worth)
        self._times.append(time_ms)

    def columns(
        self,
    ) -> tuple[tuple[str, ...], NDArray[np.int32], Ords, NDArray[np.int8], Scores, NDArray[np.int64]]:
        kept = slice(max(0, len(self._times) - MOST_ROWS), None)
        query, ords, place = (np.frombuffer(c, np.int32)[kept].copy() for c in self._rows)
        worth, times = np.frombuffer(self._worth, np.float32)[kept].copy(), np.frombuffer(self._times, np.int64)[kept]
        return tuple(self._queries), query, ords, place.astype(np.int8), worth, times.copy()


def clicked_arrays(judged: Judgements) -> dict[str, NDArray[Any]]:
    """What was taken after which search, as a version of the ranking keeps it: of each query the ords, in order."""
    taken = judged.gain > 0
    order = np.lexsort((judged.ords[taken], judged.query[taken]))
    query, ords, scores = judged.query[taken][order], judged.ords[taken][order], judged.gain[taken][order]
    used, starts = np.unique(query, return_index=True)
    text = "\n".join(judged.queries[row].replace("\n", " ") for row in used.tolist())
    return {
        "clicked_queries": np.frombuffer(text.encode(), np.uint8).copy(),
        "clicked_bounds": np.append(starts, len(query)).astype(np.int64),
        "clicked_ords": ords.astype(np.int32),
        "clicked_scores": scores.astype(np.float32),
    }
