"""What is wanted when, where and on what: counts of engagement by hour band, weekday, season, place and device.

State is whole numbers, so folding is exactly commutative. Nothing fades: a
season is compared with the same season of other years. Times are UTC, for
events and for answers alike, so a band is the same hours of the shop's crowd.
"""

from __future__ import annotations

import threading
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import gmtime
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.types import Context, Event, Scores

WEIGHTS: Final = {"view_item": 1, "add_to_wishlist": 2, "add_to_cart": 3, "purchase": 5}
BANDS: Final = ("night", "morning", "afternoon", "evening")
MAX_PLACE: Final = 64
PRIOR: Final = 200.0
"""Weight of "as ever" against what a circumstance has shown: about so many views before it is believed."""

BOUND: Final = 2.0
"""A category is lifted at most by this factor, and lowered by its inverse."""

TELLING: Final = 1.4
"""Least lift for a circumstance to be named as a reason."""

REFRESH_EVENTS: Final = 500
FORMAT: Final = 1
_ALL: Final = "all"


def circumstances(context: Context) -> tuple[str, ...]:
    """The circumstances of a moment, as `hour:evening`, `week:end`, `season:4`, `place:gb/leeds`, `device:phone`."""
    found: list[str] = []
    if context.time_ms > 0:
        when = gmtime(min(context.time_ms, 10**14) / 1000)
        found = [
            f"hour:{BANDS[when.tm_hour // 6]}",
            f"week:{'end' if when.tm_wday >= 5 else 'day'}",
            f"season:{(when.tm_mon - 1) // 3 + 1}",
        ]
    place = context.place.strip().casefold()[:MAX_PLACE]
    country = place.split("/", 1)[0].strip()
    found += [f"place:{one}" for one in dict.fromkeys((country, place)) if one]
    return (*found, f"device:{context.device}") if context.device else tuple(found)


@dataclass(frozen=True, slots=True)
class Lift:
    """How a context moves what is popular: `factor` float32[c] by category code, and the circumstance that tells.

    `telling` has a circumstance for each category that one lifts enough to be named, else "".
    """

    factor: Scores
    telling: tuple[str, ...]


