"""Recent sessions of everybody, folded from the event log: what neighbours are found among.

The state is the newest N steps of the log by (time, event id, line), which any
order of arrival leaves the same. The index over them is made from the state,
and every later step is added to it as it comes: a session that has just
happened is a neighbour at once. Steps that come late (imports, another day's
events) are in the state at once and in the index when it is made anew.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.learn.rows import hash64
from aisle.learn.session_index import NOBODY, SessionIndex
from aisle.learn.shoppers import STRENGTHS, steps
from aisle.types import Event

FORMAT: Final = 1
MOST_FRESH: Final = 5000
"""Steps that are added one by one; more of them, and the index is made anew."""

GROWTH: Final = 0.25
"""Share of the steps that may be added one by one before the index is made anew."""

_ROW = struct.Struct("<QQHIIqB")
_ROW_TYPE: Final = np.dtype(
    [
        ("time", "<u8"),
        ("event", "<u8"),
        ("line", "<u2"),
        ("item", "<u4"),
        ("session", "<u4"),
        ("visitor", "<i8"),
        ("strength", "u1"),
    ]
)
_KEY: Final = ["time", "event", "line"]


class _Open(NamedTuple):
    """A visitor's newest session in the index."""

    row: int
    session: int
    time_ms: int
    ord: int
    strength: int


class _Made(NamedTuple):
    """An index and, of each visitor (int64[n], ascending), the newest session as it was then."""

    over: SessionIndex
    visitors: NDArray[np.int64]
    newest: NDArray[np.int64]
    sessions: NDArray[np.int64]
    last: np.ndarray
    opened: dict[int, _Open]


