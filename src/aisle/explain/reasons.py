"""Why a hit is shown, in the shopper's words.

A `Reason` is a kind and what fills its sentence; sentences are made last, in the
language of the page. Every hit has at least one reason.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aisle.han import simplified
from aisle.types import NOTHING, Clause, Group, Query, Reason

SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "because_viewed": {"en": "Because you viewed {subject}", "zh": "因为您看过{subject}"},
    "because_cart": {"en": "Goes with {subject} in your cart", "zh": "与您购物车中的{subject}相配"},
    "because_bought": {"en": "Because you bought {subject}", "zh": "因为您买过{subject}"},
    "bought_together": {"en": "Often bought with {subject}", "zh": "常与{subject}一起购买"},
    "viewed_together": {"en": "Shoppers who viewed {subject} also viewed this", "zh": "看过{subject}的顾客也看了它"},
    "similar_to": {"en": "Similar to {subject}", "zh": "与{subject}相似"},
    "goes_with": {"en": "Goes well with {subject}", "zh": "与{subject}很搭"},
    "goes_with_bought": {"en": "Goes well with {subject}, which you bought", "zh": "与您买过的{subject}很搭"},
    "buy_again": {"en": "You may be running out: bought before", "zh": "可能快用完了：您以前买过"},
    "comes_back": {"en": "You come back to this", "zh": "您常回来看它"},
    "kindred": {"en": "Liked by shoppers who look at {subject}", "zh": "喜欢{subject}的顾客也喜欢"},
    "in_group": {"en": "Part of {subject}", "zh": "属于“{subject}”"},
    "followed": {"en": "From {subject}, which you follow", "zh": "来自您关注的{subject}"},
    "new_for_you": {"en": "New in {subject}", "zh": "{subject}新品"},
    "reading_about": {"en": "Good to know about {subject}", "zh": "关于{subject}"},
    "reading_about_review": {"en": "What a customer says of {subject}", "zh": "顾客对{subject}的评价"},
    "reading_viewed": {"en": "Because you viewed {subject}", "zh": "因为您看过{subject}"},
    "reading_viewed_review": {"en": "About {subject}, which you viewed", "zh": "关于您看过的{subject}"},
    "graph_bought_with": {"en": "Bought with {subject}", "zh": "与{subject}一起购买过"},
    "graph_viewed_with": {"en": "Viewed with {subject}", "zh": "与{subject}一起浏览过"},
    "graph_brand": {"en": "Same brand as {subject}", "zh": "与{subject}同品牌"},
    "graph_category": {"en": "Same category as {subject}", "zh": "与{subject}同类"},
    "graph_color": {"en": "Same colour as {subject}", "zh": "与{subject}同色"},
    "graph_material": {"en": "Same material as {subject}", "zh": "与{subject}材质相同"},
    "graph_pattern": {"en": "Same pattern as {subject}", "zh": "与{subject}图案相同"},
    "graph_attribute": {"en": "Has much in common with {subject}", "zh": "与{subject}有共同特点"},
    "trending": {"en": "Popular right now", "zh": "当前热门"},
    "trending_hour": {"en": "Popular at this time of day", "zh": "此时段热门"},
    "trending_weekend": {"en": "Popular at the weekend", "zh": "周末热门"},
    "trending_weekday": {"en": "Popular on working days", "zh": "工作日热门"},
    "trending_season": {"en": "Popular at this time of year", "zh": "当季热门"},
    "trending_place": {"en": "Popular in {subject}", "zh": "{subject}热门"},
    "trending_category": {"en": "Popular in {subject}", "zh": "{subject}热门"},
    "new_here": {"en": "New in the shop", "zh": "新品上架"},
    "matches_query": {"en": "Matches “{subject}”", "zh": "匹配“{subject}”"},
    "close_meaning": {"en": "Close in meaning to “{subject}”", "zh": "与“{subject}”含义相近"},
    "matches_color": {"en": "In {subject}", "zh": "颜色：{subject}"},
    "matches_size": {"en": "Comes in size {subject}", "zh": "有{subject}码"},
    "matches_brand": {"en": "By {subject}", "zh": "品牌：{subject}"},
    "matches_category": {"en": "In {subject}", "zh": "类别：{subject}"},
    "matches_gender": {"en": "For {subject}", "zh": "适合：{subject}"},
    "matches_material": {"en": "Made of {subject}", "zh": "材质：{subject}"},
    "matches_attribute": {"en": "{subject}", "zh": "{subject}"},
    "matches_price": {"en": "Within your price", "zh": "符合您的价位"},
    "on_sale": {"en": "On sale", "zh": "促销中"},
    "well_reviewed": {"en": "Well reviewed: {subject} of 5", "zh": "好评：{subject} 分（满分 5 分）"},
}
"""Sentences by kind and language; English where a language has none."""

_WITHOUT_SUBJECT: Final = {
    "because_viewed": "for_you",
    "because_cart": "for_you",
    "because_bought": "for_you",
    "bought_together": "for_you",
    "viewed_together": "for_you",
    "similar_to": "for_you",
    "goes_with": "for_you",
    "goes_with_bought": "for_you",
    "kindred": "for_you",
    "in_group": "for_you",
    "followed": "for_you",
    "new_for_you": "new_here",
    "trending_place": "trending",
    "trending_category": "trending",
    "matches_query": "in_catalogue",
    "close_meaning": "in_catalogue",
    **{kind: kind.replace("graph_", "shares_") for kind in SENTENCES if kind.startswith("graph_")},
}
_PLAIN: Final[Mapping[str, Mapping[str, str]]] = {
    "for_you": {"en": "Picked for you", "zh": "为您挑选"},
    "in_catalogue": {"en": "In our catalogue", "zh": "本店商品"},
    "shares_bought_with": {"en": "Often bought together", "zh": "常一起购买"},
    "shares_viewed_with": {"en": "Often viewed together", "zh": "常一起浏览"},
    "shares_brand": {"en": "Same brand", "zh": "同品牌"},
    "shares_category": {"en": "Same category", "zh": "同类"},
    "shares_color": {"en": "Same colour", "zh": "同色"},
    "shares_material": {"en": "Same material", "zh": "材质相同"},
    "shares_pattern": {"en": "Same pattern", "zh": "图案相同"},
    "shares_attribute": {"en": "Much in common", "zh": "有共同特点"},
}

WELL_REVIEWED: Final = 4.0
MIN_REVIEWS: Final = 3
MAX_SUBJECT: Final = 60
_TIGHT: Final = frozenset({"zh"})
"""Languages that are written without spaces."""

_LATIN: Final = re.compile(r"[A-Za-z0-9…]")


def sentence(reason: Reason, language: str = "en") -> str:
    """The reason as a shopper reads it: plain text, to be escaped where it is put in a page."""
    kind = reason.kind
    if not reason.subject.strip():
        kind = _WITHOUT_SUBJECT.get(kind, kind)
    subject = reason.subject
    if kind == "matches_gender" and subject.casefold() in _SHOPPERS:
        subject = _SHOPPERS[subject.casefold()].get(language, subject)
    by_language = SENTENCES.get(kind) or _PLAIN.get(kind) or _PLAIN["in_catalogue"]
    text = by_language.get(language, by_language["en"])
    return _apart(text, _short(subject)) if language in _TIGHT else text.format(subject=_short(subject))


def _apart(text: str, subject: str) -> str:
    """Filled in with a space between Chinese and Latin letters, as Chinese is set; none at a bracket or an end."""
    before, found, after = text.partition("{subject}")
    if not found or not subject:
        return before + after
    left = " " if _CJK.search(before[-1:]) and _LATIN.match(subject) else ""
    right = " " if _CJK.search(after[:1]) and _LATIN.match(subject[-1]) else ""
    return f"{before}{left}{subject}{right}{after}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_SUBJECT else text[: MAX_SUBJECT - 1].rstrip() + "…"


# ----------------------------------------------------------- recommendations

_SHOPPERS: Final[Mapping[str, Mapping[str, str]]] = {
    "male": {"en": "men", "zh": "男士"},
    "female": {"en": "women", "zh": "女士"},
    "unisex": {"en": "everyone", "zh": "男女通用"},
}
"""Whom a product is for, from the feed's `gender`."""

