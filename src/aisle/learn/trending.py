"""What is popular now: event weights that halve every so many days.

State is whole numbers in buckets of an eighth of a half-life, so folding is
exactly commutative (sums of floats are not), an event imported late lands where
it would have, one from the future waits for its time, and a shopper's events
can be taken out again.
"""

from __future__ import annotations

import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import orjson

from aisle.types import Event, Ords, Scores

WEIGHTS: Final = {"select_item": 1, "view_item": 2, "add_to_wishlist": 4, "add_to_cart": 6, "purchase": 10}
BUCKETS_PER_HALF_LIFE: Final = 8
DELTA_LIMIT: Final = 20_000
FORMAT: Final = 1

_BUCKET_BITS: Final = 32


class TrendingCounts:
    """Time-decayed popularity. One thread folds, any number of threads ask for `top`.

    Lines count, not quantities: one wholesaler's order of 10,000 is one wish.
    The order is made anew at most every `refresh_s` seconds.
    """

    def __init__(self, half_life_days: float, ord_of: Callable[[str], int], *, refresh_s: float = 5.0) -> None:
        self._half_life_days = half_life_days
        self._bucket_ms = max(1.0, half_life_days * 86_400_000 / BUCKETS_PER_HALF_LIFE)
        self._ord_of = ord_of
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._items: list[str] = []
        self._item_index: dict[str, int] = {}
        self._keys = np.empty(0, np.int64)  # item << 32 | bucket, ascending
        self._weights = np.empty(0, np.int64)
        self._delta: dict[int, int] = {}
        self._ords: np.ndarray | None = None  # of each item, until the catalogue changes
        self._top: tuple[float, int, Ords, Scores] | None = None
        self._changed = False
        self._seq = 0

    @property
    def seq(self) -> int:
        """The newest event folded in."""
        return self._seq

    def fold(self, seq: int, event: Event) -> None:
        """Count an event's items."""
        self._add(event, 1)
        self._seq = max(self._seq, seq)

    def unfold(self, event: Event) -> None:
        """Take out an event that was folded in (a shopper is erased)."""
        self._add(event, -1)

    def _add(self, event: Event, sign: int) -> None:
        weight = WEIGHTS.get(event.name, 0) * sign
        if not weight:
            return
        bucket = min(int(max(0, event.time_ms) / self._bucket_ms), 2**_BUCKET_BITS - 1)
        with self._lock:
            for item in event.items:
                index = self._item_index.get(item.item_id)
                if index is None:
                    index = self._item_index[item.item_id] = len(self._items)
                    self._items.append(item.item_id)
                key = index << _BUCKET_BITS | bucket
                self._delta[key] = self._delta.get(key, 0) + weight
            if len(self._delta) > DELTA_LIMIT:
                self._compact()
            self._changed = True

    def _compact(self) -> None:
        """Merge what is new into the sorted arrays; cells that came to nothing go."""
        if not self._delta:
            return
        keys = np.concatenate([self._keys, np.fromiter(self._delta.keys(), np.int64, len(self._delta))])
        weights = np.concatenate([self._weights, np.fromiter(self._delta.values(), np.int64, len(self._delta))])
        order = np.argsort(keys, kind="stable")
        keys, weights = keys[order], weights[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        weights = np.add.reduceat(weights, starts)
        kept = weights != 0
        self._keys, self._weights, self._delta = keys[starts][kept], weights[kept], {}

    def top(self, now_ms: int) -> tuple[Ords, Scores]:
        """Every item with any popularity, best first: ords int32[n], scores float32[n], the best 1."""
        kept = self._top
        at = time.monotonic()
        bucket = int(max(0, now_ms) / self._bucket_ms)
        if kept is not None and kept[1] == bucket and (not self._changed or at - kept[0] < self._refresh_s):
            return kept[2], kept[3]
        # One thread makes the order anew; the others take the last one meanwhile.
        if not self._lock.acquire(blocking=kept is None):
            assert kept is not None
            return kept[2], kept[3]
        try:
            self._changed = False
            ords, scores = self._score(bucket)
            self._top = (at, bucket, ords, scores)
        finally:
            self._lock.release()
        return ords, scores

    def now(self, now_ms: int) -> tuple[Ords, Scores]:
        """As `top`, made anew."""
        with self._lock:
            return self._score(int(max(0, now_ms) / self._bucket_ms))

    def _score(self, now_bucket: int) -> tuple[Ords, Scores]:
        nothing = np.empty(0, np.int32), np.empty(0, np.float32)
        delta = np.fromiter(self._delta.keys(), np.int64, len(self._delta))
        keys = np.concatenate([self._keys, delta])
        weights = np.concatenate([self._weights, np.fromiter(self._delta.values(), np.int64, len(self._delta))])
        buckets = keys & (2**_BUCKET_BITS - 1)
        past = buckets <= now_bucket
        if not past.any():
            return nothing
        # Against the newest bucket, not now: a log from years ago must not underflow to nothing.
        ages = buckets[past].max() - buckets
        decayed = np.where(past, weights * np.exp2(-np.maximum(ages, 0) / BUCKETS_PER_HALF_LIFE), 0.0)
        of_item = np.bincount(keys >> _BUCKET_BITS, decayed, minlength=len(self._items))
        if self._ords is None or len(self._ords) != len(self._items):
            self._ords = np.fromiter(map(self._ord_of, self._items), np.int64, len(self._items))
        known = self._ords >= 0
        sums = np.bincount(self._ords[known], of_item[known]) if known.any() else np.empty(0)
        found = np.flatnonzero(sums > 0)
        if not len(found):
            return nothing
        best = found[np.argsort(-sums[found], kind="stable")]
        return best.astype(np.int32), (sums[best] / sums[best[0]]).astype(np.float32)

    def catalogue_changed(self) -> None:
        """Item ids may map to other ords now; the order follows at its next refresh."""
        with self._lock:
            self._ords, self._changed = None, True

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._lock:
            self._compact()
            index = self._keys >> _BUCKET_BITS
            used = sorted(np.unique(index).tolist(), key=self._items.__getitem__)
            rank = np.zeros(len(self._items), np.int64)
            rank[used] = np.arange(len(used))
            keys = rank[index] << _BUCKET_BITS | self._keys & (2**_BUCKET_BITS - 1)
            order = np.argsort(keys)
            body = {
                "format": FORMAT,
                "half_life_days": self._half_life_days,
                "seq": self._seq,
                "items": [self._items[i] for i in used],
                "keys": b64encode(keys[order].astype("<i8").tobytes()).decode(),
                "weights": b64encode(self._weights[order].astype("<i8").tobytes()).decode(),
            }
        return orjson.dumps(body)

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            body: dict[str, Any] = orjson.loads(data)
            if body["format"] != FORMAT or body["half_life_days"] != self._half_life_days:
                raise ValueError("it was written under another format or half-life")
            keys = np.frombuffer(b64decode(body["keys"]), "<i8").astype(np.int64)
            weights = np.frombuffer(b64decode(body["weights"]), "<i8").astype(np.int64)
            items, seq = list(body["items"]), int(body["seq"])
            if len(keys) != len(weights) or (len(keys) and int(keys.max()) >> _BUCKET_BITS >= len(items)):
                raise ValueError("it was cut short")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the snapshot of popularity cannot be read: {error}; replay the log") from None
        with self._lock:
            self._keys, self._weights, self._items, self._seq = keys, weights, items, seq
            self._item_index = {item_id: index for index, item_id in enumerate(items)}
            self._delta, self._top, self._ords, self._changed = {}, None, None, False
