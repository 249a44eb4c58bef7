"""Frozen values to the dictionaries that orjson writes.

By hand, field by field: a page of 24 hits takes a twentieth of a millisecond,
and what the API shows is decided here, not by what a value happens to carry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from aisle.explain.reasons import sentence
from aisle.ports import Changes
from aisle.retrieve.reading import Reading
from aisle.retrieve.suggest import Typed
from aisle.serving.slate import group_title
from aisle.types import (
    Ack,
    Answer,
    Event,
    Hit,
    ItemPage,
    LoggedEvent,
    Money,
    Page,
    Product,
    Promotion,
    Reason,
    Review,
    Slate,
    Suggestion,
    Understood,
)
from aisle.understand.draft import name_of

TITLES: Mapping[str, Mapping[str, str]] = {
    "home": {"en": "Picked for you", "zh": "为您推荐"},
    "similar": {"en": "You may also like", "zh": "相似商品"},
    "together": {"en": "Often bought together", "zh": "经常一起购买"},
    "viewed": {"en": "Shoppers also viewed", "zh": "看过此商品的顾客也看了"},
    "trending": {"en": "Popular right now", "zh": "当前热门"},
    "complementary": {"en": "Goes well with it", "zh": "与它很搭"},
    "cart": {"en": "Goes well with your cart", "zh": "与您的购物车相配"},
    "after_purchase": {"en": "Goes well with what you bought", "zh": "与您刚买的很搭"},
    "buy_again": {"en": "Buy it again", "zh": "再次购买"},
    "rescue": {"en": "Nothing was found; perhaps one of these", "zh": "没有找到，也许您会喜欢这些"},
    "new_for_you": {"en": "New for you", "zh": "适合您的新品"},
    "followed": {"en": "From what you follow", "zh": "来自您的关注"},
    "group": {"en": "Explore", "zh": "发现"},
}
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def answer(body: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(dump(body), status, media_type="application/json")


def dump(body: Any) -> bytes:
    """JSON bytes; text that UTF-8 cannot carry (a lone surrogate) is replaced, not an error."""
    try:
        return orjson.dumps(body, option=_OPTIONS, default=str)
    except orjson.JSONEncodeError:
        return orjson.dumps(_clean(body), option=_OPTIONS, default=str)


def search_answer(slate: Slate, language: str) -> dict[str, Any]:
    """The body of /v1/search."""
    query = slate.query
    return {
        "list_id": slate.list_id,
        "query": query.text if query else "",
        "understood": [_understood(part) for part in query.understood] if query else [],
        "corrected": query.corrected if query else "",
        "intent": {"kind": query.intent, "confidence": query.intent_confidence} if query else None,
        "sort": query.sort if query else "",
        "given_up": [_understood(part) for part in query.given_up] if query else [],
        "answers": [_answer(one) for one in slate.answers],
        "n_hits": slate.n_hits,
        "page": slate.page,
        "n_pages": math.ceil(slate.n_hits / slate.hits_per_page),
        "hits_per_page": slate.hits_per_page,
        "hits": [_hit(hit, language) for hit in slate.hits],
        "facets": {
            name: [{"value": v.value, "count": v.count} for v in values] for name, values in slate.facets.items()
        },
        "facet_stats": {name: list(ends) for name, ends in slate.facet_stats.items()},
        "rescue": recommend_answer(slate.rescue, language) if slate.rescue else None,
        "took_ms": round(slate.took_ms, 3),
        "degraded": list(slate.degraded),
    }


def slate_json(slate: Slate, language: str) -> dict[str, Any]:
    """Any slate, as the address that answers with it would write it."""
    return search_answer(slate, language) if slate.query is not None else recommend_answer(slate, language)


def recommend_answer(slate: Slate, language: str) -> dict[str, Any]:
    """The body of /v1/recommend."""
    return {
        "list_id": slate.list_id,
        "surface": slate.surface,
        "title": TITLES.get(slate.surface, {}).get(language, slate.surface),
        "hits": [_hit(hit, language) for hit in slate.hits],
        "took_ms": round(slate.took_ms, 3),
        "degraded": list(slate.degraded),
    }


def suggest_answer(typed: Typed, took_ms: float) -> dict[str, Any]:
    """The body of /v1/suggest."""
    return {
        "suggestions": [_suggestion(s) for s in typed.suggestions],
        "products": [_suggestion(s) for s in typed.products],
        "took_ms": round(took_ms, 3),
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "text": suggestion.text,
        "kind": suggestion.kind,
        "item_id": suggestion.item_id,
        "image_link": suggestion.image_link,
        "highlight": suggestion.highlight,
        "recent": suggestion.recent,
        "price": money(suggestion.price),
        "was": money(suggestion.was),
    }


def item_answer(page: ItemPage, item_id: str) -> dict[str, Any]:
    """The body of /v1/items: the variant asked for, or the group's lead when asked by group."""
    group = page.group
    shown = next((p for p in group.products if p.item_id == item_id), group.lead)
    ordered = (shown, *(p for p in group.products if p is not shown))
    images = dict.fromkeys(link for p in ordered for link in (p.image_link, *p.additional_image_links) if link)
    return {
        "item_id": shown.item_id,
        "group_id": group.group_id,
        "title": shown.title if shown.item_id == item_id else group_title(group),
        "description": shown.description,
        "brand": shown.brand,
        "product_type": shown.product_type,
        "additional_product_types": list(shown.additional_product_types),
        "price": money(shown.price),
        "sale_price": money(shown.sale_price),
        "availability": shown.availability,
        "color": shown.color,
        "size": shown.size,
        "gender": shown.gender,
        "material": shown.material,
        "pattern": shown.pattern,
        "age_group": shown.age_group,
        "condition": shown.condition,
        "link": shown.link,
        "image_link": shown.image_link,
        "images": list(images),
        "variants": [_variant(p) for p in group.products],
        "attributes": {name: list(values) for name, values in shown.attributes.items()},
        "rating": None if page.rating is None else round(page.rating, 2),
        "n_reviews": page.n_reviews,
        "reviews": [_review(r) for r in page.reviews],
    }


