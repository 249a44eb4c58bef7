"""What each visitor was shown lately, folded from the event log: a click says more beside what was passed over.

Like `learn.shoppers`, the fold is commutative and idempotent: what a visitor was
shown is the newest rows by (time, event id, line).
"""

from __future__ import annotations

import struct
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.learn.rows import add_row, hash64
from aisle.learn.shown import BESIDE_LISTS, PLACES
from aisle.types import Event, Ords

KEPT: Final = 240
"""Products shown to one visitor that are remembered, the newest; 26 bytes each."""

FORMAT: Final = 1
_ROW = struct.Struct("<QQHIBB")  # time_ms, event, line, item, place, whether beside a product
_TYPE = np.dtype(
    [("time", "<u8"), ("event", "<u8"), ("line", "<u2"), ("item", "<u4"), ("place", "u1"), ("beside", "u1")]
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Products shown to one visitor, oldest first.

    `ords` int32[n], `place` int32[n] in its list, `page` uint64[n] tells lists
    apart, `beside` bool[n] for a list beside a product, `time_ms` int64[n].
    """

    ords: Ords
    place: NDArray[np.int32]
    page: NDArray[np.uint64]
    beside: NDArray[np.bool_]
    time_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ords)


class SeenStates:
    """Every visitor's. One thread folds, any number of threads view. `ord_of` as in `ShopperStates`."""

    def __init__(self, ord_of: Callable[[str], int], *, kept: int = KEPT) -> None:
        self._ord_of, self._limit = ord_of, kept
        self._lock = threading.Lock()
        self._rows: dict[str, bytearray] = {}
        self._items: list[str] = []
        self._item_index: dict[str, int] = {}

    def fold(self, seq: int, event: Event) -> None:
        """Take in a list that was shown; every other event leaves no trace."""
        if event.name != "view_item_list" or not event.visitor_id or not event.items:
            return
        time_ms = max(0, event.time_ms)
        stamp = hash64(event.event_id or str(seq))
        beside = event.items[0].item_list_id in BESIDE_LISTS
        with self._lock:
            rows = self._rows.setdefault(event.visitor_id, bytearray())
            for line, item in enumerate(event.items):
                index = self._item_index.get(item.item_id)
                if index is None:
                    index = self._item_index[item.item_id] = len(self._items)
                    self._items.append(item.item_id)
                place = min(max(line if item.index is None else item.index, 0), PLACES - 1)
                add_row(rows, _ROW.pack(time_ms, stamp, line & 0xFFFF, index, place, beside), self._limit)

    def view(self, visitor_id: str) -> Seen:
        """What this visitor was shown and the catalogue still knows; nothing for an unknown one."""
        with self._lock:
            rows = np.frombuffer(bytes(self._rows.get(visitor_id, b"")), _TYPE)
            ids = [self._items[index] for index in rows["item"].tolist()]
        ords = np.fromiter((self._ord_of(item_id) for item_id in ids), np.int32, len(ids))
        known = ords >= 0
        rows = rows[known]
        return Seen(
            ords[known], rows["place"].astype(np.int32), rows["event"].astype(np.uint64), rows["beside"] > 0,
            rows["time"].astype(np.int64),
        )  # fmt: skip

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._lock:
            visitors = sorted(self._rows)
            rows = np.frombuffer(b"".join(self._rows[v] for v in visitors), _TYPE).copy()
            used = sorted(np.unique(rows["item"]).tolist(), key=self._items.__getitem__)
            rank = np.zeros(len(self._items), np.uint32)
            rank[used] = np.arange(len(used))
            rows["item"] = rank[rows["item"]]
            body = {
                "format": FORMAT,
                "kept": self._limit,
                "items": [self._items[index] for index in used],
                "visitors": visitors,
                "n_rows": [len(self._rows[v]) // _ROW.size for v in visitors],
                "rows": b64encode(rows.tobytes()).decode(),
            }
        return orjson.dumps(body)

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            body: dict[str, Any] = orjson.loads(data)
            if body["format"] != FORMAT or body["kept"] != self._limit:
                raise ValueError("it was written under another format or length")
            rows, at, states = b64decode(body["rows"]), 0, {}
            for visitor, n_rows in zip(body["visitors"], body["n_rows"], strict=True):
                states[visitor] = bytearray(rows[at : at + n_rows * _ROW.size])
                at += n_rows * _ROW.size
            items = list(body["items"])
            if at != len(rows) or (at and np.frombuffer(rows, _TYPE)["item"].max() >= len(items)):
                raise ValueError("it was cut short")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the snapshot of what was shown cannot be read: {error}; replay the log") from None
        with self._lock:
            self._rows, self._items = states, items
            self._item_index = {item_id: index for index, item_id in enumerate(items)}
