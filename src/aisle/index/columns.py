"""The catalogue's small facts as arrays by ord, for masks and scores without a query."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.types import Group, Ords


@dataclass(frozen=True, slots=True)
class Facts:
    """One consistent view; every array has one row per ord, dead ones included.

    `category` and `brand` are codes into `categories` and `brands` (-1: none).
    """

    alive: NDArray[np.bool_]
    in_stock: NDArray[np.bool_]
    has_image: NDArray[np.bool_]
    category: NDArray[np.int32]
    brand: NDArray[np.int32]
    price: NDArray[np.float32]
    first_seen_ms: NDArray[np.int64]
    categories: Sequence[str]
    brands: Sequence[str]
    ord_of: Mapping[str, int]
    version: int

    @property
    def recommendable(self) -> NDArray[np.bool_]:
        """What can be bought now."""
        return self.alive & self.in_stock

    def ords_of(self, item_ids: Sequence[str]) -> Ords:
        """The ords of known, living items, in order, each once."""
        found = dict.fromkeys(o for i in item_ids if (o := self.ord_of.get(i, -1)) >= 0 and self.alive[o])
        return np.fromiter(found, np.int32, len(found))


_KINDS: dict[str, tuple[type[np.generic], float]] = {
    "alive": (np.bool_, 0),
    "in_stock": (np.bool_, 0),
    "has_image": (np.bool_, 0),
    "category": (np.int32, -1),
    "brand": (np.int32, -1),
    "price": (np.float32, np.nan),
    "first_seen_ms": (np.int64, 0),
}


class Columns:
    """Follows the catalogue. Readers take `facts`; one writer applies changes.

    Rows are overwritten in place (each write is atomic for its row and readers
    tolerate a row that is one change newer); growth replaces the arrays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrays = {name: np.empty(0, kind) for name, (kind, _) in _KINDS.items()}
        self._category_codes: dict[str, int] = {}
        self._brand_codes: dict[str, int] = {}
        self._ord_of: dict[str, int] = {}
        self._items_of: dict[int, tuple[str, ...]] = {}
        self._version = 0
        self.facts = self._view()

    def apply(self, groups: Sequence[Group]) -> None:
        """Take in changed groups; one without products is dead."""
        if not groups:
            return
        with self._lock:
            self._grow(max(g.ord for g in groups) + 1)
            for group in groups:
                self._apply_one(group)
            self._version += 1
            self.facts = self._view()

    def _apply_one(self, group: Group) -> None:
        a, o = self._arrays, group.ord
        names = (group.group_id, *(p.item_id for p in group.products)) if group.products else ()
        for name in names:
            self._ord_of[name] = o
        for gone in set(self._items_of.pop(o, ())).difference(names):
            if self._ord_of.get(gone) == o:
                del self._ord_of[gone]
        a["alive"][o] = bool(group.products)
        if not group.products:
            return
        lead = group.lead
        self._items_of[o] = names
        a["in_stock"][o] = any(p.availability != "out_of_stock" for p in group.products)
        a["has_image"][o] = bool(lead.image_link)
        a["category"][o] = self._code(self._category_codes, lead.product_type)
        a["brand"][o] = self._code(self._brand_codes, lead.brand)
        price = lead.current_price
        a["price"][o] = float(price.amount) if price else np.nan
        a["first_seen_ms"][o] = group.first_seen_ms

    @staticmethod
    def _code(codes: dict[str, int], value: str) -> int:
        return codes.setdefault(value, len(codes)) if value else -1

    def _grow(self, size: int) -> None:
        have = len(self._arrays["alive"])
        if size <= have:
            return
        capacity = max(size, have * 3 // 2, 64)
        for name, (kind, empty) in _KINDS.items():
            wider = np.full(capacity, empty, kind)
            wider[:have] = self._arrays[name]
            self._arrays[name] = wider

    def _view(self) -> Facts:
        return Facts(
            **self._arrays,
            categories=tuple(self._category_codes),
            brands=tuple(self._brand_codes),
            ord_of=self._ord_of,
            version=self._version,
        )