def ack_answer(ack: Ack) -> dict[str, Any]:
    return {"event_id": ack.event_id, "seq": ack.seq, "duplicate": ack.duplicate}


def changes_answer(changes: Changes) -> dict[str, Any]:
    return {
        "n_added": changes.n_added,
        "n_changed": changes.n_changed,
        "n_unchanged": changes.n_unchanged,
        "n_removed": changes.n_removed,
        "seq": changes.seq,
    }


def promotion_answer(promotion: Promotion) -> dict[str, Any]:
    return {
        "promotion_id": promotion.promotion_id,
        "name": promotion.name,
        "description": promotion.description,
        "coupon_code": promotion.coupon_code,
        "starts_ms": promotion.starts_ms,
        "ends_ms": promotion.ends_ms,
        "details": dict(promotion.details),
    }


def page_answer(page: Page) -> dict[str, Any]:
    return {"page_id": page.page_id, "title": page.title, "text": page.text}


def reading_answer(reading: Reading, language: str, *, own: bool) -> dict[str, Any]:
    """A part of /v1/content; `own`: it is about what was asked for, not about what was looked at."""
    kind = "reading_about" if own else "reading_viewed"
    reason = Reason(f"{kind}_review" if reading.kind == "review" else kind, reading.subject, reading.about)
    return {
        "kind": reading.kind,
        "reading_id": reading.reading_id,
        "title": reading.title,
        "text": reading.text,
        "item_id": reading.about,
        "rating": reading.rating,
        "reviewer": reading.reviewer,
        "score": round(reading.score, 4),
        "reason": {"kind": reason.kind, "text": sentence(reason, language), "item_id": reason.item_id},
    }


def logged_answer(logged: LoggedEvent) -> dict[str, Any]:
    return {"seq": logged.seq, "event": event_answer(logged.event)}


def event_answer(event: Event) -> dict[str, Any]:
    """An event as it is sent, so that an export can be imported again."""
    body: dict[str, Any] = {
        "name": event.name,
        "visitor_id": event.visitor_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "event_id": event.event_id,
        "time_ms": event.time_ms,
        "list_id": event.list_id,
        "query": event.query,
        "items": [
            {
                "item_id": item.item_id,
                "price": money(item.price),
                "quantity": item.quantity,
                "index": item.index,
                "item_list_id": item.item_list_id,
            }
            for item in event.items
        ],
        "rating": event.rating,
        "value": money(event.value),
        "params": dict(event.params),
    }
    return {name: value for name, value in body.items() if value not in ("", None)}


def money(amount: Money | None) -> str | None:
    return None if amount is None else str(amount)


def _hit(hit: Hit, language: str) -> dict[str, Any]:
    return {
        "item_id": hit.item_id,
        "group_id": hit.group_id,
        "title": hit.title,
        "product_type": hit.product_type,
        "brand": hit.brand,
        "price": money(hit.price),
        "sale_price": money(hit.sale_price),
        "price_high": money(hit.price_high),
        "image_link": hit.image_link,
        "link": hit.link,
        "availability": hit.availability,
        "n_variants": hit.n_variants,
        "colors": list(hit.colors),
        "rating": None if hit.rating is None else round(hit.rating, 2),
        "n_reviews": hit.n_reviews,
        "score": round(float(hit.score), 6),
        "position": hit.position,
        "reasons": [{"kind": r.kind, "text": sentence(r, language), "item_id": r.item_id} for r in hit.reasons],
        "highlights": dict(hit.highlights),
    }


def _understood(part: Understood) -> dict[str, Any]:
    clause = part.clause
    return {
        "kind": part.kind,
        "text": part.text,
        "field": clause.field,
        "values": list(clause.values),
        "low": clause.low,
        "high": clause.high,
        "exclude": clause.exclude,
        "hard": part.hard,
        "ignore": name_of(part),
        "confidence": part.confidence,
    }


def _answer(one: Answer) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "target": one.target,
        "title": one.title,
        "text": one.text,
        "coupon_code": one.coupon_code,
        "ends_ms": one.ends_ms,
    }


def _variant(product: Product) -> dict[str, Any]:
    return {
        "item_id": product.item_id,
        "title": product.title,
        "color": product.color,
        "size": product.size,
        "material": product.material,
        "price": money(product.price),
        "sale_price": money(product.sale_price),
        "availability": product.availability,
        "quantity": product.quantity,
        "image_link": product.image_link,
        "additional_image_links": list(product.additional_image_links),
    }


def _review(review: Review) -> dict[str, Any]:
    return {
        "review_id": review.review_id,
        "item_id": review.item_id,
        "rating": review.rating,
        "title": review.title,
        "text": review.text,
        "reviewer": review.reviewer,
        "time_ms": review.time_ms,
    }


def _clean(body: Any) -> Any:
    if isinstance(body, str):
        return body.encode("utf-8", "replace").decode("utf-8")
    if isinstance(body, dict):
        return {_clean(name): _clean(value) for name, value in body.items()}
    if isinstance(body, list | tuple):
        return [_clean(value) for value in body]
    return body
