"""What each shopper did lately, folded from the event log.

The fold is commutative and idempotent: any order of the same events, each once
or twice, gives the same state, byte for byte. Two facts make it so: a history is
the newest N rows by (time, event id, line), and what changes its mind (in the
cart or not, disliked or not) is a register that the latest event wins.
"""

from __future__ import annotations

import struct
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.learn.rows import add_row, hash64
from aisle.ports import Shopper
from aisle.settings import RecommendSettings
from aisle.types import Event, Ords

STRENGTHS: Final = {
    "select_item": 0.5,
    "view_item": 1.0,
    "share": 2.0,
    "add_to_wishlist": 2.0,
    "follow": 2.0,
    "add_to_cart": 3.0,
    "purchase": 5.0,
}
"""How much an event says of a taste, against a view of the product's page."""

RATING_STRENGTHS: Final = {3: 0.5, 4: 3.0, 5: 4.0}
"""The same for a rating, rounded; one or two stars is a dislike."""

KEPT_QUERIES: Final = 10
MARKS_PER_EVENT: Final = 4
CACHED_VIEWS: Final = 8192
DAY_MS: Final = 86_400_000
FORMAT: Final = 2

_ROW = struct.Struct("<QQHIIBB")  # time_ms, event, line, item, session, strength in tenths, unused
_ROW_TYPE = np.dtype(
    [
        ("time", "<u8"),
        ("event", "<u8"),
        ("line", "<u2"),
        ("item", "<u4"),
        ("session", "<u4"),
        ("strength", "u1"),
        ("unused", "u1"),
    ]
)
_MARK_TYPE = np.dtype([("item", "<u4"), ("register", "u1"), ("value", "u1"), ("time", "<u8"), ("event", "<u8")])

_CART, _BOUGHT, _DISLIKED = range(3)
_MARKS: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "add_to_cart": ((_CART, 1), (_DISLIKED, 0)),
    "remove_from_cart": ((_CART, 0),),
    "add_to_wishlist": ((_DISLIKED, 0),),
    "purchase": ((_CART, 0), (_BOUGHT, 1), (_DISLIKED, 0)),
    "refund": ((_BOUGHT, 0),),
    "not_interested": ((_DISLIKED, 1),),
}
_UNDONE: Final = {"not_interested": ((_DISLIKED, 0),)}
FOLLOWED: Final = ("brand", "product_type")
"""Params of a `follow` event that name what is followed."""

KEPT_FOLLOWS: Final = 50


class _State:
    """One visitor. `rows` are packed and sorted; `marks` map item*4+register to its newest stamp, `follows` names."""

    __slots__ = ("follows", "marks", "queries", "rows", "seen")

    def __init__(self) -> None:
        self.rows = bytearray()
        self.marks: dict[int, int] | None = None
        self.queries: list[tuple[int, int, str]] | None = None
        self.follows: dict[tuple[str, str], int] | None = None
        self.seen = 0


