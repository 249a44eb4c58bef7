"""Order lines to purchase and refund events: the lines of one order, shopper and time are one event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from aisle.errors import InvalidEvent
from aisle.intake.event_fields import MAX_ITEMS, event_from_mapping, money
from aisle.intake.identities import Occurrences
from aisle.intake.tables import reject, text_of
from aisle.intake.text import one_line, scalar_text
from aisle.intake.times import parse_time
from aisle.types import Event, EventItem, Money, Reject

OPEN_ORDERS = 1000
"""Orders that may still get lines; exports keep an order's lines together, or nearly."""


@dataclass(slots=True)
class _Order:
    first: dict[str, Any]
    line: int
    visitor_id: str
    time_ms: int
    items: list[EventItem] = field(default_factory=list)


class OrderLines:
    """Collects lines into orders and gives each order out once it is surely complete."""

    def __init__(self, file: str, currency: str, now_ms: int, occurrences: Occurrences) -> None:
        self._file, self._currency, self._now_ms = file, currency, now_ms
        self._occurrences = occurrences
        self._open: dict[tuple[str, str, str, int], _Order] = {}

    def add(self, line: int, name: str, row: dict[str, Any]) -> Iterator[Event | Reject]:
        """Take one line; a negative quantity makes it a refund."""
        get = row.get
        try:
            item, name = self._item(row, name)
            time_ms = self._time(row)
            order_id = _text(get("transaction_id"))
            visitor_id = _text(get("visitor_id")) or _text(get("user_id"))
            if not visitor_id:
                visitor_id = _guest(name, order_id, time_ms)
        except InvalidEvent as error:
            yield reject(self._file, line, error.field, str(error), get(error.field) or text_of(row))
            return
        key = (name, order_id, visitor_id, time_ms)
        order = self._open.get(key)
        if order is None:
            row["name"] = name
            order = self._open[key] = _Order(row, line, visitor_id, time_ms)
            if len(self._open) > OPEN_ORDERS:
                yield self._event(self._open.pop(next(iter(self._open))))
        order.items.append(item)
        if len(order.items) == MAX_ITEMS:
            yield self._event(self._open.pop(key))

    def finish(self) -> Iterator[Event | Reject]:
        """The orders still open, oldest first."""
        while self._open:
            yield self._event(self._open.pop(next(iter(self._open))))

    def _item(self, row: Mapping[str, Any], name: str) -> tuple[EventItem, str]:
        item_id = _text(row.get("item_id"))
        if not item_id:
            raise InvalidEvent("a line needs an item_id", field="item_id")
        quantity = _whole(row.get("quantity", 1))
        if quantity < 0:
            name = "refund"
        price = row.get("price")
        try:
            paid = None if price is None else money(price, _text(row.get("currency")) or self._currency)
        except (TypeError, ValueError) as error:
            raise InvalidEvent(str(error), field="price") from None
        return EventItem(item_id, paid, abs(quantity)), name

    def _time(self, row: Mapping[str, Any]) -> int:
        value = row.get("time", row.get("time_ms", row.get("timestamp_micros")))
        if value is None:
            return self._now_ms
        try:
            return parse_time(value)
        except (ValueError, OverflowError):
            raise InvalidEvent("not a time (write ISO 8601, or a Unix number)", field="time") from None

    def _event(self, order: _Order) -> Event | Reject:
        """The finished event, through the same checks as any other."""
        row = order.first
        parts = [row["name"], _text(row.get("transaction_id")), order.visitor_id, str(order.time_ms)]
        parts += [f"{i.item_id}\x1f{i.quantity}\x1f{i.price}" for i in order.items]
        head = {key: value for key, value in row.items() if key in _OF_ORDER}
        head |= {"visitor_id": order.visitor_id, "time_ms": order.time_ms, "items": [order.items[0].item_id]}
        total = _total(order.items)
        if total is not None:
            head.setdefault("value", float(total.amount))
        default_id = self._occurrences.identify("\x1e".join(parts).encode("utf-8", "replace"))
        try:
            event = event_from_mapping(head, currency=self._currency, now_ms=self._now_ms, default_id=default_id)
        except InvalidEvent as error:
            return reject(self._file, order.line, error.field, str(error), row.get(error.field) or text_of(row))
        return _with_items(event, tuple(order.items))


_OF_ORDER = frozenset({"name", "user_id", "session_id", "ga_session_id", "event_id", "currency", "transaction_id",
                       "country", "list_id"})  # fmt: skip


def _with_items(event: Event, items: tuple[EventItem, ...]) -> Event:
    return Event(
        event.name, event.visitor_id, items, event.time_ms, event.event_id, event.session_id, event.user_id,
        event.list_id, event.query, event.rating, event.value, event.params,
    )  # fmt: skip


def _total(items: list[EventItem]) -> Money | None:
    prices = [item.price for item in items]
    if not prices or any(price is None for price in prices):
        return None
    currency = items[0].price.currency if items[0].price else ""
    if any(price is not None and price.currency != currency for price in prices):
        return None
    total = sum((item.price.amount * item.quantity for item in items if item.price), Decimal(0))
    return Money(total, currency)


def _text(value: object) -> str:
    if value is None:
        return ""
    text = one_line(value, 257)
    if len(text) > 256:
        raise InvalidEvent("longer than 256 characters", field="item_id")
    return text


def _whole(value: object) -> int:
    try:
        number = float(scalar_text(value))
    except ValueError:
        number = 0.5
    if not number.is_integer() or number == 0 or abs(number) > 10**9:
        raise InvalidEvent("a quantity is a whole number other than 0", field="quantity")
    return int(number)


def _guest(name: str, order_id: str, time_ms: int) -> str:
    """A shopper of their own for an order that names none, so that what was bought together is still learnt."""
    if name != "purchase":
        raise InvalidEvent("a refund needs a visitor", field="visitor_id")
    return "guest-" + blake2b(f"{order_id}\x1f{time_ms}".encode("utf-8", "replace"), digest_size=10).hexdigest()
