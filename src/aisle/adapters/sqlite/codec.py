"""Values to compact JSON and back, exactly.

A product and an event are JSON arrays in a fixed order: half the bytes of
objects, and quicker to read. Money is text ("52.00 USD"), never a float. Fields
are only ever added at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson

from aisle.adapters.sqlite.frozen import constructor
from aisle.errors import InvalidEvent, InvalidProduct
from aisle.types import NOTHING, Event, EventItem, LoggedEvent, Money, Page, Product, Promotion, Review, Slate

EventRow: TypeAlias = tuple[str, int, str, str, str, str, str, str, float | None, bytes]
"""event_id, time_ms, name, visitor_id, session_id, list_id, query, item_id, value, data."""

EVENT_COLUMNS = "seq, event_id, time_ms, name, visitor_id, session_id, list_id, query, data"
"""What `logged_event` reads."""

_FARTHEST_MS = 2**53

_new_product = constructor(Product)
_new_event = constructor(Event)
_new_logged_event = constructor(LoggedEvent)


def money_text(money: Money | None) -> str | None:
    return None if money is None else f"{money.amount} {money.currency}"


@lru_cache(maxsize=65_536)
def _money(text: str) -> Money:
    amount, _, currency = text.rpartition(" ")
    return Money(Decimal(amount), currency)


# ----------------------------------------------------------------- products


def product_bytes(product: Product) -> bytes:
    """The same bytes for equal products. Raises InvalidProduct for text that is not Unicode."""
    attributes = product.attributes
    try:
        return orjson.dumps(
            [
                product.item_id,
                product.title,
                product.group_id,
                product.description,
                product.link,
                product.image_link,
                product.additional_image_links,
                product.availability,
                money_text(product.price),
                money_text(product.sale_price),
                product.brand,
                product.product_type,
                product.additional_product_types,
                product.color,
                product.size,
                product.gender,
                product.material,
                product.pattern,
                product.age_group,
                product.condition,
                product.quantity,
                dict(sorted(attributes.items())) if attributes else 0,
            ]
        )
    except TypeError as error:
        raise InvalidProduct(f"product {product.item_id[:80]!r} cannot be stored: {error}") from error


def product(data: bytes) -> Product:
    row = orjson.loads(data)
    row[6] = tuple(row[6])
    if row[8] is not None:
        row[8] = _money(row[8])
    if row[9] is not None:
        row[9] = _money(row[9])
    row[12] = tuple(row[12])
    row[21] = _frozen({name: tuple(values) for name, values in row[21].items()}) if row[21] else NOTHING
    return _new_product(*row)


def _frozen(mapping: dict[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(mapping)


# ------------------------------------------------------------------- events


def _item_json(item: EventItem) -> str | list[Any]:
    if item.price is None and item.quantity == 1 and item.index is None and not item.item_list_id:
        return item.item_id
    return [item.item_id, money_text(item.price), item.quantity, item.index, item.item_list_id]


def _worth(event: Event) -> float | None:
    """The amount of an order: its value, or what its items add up to."""
    if event.value is not None:
        return float(event.value.amount)
    if event.name not in ("purchase", "refund"):
        return None
    prices = [float(item.price.amount) * item.quantity for item in event.items if item.price is not None]
    return sum(prices) if prices else None


def event_row(event: Event, event_id: str, time_ms: int) -> EventRow:
    """The columns of an event but `seq`. Raises InvalidEvent for what cannot be stored."""
    if not -_FARTHEST_MS < time_ms < _FARTHEST_MS:
        raise InvalidEvent(f"event {event_id[:80]!r}: no such time: {time_ms} ms", field="time_ms")
    items = event.items
    try:
        data = orjson.dumps(
            [
                event.user_id,
                event.rating,
                money_text(event.value),
                [_item_json(item) for item in items],
                dict(event.params) if event.params else 0,
            ]
        )
        # Columns reach SQLite as UTF-8: half a surrogate pair must not get that far.
        for text in (event_id, event.visitor_id, event.session_id, event.list_id, event.query):
            if not text.isascii():
                text.encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise InvalidEvent(f"event {event_id[:80]!r} cannot be stored: {error}") from error
    return (
        event_id,
        time_ms,
        event.name,
        event.visitor_id,
        event.session_id,
        event.list_id,
        event.query,
        items[0].item_id if items else "",
        _worth(event),
        data,
    )


@lru_cache(maxsize=65_536)
def _bare_item(item_id: str) -> tuple[EventItem, ...]:
    return (EventItem(item_id),)


@lru_cache(maxsize=65_536)
def _item(item_id: str, price: str | None, quantity: int, index: int | None, item_list_id: str) -> EventItem:
    return EventItem(item_id, None if price is None else _money(price), quantity, index, item_list_id)


def _items(rows: list[Any]) -> tuple[EventItem, ...]:
    if len(rows) == 1 and type(rows[0]) is str:
        return _bare_item(rows[0])
    return tuple([_bare_item(row)[0] if type(row) is str else _item(*row) for row in rows])


def logged_event(row: Sequence[Any]) -> LoggedEvent:
    """An event from `EVENT_COLUMNS`."""
    seq, event_id, time_ms, name, visitor_id, session_id, list_id, query, data = row
    user_id, rating, value, items, params = orjson.loads(data)
    return _new_logged_event(
        seq,
        _new_event(
            name,
            visitor_id,
            _items(items) if items else (),
            time_ms,
            event_id,
            session_id,
            user_id,
            list_id,
            query,
            rating,
            None if value is None else _money(value),
            _frozen(params) if params else NOTHING,
        ),
    )


# ------------------------------------------------------------------- slates


def slate_bytes(slate: Slate) -> bytes:
    """What learning needs of an answer: lists aligned with each other, best first."""
    hits = slate.hits
    return orjson.dumps(
        {
            "page": slate.page,
            "hits_per_page": slate.hits_per_page,
            "took_ms": slate.took_ms,
            "language": slate.query.language if slate.query else "",
            "corrected": slate.query.corrected if slate.query else "",
            "items": [hit.item_id for hit in hits],
            "groups": [hit.group_id for hit in hits],
            "positions": [hit.position for hit in hits],
            "scores": [float(hit.score) for hit in hits],
            "sources": [hit.sources for hit in hits],
            "propensities": [float(p) for p in slate.propensities],
            "model_versions": dict(slate.model_versions),
            # A column that is 0 throughout says nothing, and the fifth digit after the point decides nothing.
            "features": {
                n: [round(float(x), 5) for x in values] for n, values in slate.features.items() if any(values)
            },
            "degraded": slate.degraded,
            "context": {
                "time_ms": slate.context.time_ms,
                "place": slate.context.place,
                "device": slate.context.device,
            },
            "rescue": slate.rescue.list_id if slate.rescue else "",
        }
    )


# ------------------------------------------------------------------ content


def review_bytes(review: Review) -> bytes:
    return orjson.dumps([review.title, review.text, review.reviewer])


def review(review_id: str, item_id: str, rating: float, time_ms: int, data: bytes) -> Review:
    title, text, reviewer = orjson.loads(data)
    return Review(review_id, item_id, rating, title, text, reviewer, time_ms)


def promotion_bytes(promotion: Promotion) -> bytes:
    return orjson.dumps([promotion.name, promotion.description, promotion.coupon_code, dict(promotion.details) or 0])


def promotion(promotion_id: str, starts_ms: int, ends_ms: int, data: bytes) -> Promotion:
    name, description, coupon_code, details = orjson.loads(data)
    frozen = _frozen(details) if details else NOTHING
    return Promotion(promotion_id, name, description, coupon_code, starts_ms, ends_ms, frozen)


def page_bytes(page: Page) -> bytes:
    return orjson.dumps([page.title, page.text])


def page(page_id: str, data: bytes) -> Page:
    return Page(page_id, *orjson.loads(data))