_BY_RELATION: Final = {"viewed": "because_viewed", "cart": "because_cart", "bought": "because_bought"}
_BY_SOURCE: Final = {
    "similar": "similar_to",
    "content": "similar_to",
    "bought": "bought_together",
    "viewed": "viewed_together",
    "complements": "goes_with",
}
_PLAINLY: Final = {"buy_again": "buy_again", "repeats": "comes_back", "newest": "new_here"}
_TRENDING: Final = frozenset({"trending", "trending_category"})


def reasons_for_source(
    sources: Sequence[str],
    title: str = "",
    *,
    item_id: str = "",
    relation: str = "",
    category: str = "",
    named: Mapping[str, str] = NOTHING,
    moment: str = "",
    shared: Callable[[], Sequence[tuple[str, str]]] = tuple,
) -> tuple[Reason, ...]:
    """Why a recommendation is shown: the source with the largest share first, then what else holds.

    `title` and `item_id` are of the product that led here, `relation` what the
    shopper did with it (viewed, cart, bought); `category` of the hit itself.
    `named` gives the subject of sources that have one of their own (followed:
    the brand; near_query: the words; in_group: the group), and
    `moment` the circumstance that makes the category popular now
    (`hour:evening`, `place:gb`). `shared()` tells what the knowledge graph knows of
    the hit and the product that led here, as (relation, name), the most telling last.
    """
    reasons: list[Reason] = []
    for source in sources:
        if source in _PLAINLY:
            found = Reason(_PLAINLY[source])
        elif source == "complements" and relation == "bought":
            found = Reason("goes_with_bought", title, item_id)
        elif source in _BY_SOURCE:
            found = Reason(_BY_SOURCE[source], title, item_id)
        elif source == "near_query":
            found = Reason("close_meaning", named.get(source, ""))
        elif source in ("followed", "in_group"):
            found = Reason(source, named.get(source, ""))
        elif source == "kindred":
            found = Reason("kindred", title, item_id)
        elif source == "new_for_you":
            found = Reason("new_for_you", leaf(category))
        elif source in _TRENDING and moment:
            found = _of_moment(moment)
        elif source == "trending_category":
            found = Reason("trending_category", leaf(category))
        elif source == "trending":
            found = Reason("trending")
        else:  # the sources that read the shopper, by whatever model
            found = Reason(_BY_RELATION.get(relation, "because_viewed"), title, item_id)
        # One product is named once; a reason about it that is weaker adds nothing.
        if not any(r.kind == found.kind or (found.item_id and r.item_id == found.item_id) for r in reasons):
            reasons.append(found)
    # That something led here says little; what both have in common says why it did.
    if reasons and title and reasons[0].kind in _VAGUE:
        # The product is named already: the short form.
        reasons[1:1] = [reason_for_step(relation, name, "", item_id=item_id) for relation, name in shared()[-1:]]
    return tuple(reasons[:2]) or (Reason("trending"),)


