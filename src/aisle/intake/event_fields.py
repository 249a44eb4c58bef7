"""One event from a JSON object: the single path of history and live traffic.

On the API's hot path, so the usual case (text ids, numeric prices) is checked
with as few calls as possible and everything rarer goes to a slower helper.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from aisle.errors import InvalidEvent
from aisle.intake.text import brief, one_line, scalar_text
from aisle.intake.times import number_ms, parse_time
from aisle.types import EVENT_NAMES, NOTHING, Event, EventItem, Money
from aisle.types import now_ms as present_ms

_ID_KEY = os.urandom(32)
_n_ids = itertools.count()
MAX_ID_CHARS = 256
MAX_ITEMS = 500
MAX_PARAMS = 50
MAX_PARAM_CHARS = 500
MAX_QUERY_CHARS = 1000
MAX_AHEAD_MS = 600_000
"""How far a shopper's clock may run ahead of ours."""

_NAMES = frozenset(EVENT_NAMES)
_ALIASES = {"view_search_results": "search"}
_NEED_ITEMS = frozenset(
    {"select_item", "view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "purchase", "rate",
     "not_interested"}
)  # fmt: skip
# What else GA4 puts beside the items and is worth keeping.
_KEPT = (
    "transaction_id", "coupon", "shipping", "tax", "affiliation", "payment_type", "shipping_tier", "promotion_id",
    "promotion_name", "creative_name", "creative_slot", "method", "content_type", "item_list_name", "page_location",
    "page_referrer", "country", "device", "language", "target",
)  # fmt: skip
_KEPT_SET = frozenset(_KEPT)


def event_from_mapping(
    obj: Mapping[str, Any],
    *,
    currency: str = "USD",
    now_ms: int | None = None,
    default_id: str = "",
    default_name: str = "",
) -> Event:
    """An Event from GA4's flat form, or the nested one of its BigQuery export.

    `currency` is that of prices which name none; `now_ms` the time of an event
    without one. Without `event_id` the event gets `default_id`, or a random one.
    Raises InvalidEvent with the field at fault.
    """
    if type(obj) is not dict and not isinstance(obj, Mapping):
        raise InvalidEvent("an event is a JSON object")
    if type(obj.get("event_params")) is list:
        obj = _flattened(obj)
    get = obj.get
    name = get("name") or get("event_name") or default_name
    if type(name) is not str or name not in _NAMES:
        name = _known_name(name)
    given = get("params")
    params: Mapping[str, Any] = given if type(given) is dict else _as_params(given) if given else NOTHING

    user_id = get("user_id")
    user_id = "" if user_id is None else _identity(user_id, "user_id")
    visitor = get("visitor_id") or get("user_pseudo_id") or get("client_id")
    visitor_id = _identity(visitor, "visitor_id") if visitor is not None else ""
    if not visitor_id:
        if not user_id:
            raise InvalidEvent("an event needs a visitor_id or a user_id", field="visitor_id")
        visitor_id = user_id
    session = get("session_id")
    if session is None:
        session = get("ga_session_id")
        if session is None and params:
            session = params.get("ga_session_id")
        # GA4 numbers sessions within a visitor.
        session_id = f"{visitor_id[:200]}.{_identity(session, 'session_id')}" if session else ""
    else:
        session_id = _identity(session, "session_id")

    event_id = get("event_id")
    event_id = default_id if event_id is None else _identity(event_id, "event_id") or default_id
    list_id, query, entries, own, list_name = (
        get("list_id"), get("query"), get("items"), get("currency"), get("item_list_id")
    )  # fmt: skip
    rating, value = get("rating"), get("value")
    if query is None:
        query = get("search_term")
    if params:
        inner = params.get
        list_id = inner("list_id") if list_id is None else list_id
        query = inner("search_term") if query is None else query
        entries = inner("items") if entries is None else entries
        own = own or inner("currency")
        list_name = list_name or inner("item_list_id")
        rating = inner("rating") if rating is None else rating
        value = inner("value") if value is None else value
    if own and own != currency:
        currency = _currency(own)
    if entries is None and get("item_id") is not None:
        entries = (obj,)
    items = _items(entries, currency, list_name) if entries else ()
    if not items and name in _NEED_ITEMS:
        raise InvalidEvent(f"{name} needs items, each with an item_id", field="items")
    if rating is not None or name == "rate":
        rating = _rating(rating)
    money = None if value is None or value == "" else _money(value, currency, "value", signed=name == "refund")
    kept = _params(params, obj) if params or not _KEPT_SET.isdisjoint(obj) else NOTHING
    return Event(
        name,
        visitor_id,
        items,
        _time(obj, now_ms),
        event_id or _new_id(),
        session_id,
        user_id,
        "" if list_id is None else _identity(list_id, "list_id"),
        "" if query is None else one_line(query, MAX_QUERY_CHARS),
        rating,
        money,
        kept,
    )


