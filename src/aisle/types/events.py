"""What shoppers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aisle.types.arrays import NOTHING
from aisle.types.catalogue import Money

EVENT_NAMES: tuple[str, ...] = (
    "view_item_list", "select_item", "view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist",
    "begin_checkout", "purchase", "refund", "search", "view_promotion", "share", "rate", "not_interested", "follow",
)  # fmt: skip
"""GA4's e-commerce names, then explicit feedback."""


@dataclass(frozen=True, slots=True)
class EventItem:
    """An item as an event names it. `price` is per unit; `index` is the 0-based place in a list."""

    item_id: str
    price: Money | None = None
    quantity: int = 1
    index: int | None = None
    item_list_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a shopper did. `time_ms` is when it happened (Unix, UTC), not when it arrived.

    `list_id` is the answer it came from (Slate.list_id). The same `event_id`
    twice is one event.
    """

    name: str
    visitor_id: str
    items: tuple[EventItem, ...] = ()
    time_ms: int = 0
    event_id: str = ""
    session_id: str = ""
    user_id: str = ""
    list_id: str = ""
    query: str = ""
    rating: float | None = None
    value: Money | None = None
    params: Mapping[str, str | int | float | bool] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the log."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class Ack:
    """The log's answer: durable at `seq`; `duplicate` when the id was already there."""

    event_id: str
    seq: int
    duplicate: bool = False