def _of_moment(moment: str) -> Reason:
    kind, _, value = moment.partition(":")
    if kind == "week":
        return Reason("trending_weekend" if value == "end" else "trending_weekday")
    if kind == "place":
        return Reason("trending_place", " ".join(w.upper() if len(w) < 3 else w.title() for w in value.split("/")[-1:]))
    return Reason(f"trending_{kind}")


_VAGUE: Final = frozenset({"because_viewed", "because_cart", "because_bought", "similar_to"})
_BY_STEP: Final = {"bought_with": "graph_bought_with", "viewed_with": "graph_viewed_with", "by": "graph_brand"}


def reason_for_step(relation: str, name: str, title: str, *, item_id: str = "") -> Reason:
    """What the knowledge graph knows of a hit and the product called `title` (a `Step` of `retrieve.paths`)."""
    kind = _BY_STEP.get(relation, "graph_category")
    if relation == "has_attribute":
        kind = f"graph_{name.partition(':')[0]}"
        kind = kind if kind in SENTENCES else "graph_attribute"
    return Reason(kind, title, item_id)


def leaf(product_type: str) -> str:
    """`Men > Tops > Hoodies` is Hoodies."""
    return product_type.rsplit(">", 1)[-1].strip()


# ------------------------------------------------------------------- search

_WORD: Final = re.compile(r"\w+")
_CJK: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


