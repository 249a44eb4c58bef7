"""What may be suggested, kept at the newest change of the catalogue and of what shoppers search for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from aisle.ports import CatalogueFacts, LexicalIndex
from aisle.retrieve.suggest import Entry, Suggester, category_entries
from aisle.serving.slate import group_title
from aisle.types import Group

EVERY_S = 900.0
"""Seconds between looks at what shoppers have searched for."""

FEW = 5000
"""Products up to which a change of the catalogue gathers everything anew, new categories too, at once."""

CHINESE_WORDS = 20_000


class Suggestions:
    """The products as they are suggested, and the suggester over them, searches and categories."""

    def __init__(self) -> None:
        self.suggester = Suggester()
        self._entries: dict[int, Entry] = {}
        self._gathered_at, self._gathered_seq, self._took_s = -EVERY_S, -1, 0.0

    def changed(self, groups: Sequence[Group]) -> None:
        """Take in products; the next answer knows them."""
        fresh = {g.ord: _suggestable(g) for g in groups if g.products}
        gone = [g.ord for g in groups if not g.products]
        self._entries.update(fresh)
        for ord_ in gone:
            self._entries.pop(ord_, None)
        self.suggester.upsert(fresh.values())
        self.suggester.remove(str(o) for o in gone)

    def titles(self, facts: CatalogueFacts) -> list[tuple[str, str]]:
        """Every product's title with its category."""
        category, names = facts.category, facts.categories
        return [(e.text, names[c] if (c := int(category[o])) >= 0 else "") for o, e in list(self._entries.items())]

    def uncategorised(self, facts: CatalogueFacts) -> list[tuple[int, str]]:
        """The ord and title of every product without a category, in the order they came."""
        rows = np.flatnonzero(facts.alive & (facts.category < 0)).tolist()
        found = ((row, self._entries.get(row)) for row in rows)
        return [(row, entry.text) for row, entry in found if entry is not None]

    def is_due(self, seq: int, *, words_changed: bool, busy: bool = False) -> bool:
        """Whether to gather anew; `seq` is the newest event, `busy` while an import goes on."""
        since = time.monotonic() - self._gathered_at
        # While an import goes on they are out of date again as soon as they are made.
        rested = since >= (20 if busy else 2) * self._took_s
        if (self.suggester.stale or (words_changed and len(self._entries) <= FEW)) and rested:
            return True
        return since > EVERY_S and seq > self._gathered_seq

    def gather(self, lexical: LexicalIndex, queries: Mapping[str, int], seq: int) -> None:
        """Everything anew; a second for 45,000 products, so not while a shopper waits."""
        self._gathered_at, self._gathered_seq = time.monotonic(), seq
        categories = category_entries(dict(lexical.vocabulary("product_type")))
        chinese = dict(lexical.vocabulary("chinese", CHINESE_WORDS))
        self.suggester.rebuild([*list(self._entries.values()), *categories], queries, chinese)
        for word in list(chinese)[:1]:
            lexical.document_frequency(word)  # loads the segmenter here rather than with the first query
        self._took_s = time.monotonic() - self._gathered_at


def _suggestable(group: Group) -> Entry:
    lead = group.lead
    now = lead.current_price
    return Entry(
        group_title(group),
        item_id=lead.item_id,
        image_link=lead.image_link,
        key=str(group.ord),
        price=now,
        was=lead.price if now is not None and lead.price != now else None,
    )