class CircumstanceCounts:
    """Engagement by circumstance and item. One thread folds, any number of threads ask."""

    def __init__(self, ord_of: Callable[[str], int]) -> None:
        self._ord_of = ord_of
        self._lock = threading.Lock()
        self._items: list[str] = []
        self._item_index: dict[str, int] = {}
        self._counts: dict[str, array[int]] = {_ALL: array("q")}
        self._places: dict[str, dict[int, int]] = {}  # most are rare: a row of all items each would be dear
        self._kept: dict[tuple[str, ...], tuple[tuple[int, int], Lift]] = {}
        self._n_folded = 0

    def fold(self, seq: int, event: Event) -> None:
        """Count an event's items under its circumstances; params `place` and `device` name those of their kind."""
        weight = WEIGHTS.get(event.name, 0)
        if not weight or not event.items:
            return
        place, device = str(event.params.get("place", "")), str(event.params.get("device", ""))
        known: Any = device if device in ("phone", "desk") else ""
        keys = circumstances(Context(event.time_ms, place, known))
        with self._lock:
            self._n_folded += 1
            for item in event.items:
                index = self._item_index.get(item.item_id)
                if index is None:
                    index = self._item_index[item.item_id] = len(self._items)
                    self._items.append(item.item_id)
                for key in (_ALL, *keys):
                    if key.startswith("place:"):
                        at = self._places.setdefault(key, {})
                        at[index] = at.get(index, 0) + weight
                        continue
                    row = self._counts.get(key)
                    if row is None:
                        row = self._counts[key] = array("q")
                    if index >= len(row):
                        row.frombytes(bytes(8 * (index + 1 - len(row))))
                    row[index] += weight

    def lift(self, context: Context, category: NDArray[np.int32], n_categories: int, version: int) -> Lift | None:
        """What `context` does to each of `n_categories`; None when nothing is known of it.

        `category` int32[n] is each ord's code, `version` changes with it. Kept until some hundred events later.
        """
        keys = circumstances(context)
        state = (version, self._n_folded // REFRESH_EVENTS)
        kept = self._kept.get(keys)
        if kept is None or kept[0] != state:
            with self._lock:
                made = self._lift(keys, category, n_categories)
            if len(self._kept) > 256:
                self._kept.clear()
            self._kept[keys] = kept = (state, made)
        return kept[1] if len(kept[1].factor) else None

    def _lift(self, keys: Sequence[str], category: NDArray[np.int32], n_categories: int) -> Lift:
        ords = np.fromiter(map(self._ord_of, self._items), np.int64, len(self._items))
        known = (ords >= 0) & (ords < len(category))
        codes = np.where(known, category[np.where(known, ords, 0)], -1)
        usual = self._by_category(self._row(_ALL), codes, n_categories)
        if not usual.sum():
            return Lift(np.empty(0, np.float32), ())
        usual = (usual + 1e-9) / (usual.sum() + 1e-9 * n_categories)
        factor = np.ones(n_categories)
        best, telling = np.full(n_categories, TELLING), np.zeros(n_categories, np.int64)
        for place, key in enumerate(keys, 1):
            here = self._by_category(self._row(key), codes, n_categories)
            lifted = (here + PRIOR * usual) / (here.sum() + PRIOR) / usual
            factor *= lifted
            # A device moves the order, but "popular on phones" is no reason to like a thing.
            if not key.startswith("device:"):
                telling = np.where(lifted > best, place, telling)
                best = np.maximum(best, lifted)
        names = ("", *keys)
        return Lift(
            np.clip(factor, 1 / BOUND, BOUND).astype(np.float32), tuple(names[place] for place in telling.tolist())
        )

    def _row(self, key: str) -> NDArray[np.int64]:
        if key.startswith("place:"):
            row = np.zeros(len(self._items), np.int64)
            at = self._places.get(key, {})
            row[list(at)] = list(at.values())
            return row
        counts = np.array(self._counts.get(key, ()), np.int64)
        return np.pad(counts, (0, len(self._items) - len(counts)))

    @staticmethod
    def _by_category(row: NDArray[np.int64], codes: NDArray[np.int64], n: int) -> NDArray[np.float64]:
        return np.bincount(codes[codes >= 0], row[codes >= 0], minlength=n)[:n].astype(np.float64)

    # ------------------------------------------------------------ snapshots

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._lock:
            order = sorted(range(len(self._items)), key=self._items.__getitem__)
            rows = {key: self._row(key)[order].astype("<i8").tobytes() for key in sorted(self._counts)}
            dense = {key: b64encode(row).decode() for key, row in rows.items()}
            names = [self._items[i] for i in order]
            places = {k: sorted((self._items[i], n) for i, n in self._places[k].items()) for k in sorted(self._places)}
            body = {"format": FORMAT, "items": names, "counts": dense, "places": places}
        return orjson.dumps(body)

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            body: dict[str, Any] = orjson.loads(data)
            if body["format"] != FORMAT:
                raise ValueError("it was written under another format")
            items = list(body["items"])
            index = {item_id: n for n, item_id in enumerate(items)}
            counts = {}
            for key, text in body["counts"].items():
                row = np.frombuffer(b64decode(text), "<i8")
                if len(row) != len(items):
                    raise ValueError("it was cut short")
                counts[key] = array("q", row.tolist())
            places = {key: {index[item]: int(n) for item, n in found} for key, found in body["places"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the snapshot of circumstances cannot be read: {error}; replay the log") from None
        with self._lock:
            self._items, self._item_index, self._places = items, index, places
            self._counts, self._kept, self._n_folded = {_ALL: array("q")} | counts, {}, 0