def reasons_for_match(
    query: Query, group: Group, *, rating: float | None = None, n_reviews: int = 0
) -> tuple[Reason, ...]:
    """Why a product answers a query: its words, then what was understood and the product has."""
    return MatchReasons(query)(group, rating, n_reviews)


_UNSAID: Final = frozenset({"sort", "sale", "item", "word", "age"})
"""What was understood that makes no sentence of its own; being on sale has one anyhow."""


class MatchReasons:
    """`reasons_for_match` for the many products of one answer: the query is read once."""

    def __init__(self, query: Query, *, by_meaning: bool = True) -> None:
        """`by_meaning`: whether meaning took part, so that a product without the words is near in meaning."""
        self._understood = tuple(u for u in query.understood if not u.clause.exclude and u.kind not in _UNSAID)
        typed = dict.fromkeys(_WORD.findall(query.corrected or query.text))
        self._words = [(word, _fold(word), bool(_CJK.search(word))) for word in typed]
        self._far = Reason("close_meaning", query.semantic_text.strip() or query.text.strip())
        self._is_near = by_meaning and bool(query.text.strip())

    def __call__(self, group: Group, rating: float | None = None, n_reviews: int = 0) -> tuple[Reason, ...]:
        reasons = []
        words = self._shared_words(group)
        if words:
            reasons.append(Reason("matches_query", words))
        elif self._is_near:
            reasons.append(self._far)
        for part in self._understood:
            if part.kind == "price":
                if _within_price(part.clause, group):
                    reasons.append(Reason("matches_price"))
            elif value := _held(part.kind, part.clause, group):
                reasons.append(Reason(f"matches_{part.kind}", value))
        lead = group.lead
        if lead.price and lead.sale_price and lead.sale_price.amount < lead.price.amount:
            reasons.append(Reason("on_sale"))
        if rating is not None and rating >= WELL_REVIEWED and n_reviews >= MIN_REVIEWS:
            reasons.append(Reason("well_reviewed", f"{rating:.1f}"))
        if not reasons:
            shelf = lead.product_type
            reasons.append(Reason("matches_category", leaf(shelf)) if shelf else Reason("new_here"))
        return tuple(dict.fromkeys(reasons))[:3]

    def _shared_words(self, group: Group) -> str:
        """The shopper's words that the product's title, brand, category or colours contain, as typed."""
        if not self._words:
            return ""
        lead = group.lead
        colors = {p.color for p in group.products} if len(group.products) > 1 else (lead.color,)
        text = _fold(f"{lead.title} {lead.brand} {lead.product_type} {' '.join(colors)}")
        have: set[str] = set()
        shared = []
        for word, folded, is_chinese in self._words:
            if folded[: max(len(folded) - 3, 1)] not in text:  # what every form of it begins with
                continue
            have = have or set(_WORD.findall(text))
            if folded in have or (is_chinese and folded in text) or (len(folded) > 3 and _has_form(folded, have)):
                shared.append(word)
        return " ".join(shared)


def _has_form(word: str, have: set[str]) -> bool:
    """Whether one of them begins as the word does up to the last two letters: hoodie, hoodies."""
    first, n = word[:2], len(word)
    for other in have:
        if other[:2] == first and -2 <= len(other) - n <= 2:
            shorter = min(len(other), n) - 1
            if other[:shorter] == word[:shorter]:
                return True
    return False


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else simplified(unicodedata.normalize("NFKC", text).casefold())


def _held(kind: str, clause: Clause, group: Group) -> str:
    """Which of the values the group really has, as the catalogue writes it."""
    wanted = {_fold(v) for v in clause.values}
    if kind == "category":
        return next((leaf(v) for v in clause.values if _fold(leaf(v)) in _fold(group.lead.product_type)), "")
    for product in group.products:
        if kind in {"color", "size", "gender", "brand", "material"}:
            own: tuple[str, ...] = (getattr(product, kind),)
        else:
            own = product.attributes.get(clause.field, ())
        found = next((v for v in own if _fold(v) in wanted), "")
        if found:
            return found
    return ""


def _within_price(clause: Clause, group: Group) -> bool:
    low = -math.inf if clause.low is None else clause.low
    high = math.inf if clause.high is None else clause.high
    return any(low <= float(p.current_price.amount) <= high for p in group.products if p.current_price)
