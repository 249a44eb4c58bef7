"""What a search asked for beside products: the offers that hold now, help pages, a category's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aisle.serving.intents import TASK as INTENT
from aisle.types import Answer, Page, Promotion, Query, Slate, now_ms
from aisle.understand.text import key, words
from aisle.understand.wordlists import GENDERS, STOP_WORDS

if TYPE_CHECKING:
    from aisle.parts import Parts

MAX_OFFERS = 6
MAX_PAGES = 2
MAX_TITLE_WORDS = 6
_OF_ORDERS = {"en": "order delivery", "zh": "订单 配送"}
"""What is asked of the pages where a question about an order has no word of theirs: "my socks never came"."""


class Answering:
    """Reads the shop's pages and promotions for a query's intent; made anew each time, for offers end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._titles: tuple[tuple[Page, ...], dict[str, Page]] = ((), {})

    def answered(self, slate: Slate, ignore: Sequence[str] = ()) -> Slate:
        """The slate with what answers its query; a query that is a page's name leads to the page."""
        if slate.query is None or not slate.query.text.strip():
            return slate
        query, version = self._parts.intents.read(slate.query, ignore)
        if version:
            slate = replace(slate, query=query, model_versions={**slate.model_versions, INTENT: version})
        if query.intent == "promotion":
            return replace(slate, answers=self._offers(query))
        if query.intent in ("product", "navigation") and (page := self._page_called(query)):
            named = replace(query, intent="navigation", intent_confidence=0.95)
            return replace(slate, query=named, answers=(_answer(page, ""),))
        if query.intent in ("help", "order"):
            return replace(slate, answers=self._pages(query))
        if query.intent == "navigation" and (path := self._category(query)):
            return replace(slate, answers=(Answer("category", path, path.rpartition(" > ")[2]),))
        return slate

    def _offers(self, query: Query) -> tuple[Answer, ...]:
        """Those that name what was asked about; when none does, all."""
        offers = self._parts.stores.content.promotions(now_ms())
        about = {w.stem for term in query.terms for w in words(term.text)}
        named = [p for p in offers if about & {w.stem for w in words(f"{p.name} {p.description}")}]
        return tuple(_offer(p) for p in (named or offers)[:MAX_OFFERS])

    def _pages(self, query: Query) -> tuple[Answer, ...]:
        found = self._parts.library.pages_for(query.text, query.language, MAX_PAGES)
        if not found and query.intent == "order":
            found = self._parts.library.pages_for(
                _OF_ORDERS.get(query.language, _OF_ORDERS["en"]), query.language, MAX_PAGES
            )
        return tuple(_answer(page, excerpt) for page, excerpt in found)

    def _page_called(self, query: Query) -> Page | None:
        n_spaces = query.text.count(" ")
        if n_spaces >= MAX_TITLE_WORDS:
            return None
        pages = self._parts.library.pages
        if self._titles[0] is not pages:
            named = {key(p.page_id.replace("-", " ").replace("_", " ")): p for p in pages}
            self._titles = pages, named | {key(p.title): p for p in pages}
        return self._titles[1].get(key(query.text))

    def _category(self, query: Query) -> str:
        """The path that the words name, for whom they name."""
        paths = next((u.clause.values for u in query.understood if u.kind == "category"), ())
        said = {w.stem for w in words(query.text)} | {
            g for u in query.understood if u.kind == "gender" for g in u.clause.values[:1]
        }

        def named(path: str) -> int:
            levels = [w for w in words(path) if w.text not in STOP_WORDS]
            genders = {g for w in levels for g in GENDERS.get(w.text, ())}
            return sum(w.stem in said for w in levels) + 2 * bool(genders & said)

        best: Sequence[str] = sorted(paths, key=named, reverse=True)
        return best[0] if best else ""


def _offer(promotion: Promotion) -> Answer:
    return Answer(
        "promotion",
        promotion.promotion_id,
        promotion.name,
        promotion.description if promotion.description != promotion.name else "",
        promotion.coupon_code,
        promotion.ends_ms,
    )


def _answer(page: Page, excerpt: str) -> Answer:
    return Answer("page", page.page_id, page.title, excerpt)