class ShopperStates:
    """Every visitor's state. One thread folds, any number of threads view.

    `ord_of` maps an item id to its ord, -1 when unknown; ids are kept in the
    state, so an item that the catalogue learns of later counts from then on
    (call `catalogue_changed`). About 300 bytes a visitor and 28 an event.
    """

    def __init__(self, settings: RecommendSettings, ord_of: Callable[[str], int]) -> None:
        self._limit = settings.history_length
        self._half_life_ms = settings.history_half_life_days * DAY_MS
        self._gap_ms = int(settings.session_gap_minutes * 60_000)
        self._ord_of = ord_of
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        self._items: list[str] = []
        self._item_index: dict[str, int] = {}
        self._views: dict[str, tuple[int, Shopper]] = {}
        self._seq = 0

    @property
    def seq(self) -> int:
        """The newest event folded in."""
        return self._seq

    def __len__(self) -> int:
        return len(self._states)

    def fold(self, seq: int, event: Event) -> None:
        """Take an event in. Impressions (view_item_list, view_promotion) say nothing of a taste.

        The param `undo` takes a `follow` or a `not_interested` back.
        """
        with self._lock:
            self._seq = max(self._seq, seq)
            name = event.name
            strength = STRENGTHS.get(name, 0.0)
            marks = _MARKS.get(name, ())
            if name == "rate" and event.rating is not None:
                strength = RATING_STRENGTHS.get(min(5, round(event.rating)), 0.0)
                marks = ((_DISLIKED, int(event.rating <= 2)),)
            undone = bool(event.params) and bool(event.params.get("undo"))
            if undone:
                strength, marks = 0.0, _UNDONE.get(name, ())
            searched = name == "search" and event.query.strip()
            follows = _followed(event) if name == "follow" else ()
            if not event.visitor_id or not (searched or follows or ((strength or marks) and event.items)):
                return
            state = self._states.get(event.visitor_id)
            if state is None:
                state = self._states[event.visitor_id] = _State()
            time_ms = max(0, event.time_ms)
            stamp = hash64(event.event_id or str(seq))
            if searched:
                self._add_query(state, (time_ms, stamp, " ".join(event.query.split())[:200]))
            for named in follows:
                self._follow(state, named, time_ms << 66 | stamp << 2 | int(not undone))
            session = hash64(event.session_id) & 0xFFFF_FFFF if event.session_id else 0
            for line, item in enumerate(event.items):
                index = self._index(item.item_id)
                if strength:
                    row = _ROW.pack(time_ms, stamp, line & 0xFFFF, index, session, round(strength * 10), 0)
                    add_row(state.rows, row, self._limit)
                for register, value in marks:
                    self._mark(state, index << 2 | register, time_ms << 66 | stamp << 2 | value)
            state.seen = max(state.seen, seq)
            self._views.pop(event.visitor_id, None)

    def _index(self, item_id: str) -> int:
        index = self._item_index.get(item_id)
        if index is None:
            index = self._item_index[item_id] = len(self._items)
            self._items.append(item_id)
        return index

    def _mark(self, state: _State, key: int, stamp: int) -> None:
        if state.marks is None:
            state.marks = {}
        if stamp > state.marks.get(key, -1):
            state.marks[key] = stamp
        if len(state.marks) > 2 * self._limit * MARKS_PER_EVENT:
            self._prune(state)

    def _prune(self, state: _State) -> None:
        """Forget all but the newest marks.

        Late, since finding the oldest looks at all of them; whoever reads the
        marks prunes first, so how late does not show.
        """
        most = self._limit * MARKS_PER_EVENT
        if state.marks is not None and len(state.marks) > most:
            marks = state.marks
            # By item id, not by index: indexes depend on the order in which events came.
            newest = sorted(marks, key=lambda k: (marks[k] >> 2, self._items[k >> 2], k & 3))[-most:]
            state.marks = {k: marks[k] for k in newest}

    @staticmethod
    def _follow(state: _State, named: tuple[str, str], stamp: int) -> None:
        follows = state.follows if state.follows is not None else {}
        if stamp > follows.get(named, -1):
            follows[named] = stamp
        newest = sorted(follows, key=lambda one: (-follows[one], one))[:KEPT_FOLLOWS]
        state.follows = {one: follows[one] for one in newest}

    @staticmethod
    def _add_query(state: _State, entry: tuple[int, int, str]) -> None:
        if state.queries is None:
            state.queries = []
        if entry not in state.queries:
            state.queries = sorted([*state.queries, entry])[-KEPT_QUERIES:]

    # ---------------------------------------------------------------- views

    def view(self, visitor_id: str, now_ms: int) -> Shopper:
        """The visitor as recommenders see them; an unknown one is new, never an error.

        Kept until that visitor does something or their session ends, so asking
        again costs a dictionary lookup. `version` differs whenever the view does.
        """
        kept = self._views.get(visitor_id)
        if kept is not None and now_ms < kept[0]:
            return kept[1]
        with self._lock:
            state = self._states.get(visitor_id)
            if state is None:
                return Shopper(visitor_id, _NO_ORDS, np.empty(0, np.float32), *(_NO_ORDS,) * 4)
            until, shopper = self._build(visitor_id, state, now_ms)
            if len(self._views) >= CACHED_VIEWS:
                self._views.clear()
            self._views[visitor_id] = (until, shopper)
            return shopper

    def _build(self, visitor_id: str, state: _State, now_ms: int) -> tuple[int, Shopper]:
        self._prune(state)
        marked: tuple[list[tuple[int, int]], ...] = ([], [], [])
        for key, stamp in (state.marks or {}).items():
            if stamp & 1:
                marked[key & 3].append((stamp, key >> 2))
        # Newest first; item ids break ties, so that a replay shows the same order.
        marked = tuple(sorted(m, key=lambda s: (-s[0], self._items[s[1]])) for m in marked)
        cart, bought, disliked = (self._ords(index for _, index in m) for m in marked)
        rows = np.frombuffer(bytes(state.rows), _ROW_TYPE)[::-1]
        rows = rows[rows["time"] <= now_ms + DAY_MS]  # a clock set wrong must not be "newest" for years
        ords = np.fromiter((self._ord_of(self._items[i]) for i in rows["item"].tolist()), np.int32, len(rows))
        known = (ords >= 0) & ~np.isin(ords, disliked)
        session_rows, until = self._session(rows, now_ms)
        recent, weights = self._weigh(rows[known], ords[known])
        queries = tuple(dict.fromkeys(text for _, _, text in reversed(state.queries or ())))
        set_aside, ends = self._set_aside(marked[_DISLIKED], rows, session_rows, now_ms)
        path = np.flatnonzero(known)[::-1]  # oldest first
        strengths = rows["strength"][path].astype(np.float32) / np.float32(10)
        begins = np.flatnonzero(steps(rows["session"][path], ords[path], strengths))
        if len(begins):
            strengths = np.maximum.reduceat(strengths, begins)
        path = path[begins]
        return min(until, ends), Shopper(
            visitor_id=visitor_id,
            recent=recent,
            weights=weights,
            session=_first_seen(ords[known & session_rows]),
            purchased=bought,
            cart=cart,
            disliked=disliked,
            queries=queries,
            version=state.seen << 1 | int(bool(session_rows.any())),
            sequence=ords[path],
            sequence_ms=rows["time"][path].astype(np.int64),
            strengths=strengths,
            n_session=int(session_rows[path].sum()),
            follows=tuple(named for named, stamp in (state.follows or {}).items() if stamp & 1),
            set_aside=set_aside,
        )

    def _set_aside(
        self, disliked: list[tuple[int, int]], rows: np.ndarray, session_rows: np.ndarray, now_ms: int
    ) -> tuple[Ords, int]:
        """What of `disliked` (newest first) was turned away since the session began, and until when this holds."""
        begun = int(rows["time"][session_rows].min()) if session_rows.any() else now_ms - self._gap_ms
        begun = min(begun, now_ms - self._gap_ms)
        lately = [(stamp, index) for stamp, index in disliked if begun <= stamp >> 66 <= now_ms + DAY_MS]
        # With a session going on it holds as long as the session does.
        holds = lately and not session_rows.any()
        ends = (min(lately)[0] >> 66) + self._gap_ms + 1 if holds else 2**62
        return self._ords(index for _, index in lately), ends

    def _session(self, rows: np.ndarray, now_ms: int) -> tuple[np.ndarray, int]:
        """Which rows (newest first) belong to the session going on, and until when this holds."""
        none = np.zeros(len(rows), bool)
        if not len(rows):
            return none, 2**62
        times = rows["time"].astype(np.int64)
        ends = int(times[0]) + self._gap_ms
        if now_ms > ends:
            return none, 2**62
        if rows["session"][0]:
            return rows["session"] == rows["session"][0], ends + 1
        gaps = np.flatnonzero(times[:-1] - times[1:] > self._gap_ms)
        none[: int(gaps[0]) + 1 if len(gaps) else len(rows)] = True
        return none, ends + 1

    def _weigh(self, rows: np.ndarray, ords: Ords) -> tuple[Ords, np.ndarray]:
        """Distinct ords, newest first, with weights summed and the largest 1.

        Ages count from the newest event, not from now: all weights fade alike,
        so the view need not be made anew as time goes by.
        """
        if not len(rows):
            return _NO_ORDS, np.empty(0, np.float32)
        ages = (rows["time"][0] - rows["time"]).astype(np.float64)
        strengths = rows["strength"] * np.exp2(-ages / self._half_life_ms)
        unique, first, inverse = np.unique(ords, return_index=True, return_inverse=True)
        order = np.argsort(first)
        weights = np.bincount(inverse, strengths)[order]
        return unique[order].astype(np.int32), (weights / weights.max()).astype(np.float32)

    def _ords(self, indexes: Iterable[int]) -> Ords:
        found = np.fromiter((self._ord_of(self._items[i]) for i in indexes), np.int32)
        return _first_seen(found[found >= 0])

    def catalogue_changed(self) -> None:
        """Item ids may map to other ords now."""
        with self._lock:
            self._views.clear()

    def erase(self, visitor_id: str) -> bool:
        """Forget a visitor; whether there was anything to forget."""
        with self._lock:
            self._views.pop(visitor_id, None)
            return self._states.pop(visitor_id, None) is not None

    # ------------------------------------------------------------ snapshots

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._lock:
            visitors = sorted(self._states)
            states = [self._states[v] for v in visitors]
            for state in states:
                self._prune(state)
            rows = np.frombuffer(b"".join(s.rows for s in states), _ROW_TYPE).copy()
            marks = [
                [(k >> 2, k & 3, t & 3, t >> 66, t >> 2 & _MASK64) for k, t in (s.marks or {}).items()] for s in states
            ]
            flat = np.array([mark for of_one in marks for mark in of_one], _MARK_TYPE)
            used = np.unique(np.concatenate([rows["item"], flat["item"]])).tolist()
            ranked = sorted(used, key=self._items.__getitem__)
            rank = np.zeros(len(self._items), np.uint32)
            rank[ranked] = np.arange(len(ranked))
            rows["item"], flat["item"] = rank[rows["item"]], rank[flat["item"]]
            owners = np.repeat(np.arange(len(states)), [len(m) for m in marks])
            flat = flat[np.lexsort((flat["register"], flat["item"], owners))]
            body = {
                "format": FORMAT,
                "history_length": self._limit,
                "seq": self._seq,
                "items": [self._items[i] for i in ranked],
                "visitors": visitors,
                "n_rows": [len(s.rows) // _ROW.size for s in states],
                "n_marks": [len(m) for m in marks],
                "rows": b64encode(rows.tobytes()).decode(),
                "marks": b64encode(flat.tobytes()).decode(),
                "queries": {v: s.queries for v, s in zip(visitors, states, strict=True) if s.queries},
                "follows": {
                    v: [[kind, name, str(stamp)] for (kind, name), stamp in s.follows.items()]
                    for v, s in zip(visitors, states, strict=True)
                    if s.follows
                },
            }
        return orjson.dumps(body)

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            body: dict[str, Any] = orjson.loads(data)
            if body["format"] != FORMAT or body["history_length"] != self._limit:
                raise ValueError("it was written under another format or history_length")
            rows, marks = b64decode(body["rows"]), np.frombuffer(b64decode(body["marks"]), _MARK_TYPE).tolist()
            states: dict[str, _State] = {}
            row_at = mark_at = 0
            for visitor, n_rows, n_marks in zip(body["visitors"], body["n_rows"], body["n_marks"], strict=True):
                state = states[visitor] = _State()
                state.rows = bytearray(rows[row_at * _ROW.size : (row_at + n_rows) * _ROW.size])
                row_at += n_rows
                if n_marks:
                    of_one = marks[mark_at : mark_at + n_marks]
                    state.marks = {i << 2 | r: t << 66 | e << 2 | v for i, r, v, t, e in of_one}
                    mark_at += n_marks
            for visitor, queries in body["queries"].items():
                states[visitor].queries = [(t, e, text) for t, e, text in queries]
            for visitor, follows in body["follows"].items():
                states[visitor].follows = {(kind, name): int(stamp) for kind, name, stamp in follows}
            if row_at * _ROW.size != len(rows) or mark_at != len(marks):
                raise ValueError("it was cut short")
            items, seq = list(body["items"]), int(body["seq"])
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise ValueError(f"the snapshot of shoppers cannot be read: {error}; replay the log") from None
        with self._lock:
            self._states, self._items, self._seq = states, items, seq
            self._item_index = {item_id: index for index, item_id in enumerate(items)}
            self._views.clear()


def _followed(event: Event) -> tuple[tuple[str, str], ...]:
    """What a `follow` event names by its params, as the catalogue writes it."""
    found = ((kind, str(event.params.get(kind, "")).strip()[:200]) for kind in FOLLOWED)
    return tuple(one for one in found if one[1])


def steps(context: np.ndarray, ords: np.ndarray, strength: np.ndarray) -> NDArray[np.bool_]:
    """Which rows are steps of their own, bool[n], for rows in the order of time.

    A click, the page it opens and the cart it ends in are one step; the same
    page opened again is another.
    """
    new = np.ones(len(ords), bool)
    new[1:] = (context[1:] != context[:-1]) | (ords[1:] != ords[:-1]) | (strength[1:] == strength[:-1])
    return new


_MASK64: Final = 2**64 - 1
_NO_ORDS: Final = np.empty(0, np.int32)


def _first_seen(ords: Ords) -> Ords:
    """Distinct values in the order in which they first occur."""
    unique, first = np.unique(ords, return_index=True)
    return unique[np.argsort(first)].astype(np.int32)