class RecentSessions:
    """The newest steps of all shoppers, and the index of their sessions.

    One thread folds, any number ask for the `index`. A visitor is a hash of
    their id. 35 bytes a step in the state and about 20 in the index.
    `whole_histories` takes all steps of a visitor for one session; only events
    of these `names` are steps.
    """

    def __init__(
        self,
        limit: int,
        ord_of: Callable[[str], int],
        *,
        gap_minutes: float = 30.0,
        whole_histories: bool = False,
        names: Collection[str] = STRENGTHS,
    ) -> None:
        self._limit = limit
        self._gap_ms = int(gap_minutes * 60_000)
        self._ord_of = ord_of
        self._whole = whole_histories
        self._names = frozenset(names)
        self._lock = threading.Lock()  # short: what comes in
        self._making = threading.RLock()  # long: the state and the index are put in order
        self._items: list[str] = []
        self._item_index: dict[str, int] = {}
        self._rows = np.empty(0, _ROW_TYPE)  # by key, each once
        self._pending = bytearray()
        self._fresh: list[tuple[int, int, int, int, int]] = []  # what the index has not yet
        self._made: _Made | None = None
        self._n_made = 0
        self._due = False
        self._look_again = False
        self._n_unknown = 0
        self._seq = 0

    @property
    def seq(self) -> int:
        """The newest event folded in."""
        return self._seq

    def __len__(self) -> int:
        """Steps in the state."""
        with self._making:
            return len(self._settled())

    def fold(self, seq: int, event: Event) -> None:
        """Take an event in. Impressions are no steps."""
        strength = STRENGTHS.get(event.name, 0.0) if event.name in self._names else 0.0
        self._seq = max(self._seq, seq)
        if not strength or not event.visitor_id or not event.items:
            return
        visitor = owner_of(event.visitor_id)
        session = hash64(event.session_id) & 0xFFFF_FFFF if event.session_id else 0
        stamp, time_ms, tenths = hash64(event.event_id or str(seq)), max(0, event.time_ms), round(strength * 10)
        with self._lock:
            for line, item in enumerate(event.items):
                index = self._item_index.get(item.item_id)
                if index is None:
                    index = self._item_index[item.item_id] = len(self._items)
                    self._items.append(item.item_id)
                self._pending += _ROW.pack(time_ms, stamp, line & 0xFFFF, index, session, visitor, tenths)
                if len(self._fresh) <= MOST_FRESH:
                    self._fresh.append((visitor, session, time_ms, index, tenths))
            full = len(self._pending) > max(self._limit // 2, MOST_FRESH) * _ROW.size
        if full:
            with self._making:
                self._settled()

    def _settled(self, *, for_index: bool = False) -> np.ndarray:
        """The state in order, each row once, the newest ones. Call under `_making`."""
        with self._lock:
            pending, self._pending = bytes(self._pending), bytearray()
            if for_index:
                self._fresh = []
        if pending:
            rows = np.frombuffer(pending, _ROW_TYPE)
            # Nearly always all of it is newer than the state: then the state need not be sorted again.
            at = int(np.searchsorted(self._rows["time"], rows["time"].min()))
            rows = np.concatenate([self._rows[at:], rows])
            rows = rows[np.lexsort((rows["line"], rows["event"], rows["time"]))]
            new = np.ones(len(rows), bool)
            new[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in _KEY])
            self._rows = np.concatenate([self._rows[:at], rows[new]])[-self._limit :]
        return self._rows

    # ----------------------------------------------------------------- index

    def index(self) -> SessionIndex:
        """The sessions as they are now. Made at the first call; later steps are added as they are asked for."""
        made = self._made
        if made is None:
            with self._making:
                if self._made is None:
                    self._make()
                made = self._made
            assert made is not None
        # One thread adds what is new; the others need not wait for it.
        if self._fresh and self._making.acquire(blocking=False):
            try:
                if self._made is made:
                    self._absorb(made)
            finally:
                self._making.release()
        return made.over

    def refresh(self) -> bool:
        """Make the index anew where what came cannot be added to it; for a thread that nobody waits for."""
        if self._made is None:
            return False
        if self._look_again:
            self._look_again = False
            self._due = self._due or sum(self._ord_of(item) < 0 for item in list(self._items)) != self._n_unknown
        if not (self._due or len(self._fresh) > MOST_FRESH):
            return False
        with self._making:
            self._make()
        return True

    def take_for_sessions(self, *, whole_histories: bool) -> None:
        """What counts as a session from the next refresh on, as the model was fitted."""
        if whole_histories != self._whole:
            self._whole, self._due = whole_histories, True

    def catalogue_changed(self) -> None:
        """Items that were unknown may be known now: looked at when it is time to refresh."""
        self._look_again = True

    def _make(self) -> None:
        self._due = False
        rows = self._settled(for_index=True)
        ords = np.fromiter(map(self._ord_of, self._items), np.int64, len(self._items))
        self._n_unknown = int((ords < 0).sum())
        rows = rows[np.argsort(rows["visitor"], kind="stable")]
        found = ords[rows["item"]] if len(rows) else np.empty(0, np.int64)
        rows, found = rows[found >= 0], found[found >= 0].astype(np.int32)
        visitor, session, time_ms = rows["visitor"], rows["session"], rows["time"].astype(np.int64)
        begins = np.ones(len(rows), bool)
        begins[1:] = visitor[1:] != visitor[:-1]
        if not self._whole:
            gap = (session[1:] == 0) & (np.diff(time_ms) > self._gap_ms)
            begins[1:] |= (session[1:] != session[:-1]) | gap
        context = np.cumsum(begins)
        kept = steps(context, found, rows["strength"])
        starts = np.flatnonzero(begins[kept])
        ends = np.append(starts[1:], int(kept.sum()))
        lasts = np.append(np.flatnonzero(begins)[1:] - 1, len(rows) - 1)[: len(starts)]
        order = np.argsort(time_ms[lasts], kind="stable")
        sizes = (ends - starts)[order]
        at = np.repeat(starts[order] - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(found[kept]))
        index = SessionIndex.of_lists(
            found[kept][at].astype(np.int32), sizes, visitor[lasts][order], time_ms[lasts][order]
        )
        row_of = np.empty(len(order), np.int64)
        row_of[order] = np.arange(len(order))
        newest = np.ones(len(lasts), bool)
        newest[:-1] = visitor[lasts][1:] != visitor[lasts][:-1]
        last = np.stack([time_ms[lasts], found[lasts], rows["strength"][lasts]], axis=1)[newest]
        self._made = _Made(
            index, visitor[lasts][newest], row_of[newest], session[lasts][newest].astype(np.int64), last, {}
        )
        self._n_made = index.n_steps

    def _absorb(self, made: _Made) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            self._due = self._due or len(fresh) > MOST_FRESH  # more came than was kept
        for visitor, session, time_ms, item, strength in fresh:
            ord_ = self._ord_of(self._items[item])
            if ord_ < 0:
                self._n_unknown = -1  # looked for again whenever the catalogue changes
                continue
            before = made.opened.get(visitor) or _newest(made, visitor)
            if before is not None and time_ms < before.time_ms - self._gap_ms:
                self._due = True  # of an earlier session: its place is found when the index is made anew
                continue
            row = self._add(made.over, before, visitor, session, time_ms, ord_, strength)
            latest = max(time_ms, before.time_ms) if before is not None else time_ms
            made.opened[visitor] = _Open(row, session, latest, ord_, strength)
        if made.over.n_steps > (1 + GROWTH) * self._n_made + 4 * MOST_FRESH:
            self._due = True

    def _add(
        self,
        index: SessionIndex,
        before: _Open | None,
        visitor: int,
        session: int,
        time_ms: int,
        ord_: int,
        strength: int,
    ) -> int:
        """The row of the session that the step is in now."""
        if before is None:
            return index.begin(visitor, ord_, time_ms)
        goes_on = self._whole or (
            session == before.session and (session != 0 or time_ms - before.time_ms <= self._gap_ms)
        )
        if goes_on and ord_ == before.ord and strength != before.strength:
            return before.row  # a click, the page it opens, the cart: one step
        if goes_on and index.extend(before.row, ord_, time_ms):
            return before.row
        return index.begin(visitor, ord_, time_ms)

    # ------------------------------------------------------------- snapshots

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._making:
            rows = self._settled().copy()
            with self._lock:
                items = list(self._items)
            used = np.unique(rows["item"]).tolist()
            ranked = sorted(used, key=items.__getitem__)
            rank = np.zeros(len(items), np.uint32)
            rank[ranked] = np.arange(len(ranked))
            rows["item"] = rank[rows["item"]] if len(rows) else rows["item"]
            head = {"format": FORMAT, "limit": self._limit, "seq": self._seq, "items": [items[i] for i in ranked]}
            return orjson.dumps(head) + b"\n" + rows.tobytes()

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            head, _, body = data.partition(b"\n")
            told: dict[str, Any] = orjson.loads(head)
            if told["format"] != FORMAT or told["limit"] != self._limit:
                raise ValueError("it was written under another format or limit")
            rows = np.frombuffer(body, _ROW_TYPE)
            items, seq = [str(item) for item in told["items"]], int(told["seq"])
            if len(rows) and int(rows["item"].max()) >= len(items):
                raise ValueError("it was cut short")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the snapshot of sessions cannot be read: {error}; replay the log") from None
        with self._making, self._lock:
            self._rows, self._items, self._seq = rows, items, seq
            self._item_index = {item_id: index for index, item_id in enumerate(items)}
            self._pending, self._fresh, self._made = bytearray(), [], None
            self._due = False


def owner_of(visitor_id: str) -> int:
    """The number under which a visitor's sessions stand in the index."""
    return (hash64(visitor_id) ^ 1 << 63) - (1 << 63) if visitor_id else NOBODY  # as an int64


def _newest(made: _Made, visitor: int) -> _Open | None:
    at = int(np.searchsorted(made.visitors, visitor))
    if at == len(made.visitors) or made.visitors[at] != visitor:
        return None
    time_ms, ord_, strength = made.last[at].tolist()
    return _Open(int(made.newest[at]), int(made.sessions[at]), time_ms, ord_, strength)