def _known_name(name: object) -> str:
    alias = _ALIASES.get(name) if isinstance(name, str) else None
    if alias is None:
        shown = brief(name, 60)
        if not name:
            raise InvalidEvent("an event needs a name, as view_item or purchase", field="name")
        raise InvalidEvent(f"not an event that is used here: {shown} (known: {', '.join(EVENT_NAMES)})", field="name")
    return alias


def _identity(value: object, field: str) -> str:
    """An id as text; numbers are taken, objects are not."""
    if type(value) is str:
        if len(value) <= MAX_ID_CHARS and value.isascii() and value.isprintable():
            return value.strip()
        text = one_line(value, MAX_ID_CHARS + 1)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        text = scalar_text(value)
    else:
        raise InvalidEvent("an id is text or a number", field=field)
    if len(text) > MAX_ID_CHARS:
        raise InvalidEvent(f"longer than {MAX_ID_CHARS} characters", field=field)
    return text


def _items(entries: object, currency: str, list_name: object) -> tuple[EventItem, ...]:
    if not isinstance(entries, list | tuple):
        raise InvalidEvent("items is a list of objects with an item_id", field="items")
    if len(entries) > MAX_ITEMS:
        raise InvalidEvent(f"{len(entries)} items; at most {MAX_ITEMS} in one event", field="items")
    shared = "" if list_name is None else _identity(list_name, "item_list_id")
    return tuple([_item(entry, number, currency, shared) for number, entry in enumerate(entries)])


def _item(entry: Any, number: int, currency: str, shared: str) -> EventItem:
    if type(entry) is str:
        entry = {"item_id": entry}
    elif not isinstance(entry, Mapping):
        raise InvalidEvent("an item is an object with an item_id", field=f"items.{number}")
    get = entry.get
    item_id = get("item_id")
    if item_id is None or item_id == "(not set)":
        item_id = get("id") or get("sku")
    item_id = _identity(item_id, f"items.{number}.item_id") if item_id is not None else ""
    if not item_id:
        raise InvalidEvent("an item needs an item_id", field=f"items.{number}.item_id")
    price = get("price")
    if price is not None and price != "":
        own = get("currency")
        if own and own != currency:
            currency = _currency(own)
        try:
            kind = type(price)
            price = money(price, currency) if kind is float or kind is int else _money(price, currency, "price")
        except (InvalidEvent, ValueError) as error:
            raise InvalidEvent(str(error), field=f"items.{number}.price") from None
    else:
        price = None
    quantity = get("quantity")
    if quantity is None:
        quantity = 1
    elif type(quantity) is not int or not 0 < quantity <= 10**9:
        quantity = _quantity(quantity, number)
    index = get("index")
    if index is None:
        index = get("item_list_index")
    if index is not None and (type(index) is not int or not 0 <= index < 10**6):
        index = _index(index, number)
    list_name = get("item_list_id")
    if list_name is not None and list_name != "(not set)":
        shared = _identity(list_name, f"items.{number}.item_list_id")
    return EventItem(item_id, price, quantity, index, shared)


