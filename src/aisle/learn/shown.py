"""What was shown and what became of it: impressions as columns, for models of clicks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.types import Event, LoggedEvent, Ords

PLACES: Final = 24
"""Places of a list that are told apart; what is further down is the last of them."""

HOME, ASKED, BESIDE, ENGAGED = range(4)
"""Where a row comes from: a list of many kinds; one that a shopper asked for (a search, a category: its products are
of one kind); one beside a product; and, for what was opened, whether it was wanted enough to keep."""

KINDS: Final = 4
CLICKS: Final = frozenset({"select_item", "view_item"})
KEPT: Final = frozenset({"add_to_cart", "add_to_wishlist", "purchase"})
BESIDE_LISTS: Final = frozenset({"similar", "together", "viewed", "bought", "complementary", "cart", "after_purchase"})
MOST_ROWS: Final = 3_000_000
_HOME_SHARE: Final = 0.5
_MOST_OPEN: Final = 4_000_000
_HALF_HOUR_MS: Final = 1_800_000


@dataclass(frozen=True, slots=True)
class Shown:
    """One row a product shown to somebody, in the order of the log.

    `visitor` int32[n] counts from 0; `page` int32[n] numbers the lists, -1 for
    rows of kind ENGAGED; `place` int8[n] is where in the list, from 0; `kind`
    int8[n] as above; `clicked` bool[n].
    """

    visitor: NDArray[np.int32]
    page: NDArray[np.int32]
    ords: Ords
    place: NDArray[np.int8]
    kind: NDArray[np.int8]
    clicked: NDArray[np.bool_]

    @classmethod
    def read(cls, events: Iterable[LoggedEvent], ord_of: Callable[[str], int], category: NDArray[np.int32]) -> Self:
        """Every list that was shown, the newest three million rows.

        A click belongs to the newest list of the last half hour that showed the
        product. `category` int32[m] by ord tells lists of one kind from mixed ones.
        """
        log = _Reader(ord_of, category)
        for logged in events:
            log.take(logged.event)
        return cls(*log.columns())

    @property
    def has_lists(self) -> bool:
        """Whether the log tells what was shown, and not just what was opened."""
        return bool((self.page >= 0).any() and self.clicked[self.page >= 0].any())

    def __len__(self) -> int:
        return len(self.ords)


class _Reader:
    """Takes events in the order of the log."""

    def __init__(self, ord_of: Callable[[str], int], category: NDArray[np.int32]) -> None:
        self._ord_of, self._category = ord_of, category
        self._known: dict[str, int] = {}
        self._visitors: dict[str, int] = {}
        self._rows: tuple[array[int], ...] = tuple(array("i") for _ in range(5))
        self._times = array("q")
        self._clicked: list[int] = []
        self._listed: dict[int, int] = {}
        self._opened: dict[int, int] = {}
        self._n_pages = 0

    def take(self, event: Event) -> None:
        if not event.visitor_id or not event.items:
            return
        is_list, is_click = event.name == "view_item_list", event.name in CLICKS
        if not is_list and not is_click and event.name not in KEPT:
            return
        visitor = self._visitors.setdefault(event.visitor_id, len(self._visitors))
        ords = [self._ord(item.item_id) for item in event.items]
        if is_list:
            beside = event.items[0].item_list_id in BESIDE_LISTS
            kind = BESIDE if beside else _kind(ords, self._category)
            for line, (ord_, item) in enumerate(zip(ords, event.items, strict=True)):
                if ord_ >= 0:
                    place = item.index if item.index is not None else line
                    self._listed[visitor << 32 | ord_] = len(self._times)
                    self._add(event.time_ms, visitor, self._n_pages, ord_, min(max(place, 0), PLACES - 1), kind)
            self._n_pages += 1
        for ord_ in ords:
            if ord_ < 0 or is_list:
                continue
            key = visitor << 32 | ord_
            opened = self._recent(self._opened, key, event.time_ms)
            if not is_click:
                self._clicked += [opened] if opened >= 0 else []
                continue
            listed = self._recent(self._listed, key, event.time_ms)
            self._clicked += [listed] if listed >= 0 else []
            if opened < 0:
                self._opened[key] = len(self._times)
                self._add(event.time_ms, visitor, -1, ord_, 0, ENGAGED)
        if len(self._listed) + len(self._opened) > _MOST_OPEN:
            self._listed.clear()
            self._opened.clear()

    def _ord(self, item_id: str) -> int:
        ord_ = self._known.get(item_id)
        if ord_ is None:
            ord_ = self._ord_of(item_id)
            ord_ = self._known[item_id] = ord_ if ord_ < len(self._category) else -1
        return ord_

    def _recent(self, rows: dict[int, int], key: int, time_ms: int) -> int:
        row = rows.get(key, -1)
        return row if row >= 0 and time_ms - self._times[row] <= _HALF_HOUR_MS else -1

    def _add(self, time_ms: int, *row: int) -> None:
        for column, value in zip(self._rows, row, strict=True):
            column.append(value)
        self._times.append(time_ms)

    def columns(self) -> tuple[Any, ...]:
        """The columns of `Shown`: the newest rows."""
        clicked = np.zeros(len(self._times), bool)
        clicked[self._clicked] = True
        kept = slice(max(0, len(clicked) - MOST_ROWS), None)
        visitor, page, ords, place, kind = (np.frombuffer(c, np.int32)[kept].copy() for c in self._rows)
        return visitor, page, ords, place.astype(np.int8), kind.astype(np.int8), clicked[kept]


def _kind(ords: list[int], category: NDArray[np.int32]) -> int:
    """ASKED for a list of which most is of one category."""
    codes = category[[ord_ for ord_ in ords if ord_ >= 0]]
    codes = codes[codes >= 0]
    if not len(codes):
        return HOME
    return ASKED if np.bincount(codes).max() > _HOME_SHARE * len(codes) else HOME
