"""Behaviour from files: GA4 events as JSON lines or Parquet, and flat event or order lines as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from aisle.errors import IntakeError, InvalidEvent
from aisle.intake.columns import Columns, listing, plain_name
from aisle.intake.event_fields import event_from_mapping
from aisle.intake.identities import Occurrences
from aisle.intake.orders import OrderLines
from aisle.intake.tables import Table, open_table, reject, text_of
from aisle.intake.text import brief
from aisle.types import EVENT_NAMES, Event, Reject, now_ms

__all__ = ["event_from_mapping", "read_events"]

EVENT_COLUMNS = Columns(
    {
        "name": ("event_name", "event", "event_type", "action"),
        "time": ("event_time", "event_timestamp", "timestamp", "datetime", "invoice_date", "order_date",
                 "purchase_date", "date", "created_at"),
        "time_ms": ("timestamp_ms",),
        "timestamp_micros": (),
        "visitor_id": ("user_pseudo_id", "client_id", "customer_id", "visitor", "customer"),
        "user_id": (),
        "session_id": ("session",),
        "ga_session_id": (),
        "event_id": (),
        "item_id": ("product_id", "stock_code", "sku", "upc", "asin", "item"),
        "price": ("unit_price", "item_price"),
        "quantity": ("qty",),
        "index": ("item_list_index", "position"),
        "item_list_id": (),
        "list_id": (),
        "query": ("search_term",),
        "rating": (),
        "value": ("revenue",),
        "currency": (),
        "transaction_id": ("invoice_no", "invoice", "order_id", "order_no", "order_number"),
        "country": (),
    }
)  # fmt: skip
_ORDERS = frozenset({"purchase", "refund"})
_ITEM_COLUMNS = ("description", "product", "product_name", "item_name", "title")
_JSON = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def read_events(
    source: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
    currency: str = "USD",
) -> Iterator[Event | Reject]:
    """Events and rejects of a file, streamed.

    A file of objects (JSON lines, nested Parquet) is read as GA4 writes it. A
    flat one is a line an event, with `mapping` our field → its column; its
    purchase and refund lines of one order, shopper and time become one event.
    `name` is the event of lines that name none. Raises IntakeError at once when
    the file cannot be read.
    """
    if name is not None and name not in EVENT_NAMES:
        raise IntakeError(f"unknown event name {name!r}; known: {', '.join(EVENT_NAMES)}")
    table = open_table(source)
    spelt = EVENT_COLUMNS.checked(mapping, table.columns, table.file)
    if (table.is_flat and "items" not in table.columns) or spelt:
        return _flat(table, _chosen(table, spelt, name), name, currency)
    columns = {plain_name(column) for column in table.columns}
    if table.kind == "xml" or (not columns & {"name", "event_name"} and name is None):
        raise IntakeError(f"{table.file}, line 1: no event name; it has: {listing(table.columns)}")
    return _objects(table, name or "", currency)


def _objects(table: Table, name: str, currency: str) -> Iterator[Event | Reject]:
    now = now_ms()
    occurrences = Occurrences()
    for line, row in table.read():
        if type(row) is not dict:
            yield row  # type: ignore[misc]
            continue
        try:
            default_id = "" if row.get("event_id") else occurrences.identify(_content(row))
            yield event_from_mapping(row, currency=currency, now_ms=now, default_id=default_id, default_name=name)
        except InvalidEvent as error:
            yield reject(table.file, line, error.field, str(error), _shown(row, error.field))


def _chosen(table: Table, mapping: Mapping[str, str], name: str | None) -> dict[str, str]:
    """Our fields to the file's columns. Raises IntakeError when one that is needed has none."""
    chosen = EVENT_COLUMNS.resolve(table.columns, mapping)
    by_plain = {plain_name(column): column for column in table.columns}
    if "item_id" not in chosen:
        # An order export without codes: its products are known by their description.
        item = next((by_plain[column] for column in _ITEM_COLUMNS if column in by_plain), None)
        if item is not None:
            chosen["item_id"] = item
    is_order = "transaction_id" in chosen or ("quantity" in chosen and "price" in chosen)
    if "name" not in chosen and name is None and not is_order:
        raise IntakeError(
            f"{table.file}, line 1: no column with the event's name; it has: {listing(table.columns)}. "
            "Map one (--map name=COLUMN) or say what the lines are (purchase, view_item, …)"
        )
    for needed in ("visitor_id", "item_id"):
        if needed not in chosen and not (needed == "visitor_id" and "user_id" in chosen):
            raise IntakeError(
                f"{table.file}, line 1: no column for {needed}; it has: {listing(table.columns)}. "
                f"Say which it is with --map {needed}=COLUMN"
            )
    return chosen


def _flat(table: Table, chosen: Mapping[str, str], name: str | None, currency: str) -> Iterator[Event | Reject]:
    now = now_ms()
    occurrences = Occurrences()
    orders = OrderLines(table.file, currency, now, occurrences)
    fallback = name or ("" if "name" in chosen else "purchase")
    pairs = tuple(chosen.items())
    for line, row in table.read():
        if type(row) is not dict:
            yield row  # type: ignore[misc]
            continue
        obj: dict[str, Any] = {}
        for ours, theirs in pairs:
            value = row.get(theirs)
            if value is not None and value != "":
                obj[ours] = value
        kind = obj.get("name") or fallback
        if type(kind) is str and kind in _ORDERS:
            yield from orders.add(line, kind, obj)
            continue
        try:
            default_id = "" if "event_id" in obj else occurrences.identify(_content(obj))
            yield event_from_mapping(obj, currency=currency, now_ms=now, default_id=default_id, default_name=fallback)
        except InvalidEvent as error:
            yield reject(table.file, line, error.field, str(error), _shown(obj, error.field))
    yield from orders.finish()


def _content(row: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, default=str, option=_JSON)
    except (TypeError, ValueError, RecursionError):
        # Nested deeper than JSON is written; such a row has nothing else to be told by.
        return brief(row, 100_000).encode("utf-8", "replace")


def _shown(row: Mapping[str, Any], field: str) -> object:
    value = row.get(field.partition(".")[0])
    return text_of(row) if value is None or value == "" else value