def _whole(value: object) -> int | None:
    """An int from an int, a whole float or digits; None when it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.lstrip("-").isdigit() and text.isascii() and len(text) < 20:
            return int(text)
        return None
    if isinstance(value, int | float | Decimal) and math.isfinite(value) and int(value) == value:
        return int(value)
    return None


def _quantity(value: object, number: int) -> int:
    if value == "":
        return 1
    whole = _whole(value)
    if whole is None or not 0 < whole <= 10**9:
        raise InvalidEvent("a quantity is a whole number from 1", field=f"items.{number}.quantity")
    return whole


def _index(value: object, number: int) -> int | None:
    if value in ("", "(not set)"):
        return None
    whole = _whole(value)
    if whole is None or not 0 <= whole < 10**6:
        raise InvalidEvent("an index is a whole number from 0", field=f"items.{number}.index")
    return whole


def _money(value: object, currency: str, field: str, *, signed: bool = False) -> Money:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidEvent("not a price", field=field)
    if signed and isinstance(value, int | float | Decimal):
        value = abs(value)
    try:
        return money(value, currency)
    except ValueError as error:
        raise InvalidEvent(str(error), field=field) from None


@lru_cache(maxsize=65_536)
def money(value: int | float | str | Decimal, currency: str) -> Money:
    """A price of any JSON kind. Cached: a shop has few prices and many events. Raises ValueError."""
    if isinstance(value, str):
        return Money.parse(value, currency)
    text = str(value) if not isinstance(value, int) or abs(value) <= 10**13 else "1e13"
    return Money.parse(text, currency)


def _currency(value: object) -> str:
    if type(value) is not str or len(value) != 3 or not value.isalpha() or not value.isascii():
        raise InvalidEvent("not a currency (write three letters, as USD)", field="currency")
    return value if value.isupper() else value.upper()


def _rating(value: object) -> float:
    if isinstance(value, str | Decimal):
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 5:
        raise InvalidEvent("a rating lies between 1 and 5", field="rating")
    return float(value)


def _time(obj: Mapping[str, Any], now_ms: int | None) -> int:
    now = present_ms() if now_ms is None else now_ms
    get = obj.get
    field = "time"
    value = get("time_ms")
    if type(value) is int and 0 <= value <= now:
        return value
    value = get("time")
    try:
        if value is not None and value != "":
            ms = parse_time(value)
        elif (value := get("time_ms")) is not None:
            field = "time_ms"
            ms = _unix(value, 1)
        elif (value := get("timestamp_micros")) is not None:
            field = "timestamp_micros"
            ms = _unix(value, 1000)
        elif (value := get("event_timestamp")) is not None or (value := get("timestamp")) is not None:
            ms = parse_time(value)
        else:
            return now
    except (ValueError, OverflowError):
        raise InvalidEvent("not a time (write ISO 8601, or a Unix number)", field=field) from None
    if ms > now + MAX_AHEAD_MS:
        raise InvalidEvent("from the future (more than 10 minutes ahead of this machine's clock)", field=field)
    return ms


def _unix(value: object, per_ms: int) -> int:
    whole = _whole(value)
    if whole is None or whole < 0:
        raise ValueError("not a time")
    number_ms(whole)
    return whole // per_ms


def _as_params(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidEvent("params is an object", field="params")
    return value


def _params(given: Mapping[str, Any], obj: Mapping[str, Any]) -> Mapping[str, str | int | float | bool]:
    """At most 50 plain values: longer texts are cut, lists and objects kept as JSON text."""
    if len(given) > MAX_PARAMS + 5:
        raise InvalidEvent(f"{len(given)} params; at most {MAX_PARAMS}", field="params")
    kept: dict[str, str | int | float | bool] = {}
    for source in (given, {key: obj[key] for key in _KEPT if obj.get(key) is not None}):
        for key, value in source.items():
            # These have become fields of the event.
            if value is None or key in ("items", "ga_session_id", "search_term", "list_id"):
                continue
            plain = _plain(value)
            if plain is not None:
                kept.setdefault(key if type(key) is str and key.isidentifier() else one_line(key, 100), plain)
    if len(kept) > MAX_PARAMS:
        raise InvalidEvent(f"{len(kept)} params; at most {MAX_PARAMS}", field="params")
    if any(len(key) > 100 for key in kept):
        raise InvalidEvent("the name of a param is longer than 100 characters", field="params")
    return kept or NOTHING


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return one_line(value, MAX_PARAM_CHARS)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else scalar_text(value)[:MAX_PARAM_CHARS]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    try:
        return one_line(orjson.dumps(value, default=str).decode(), MAX_PARAM_CHARS)
    except (TypeError, ValueError, RecursionError):
        return None


def _flattened(obj: Mapping[str, Any]) -> dict[str, Any]:
    """GA4's BigQuery export (`event_params` as key and typed value, `ecommerce`) in the flat form."""
    params: dict[str, Any] = {}
    for entry in obj["event_params"][:100]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("key"), str):
            raise InvalidEvent("event_params is a list of key and value", field="event_params")
        value = entry.get("value")
        if isinstance(value, Mapping):
            kinds = ("string_value", "int_value", "double_value", "float_value")
            value = next((value[kind] for kind in kinds if value.get(kind) is not None), None)
        if value is not None:
            params[entry["key"]] = value
    flat = {key: value for key, value in obj.items() if key not in _NESTED and value is not None}
    # A purchase in the export names its order and value in `ecommerce`.
    shop = obj.get("ecommerce")
    if isinstance(shop, Mapping):
        if (order := shop.get("transaction_id")) not in (None, "", "(not set)"):
            flat["transaction_id"] = order
        value = shop.get("purchase_revenue", shop.get("refund_value"))
        if value is not None:
            flat.setdefault("value", value)
    if params.get("ga_session_id") is not None:
        flat.setdefault("ga_session_id", params["ga_session_id"])
    for key in ("value", "currency", "rating"):
        if key in params:
            flat.setdefault(key, params.pop(key))
    if len(params) > MAX_PARAMS - len(_KEPT):
        params = dict(list(params.items())[: MAX_PARAMS - len(_KEPT)])
    flat["params"] = params
    return flat


# Descriptions of the browser and the place are objects there; none of it is needed.
_NESTED = frozenset({"event_params", "ecommerce", "user_properties", "device", "geo", "app_info", "traffic_source"})


def _new_id() -> str:
    """32 hexadecimal digits that nobody else has and nobody can guess.

    A keyed hash of a counter, because os.urandom (and so uuid4) gives up the
    interpreter's lock: getting it back cost each event 0.1 ms under load.
    """
    text = b"%d.%d" % (os.getpid(), next(_n_ids))  # a forked child has the same key
    return hashlib.blake2b(text, key=_ID_KEY, digest_size=16).hexdigest()
