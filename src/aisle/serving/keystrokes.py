"""As one types: suggestions and instant products, personal to the session.

Nothing slow on a keystroke: no encoder, no facets, no slate. Suggestions come from an index
of prefixes; products from their titles and, where no title has all words (a colour, a size),
from a handful of lexical hits for the words as they are likeliest to end.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from aisle.errors import AisleError
from aisle.ports import Shopper
from aisle.retrieve.suggest import NOBODY, Entry, Mine, Typed
from aisle.types import Suggestion, now_ms
from aisle.understand.highlight import highlighter
from aisle.understand.relaxing import relax

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle")

SESSION_LENGTH = 8
"""Products of the session, the newest first, that say what it is about."""

FADING = 0.85
OF_BRAND = 0.4
"""Share of a liking that is the maker's; the rest is the category's."""


class Keystrokes:
    """Answers each keystroke in the search box. May be asked by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def suggest(self, prefix: str, visitor_id: str, top_k: int, n_products: int) -> Typed:
        """See `Shop.suggest`."""
        suggester = self._parts.suggestions.suggester
        mine = self._mine(visitor_id) if visitor_id else NOBODY
        typed = suggester.complete(prefix, top_k, n_products=n_products, mine=mine)
        if not n_products or typed.n_whole or not prefix.strip():
            return typed
        # What has only some of the words is shown when nothing else has more of them.
        found = self._by_words(suggester.completed(prefix), n_products)
        return Typed(typed.suggestions, found, len(found)) if found else typed

    # -------------------------------------------------------------- products

    def _by_words(self, text: str, top_k: int) -> list[Suggestion]:
        """Products by the index of words, as understood but without their meaning."""
        parts = self._parts
        understood = parts.understander.understand(text)
        # What filters need not score as well, and what only speaks for a product can wait for the search itself.
        needed = tuple(term for term in understood.terms if term.required) or understood.terms
        query = replace(understood, terms=needed, understood=tuple(u for u in understood.understood if u.hard))
        try:
            found = parts.indexes.lexical.search(query, filters=query.filters, top_k=top_k)
            for milder in () if len(found.ords) else relax(understood):
                found = parts.indexes.lexical.search(milder, filters=milder.filters, top_k=top_k)
                if len(found.ords):
                    break
        except (AisleError, RuntimeError, OSError, MemoryError) as error:
            log.warning("no instant products: %s", error)
            return []
        mark = highlighter(understood)
        # As a search shows them: in the colour that was asked for.
        hits = parts.hits.hits(
            found.ords,
            found.bm25,
            wanted=tuple(u.clause for u in understood.understood),
            reasons=lambda _row, _group: (),
        )
        return [
            Suggestion(
                hit.title, "product", 0.0, hit.item_id, hit.image_link, mark(hit.title),
                price=hit.sale_price or hit.price, was=hit.price if hit.sale_price else None,
            )
            for hit in hits
        ]  # fmt: skip

    # -------------------------------------------------------------- personal

    def _mine(self, visitor_id: str) -> Mine:
        shopper = self._parts.shoppers.view(visitor_id, now_ms())
        if not len(shopper.session):
            return Mine(shopper.queries) if shopper.queries else NOBODY
        return Mine(shopper.queries, Liking(self._parts, shopper))


class Liking:
    """How much a session is about an entry, in [0, 1]: by the categories and makers of what was looked at."""

    def __init__(self, parts: Parts, shopper: Shopper) -> None:
        self._facts = facts = parts.columns.facts
        self._categories: dict[int, float] = {}
        self._brands: dict[int, float] = {}
        weight = 1.0
        for ord_ in shopper.session[:SESSION_LENGTH].tolist():
            self._categories.setdefault(int(facts.category[ord_]), weight)
            self._brands.setdefault(int(facts.brand[ord_]), weight)
            weight *= FADING
        self._categories.pop(-1, None)
        self._brands.pop(-1, None)
        self._leaves = {
            facts.categories[c].rpartition(">")[2].strip().casefold(): w for c, w in self._categories.items()
        }
        self._makers = {facts.brands[b].casefold(): w for b, w in self._brands.items()}

    def __call__(self, entry: Entry) -> float:
        if entry.kind == "product":
            ord_ = int(entry.key) if entry.key.isdigit() else -1
            if not 0 <= ord_ < len(self._facts.category):
                return 0.0
            of_brand = self._brands.get(int(self._facts.brand[ord_]), 0.0)
            return (1 - OF_BRAND) * self._categories.get(int(self._facts.category[ord_]), 0.0) + OF_BRAND * of_brand
        text = entry.text.casefold()
        of_leaf = max((w for leaf, w in self._leaves.items() if leaf in text), default=0.0)
        of_maker = max((w for maker, w in self._makers.items() if maker in text), default=0.0)
        return (1 - OF_BRAND) * of_leaf + OF_BRAND * of_maker
