"""The words that name each product, as numbers by ord: what ranking compares a query's words with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.index.documents import shared_title
from aisle.types import Group, Ords, Scores

TITLE_WORDS: Final = 24
"""Words of a title that are kept."""

NAME_WORDS: Final = 16
"""Words of brand, category, colours, material and pattern that are kept."""

NONE: Final = -1

Codes = NDArray[np.int32]
Tokens = Callable[[str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class WordTable:
    """One view: `title` int32[n, TITLE_WORDS] and `names` int32[n, NAME_WORDS] by ord, NONE beyond the last word.

    `frequency` float32[m] counts the products that have each word, by code, and
    `is_number` bool[m] tells which words have a digit.
    """

    title: Codes
    names: Codes
    frequency: Scores
    is_number: NDArray[np.bool_]
    n_products: int
    code_of: Callable[[str], int]

    def of(self, ords: Ords) -> tuple[Codes, Codes]:
        """Title and names of those products, a row each; no words of one that is newer than this view."""
        known = ords < len(self.title)
        rows = np.where(known, ords, 0)
        if not len(self.title):
            return np.full((len(ords), TITLE_WORDS), NONE, np.int32), np.full((len(ords), NAME_WORDS), NONE, np.int32)
        here = known[:, None]
        return np.where(here, self.title[rows], np.int32(NONE)), np.where(here, self.names[rows], np.int32(NONE))

    def rarity(self, codes: Codes) -> Scores:
        """float32[k]: log((n + 1) / (f + 1)) of each word; an unknown one (NONE) is as rare as can be."""
        frequency = np.where(codes >= 0, self.frequency[codes], 0) if len(self.frequency) else np.zeros(len(codes))
        return np.log((self.n_products + 1) / (frequency + 1)).astype(np.float32)


class TitleWords:
    """Follows the catalogue. Readers take `table`; one writer applies changes.

    `tokens` cuts a text into the forms that queries are compared by.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._lock = threading.Lock()
        self._codes: dict[str, int] = {}
        # Never without a row: a product that came a moment ago is looked up here too.
        self._title = np.full((1, TITLE_WORDS), NONE, np.int32)
        self._names = np.full((1, NAME_WORDS), NONE, np.int32)
        self._frequency = np.empty(0, np.float32)
        self._is_number = np.empty(0, np.bool_)
        self._alive: set[int] = set()
        self.table = self._view()

    def apply(self, groups: Sequence[Group]) -> None:
        """Take in changed groups; one without products is dead."""
        if not groups:
            return
        with self._lock:
            self._grow(max(g.ord for g in groups) + 1)
            for group in groups:
                self._take(group)
            self.table = self._view()

    def _take(self, group: Group) -> None:
        o = group.ord
        if o in self._alive:
            self._count(o, -1)
            self._alive.discard(o)
        self._title[o], self._names[o] = NONE, NONE
        if not group.products:
            return
        lead = group.lead
        leaf = lead.product_type.rpartition(">")[2]
        names = dict.fromkeys(v for p in group.products for v in (p.color, p.material, p.pattern) if v)
        named = " ".join((lead.brand, leaf, *names))
        for row, text in ((self._title[o], shared_title(group)), (self._names[o], named)):
            codes = [self._code(token) for token in self._tokens(text)][: len(row)]
            row[: len(codes)] = codes
        self._alive.add(o)
        self._count(o, 1)

    def _code(self, token: str) -> int:
        code = self._codes.get(token)
        if code is None:
            code = self._codes[token] = len(self._codes)
            if code >= len(self._frequency):
                room = max(1024, 2 * code)
                self._frequency = np.concatenate((self._frequency, np.zeros(room - code, np.float32)))
                self._is_number = np.concatenate((self._is_number, np.zeros(room - code, np.bool_)))
            self._is_number[code] = any(c.isdigit() for c in token)
        return code

    def _count(self, o: int, change: int) -> None:
        codes = {*self._title[o].tolist(), *self._names[o].tolist()} - {NONE}
        self._frequency[list(codes)] += change

    def _grow(self, size: int) -> None:
        have = len(self._title)
        if size <= have:
            return
        capacity = max(size, have * 3 // 2, 64)
        for name in ("_title", "_names"):
            old = getattr(self, name)
            wider = np.full((capacity, old.shape[1]), NONE, np.int32)
            wider[:have] = old
            setattr(self, name, wider)

    def _view(self) -> WordTable:
        codes = self._codes
        return WordTable(
            self._title,
            self._names,
            self._frequency,
            self._is_number,
            len(self._alive),
            lambda token: codes.get(token, NONE),
        )
