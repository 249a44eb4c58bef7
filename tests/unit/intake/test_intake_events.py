"""Events in GA4's forms, flat lines, and what is refused."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aisle.errors import IntakeError, InvalidEvent
from aisle.intake.events import event_from_mapping, read_events
from aisle.types import Event, Money, Reject

NOW = 1_790_000_000_000
VIEW: dict[str, Any] = {"name": "view_item", "visitor_id": "v1", "items": [{"item_id": "A"}]}


def read(path: Path, **options: Any) -> tuple[list[Event], list[Reject]]:
    rows = list(read_events(path, **options))
    return [r for r in rows if isinstance(r, Event)], [r for r in rows if isinstance(r, Reject)]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_flat_form_is_read_whole() -> None:
    event = event_from_mapping(
        {
            "name": "add_to_cart",
            "visitor_id": "v1",
            "session_id": "s1",
            "event_id": "e1",
            "user_id": 7,
            "time": "2026-09-01T10:00:00Z",
            "list_id": "L",
            "query": " red  hoodie ",
            "items": [{"item_id": "A", "price": 52.0, "quantity": "2", "index": 3, "item_list_id": "home"}, "B"],
            "value": "104",
            "currency": "eur",
            "params": {"coupon": "X", "nested": {"a": [1]}, "none": None},
            "transaction_id": "t1",
        },
        now_ms=NOW,
    )
    assert (event.event_id, event.session_id, event.user_id, event.list_id) == ("e1", "s1", "7", "L")
    assert event.time_ms == 1_788_256_800_000
    assert event.query == "red hoodie"
    first, second = event.items
    assert (str(first.price), first.quantity, first.index, first.item_list_id) == ("52.00 EUR", 2, 3, "home")
    assert (second.item_id, second.price, second.quantity, second.index) == ("B", None, 1, None)
    assert str(event.value) == "104.00 EUR"
    assert event.params == {"coupon": "X", "nested": '{"a":[1]}', "transaction_id": "t1"}


def test_ga4_names_and_the_measurement_protocol_form() -> None:
    event = event_from_mapping(
        {
            "event_name": "view_item_list",
            "client_id": "c.1",
            "timestamp_micros": "1788256800000123",
            "params": {"ga_session_id": 99, "items": [{"item_id": "A", "price": 1}], "item_list_id": "home"},
        },
        now_ms=NOW,
    )
    assert (event.visitor_id, event.session_id, event.time_ms) == ("c.1", "c.1.99", 1_788_256_800_000)
    assert event.items[0].item_list_id == "home"


def test_the_bigquery_export_is_flattened() -> None:
    row = {
        "event_date": "20260901",
        "event_timestamp": 1788256800000123,
        "event_name": "purchase",
        "event_params": [
            {"key": "ga_session_id", "value": {"string_value": None, "int_value": 5}},
            {"key": "currency", "value": {"string_value": "EUR"}},
            {"key": "coupon", "value": {"string_value": "TEN", "int_value": None}},
        ],
        "user_pseudo_id": "11.22",
        "device": {"category": "mobile"},
        "ecommerce": {"transaction_id": "T9", "purchase_revenue": 30.5},
        "items": [{"item_id": "A", "price": 30.5, "quantity": None, "item_list_index": "(not set)"}],
    }
    event = event_from_mapping(row, now_ms=NOW)
    assert (event.visitor_id, event.session_id, event.time_ms) == ("11.22", "11.22.5", 1_788_256_800_000)
    assert str(event.value) == "30.50 EUR"
    assert event.params == {"coupon": "TEN", "transaction_id": "T9"}
    assert event.items[0].index is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "page_view"}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": None}, "name"),
        ({"visitor_id": ""}, "visitor_id"),
        ({"visitor_id": {"a": 1}}, "visitor_id"),
        ({"visitor_id": "v" * 257}, "visitor_id"),
        ({"items": []}, "items"),
        ({"items": "A"}, "items"),
        ({"items": [{"item_name": "A"}]}, "items.0.item_id"),
        ({"items": ["A", 5]}, "items.1"),
        ({"items": ["A"] * 501}, "items"),
        ({"items": [{"item_id": "A", "price": "abc"}]}, "items.0.price"),
        ({"items": [{"item_id": "A", "price": -1}]}, "items.0.price"),
        ({"items": [{"item_id": "A", "price": float("nan")}]}, "items.0.price"),
        ({"items": [{"item_id": "A", "quantity": 0}]}, "items.0.quantity"),
        ({"items": [{"item_id": "A", "index": -1}]}, "items.0.index"),
        ({"time": "yesterday"}, "time"),
        ({"time": NOW + 601_000}, "time"),
        ({"time_ms": -5}, "time_ms"),
        ({"name": "rate"}, "rating"),
        ({"rating": 6}, "rating"),
        ({"currency": "Dollars"}, "currency"),
        ({"value": {"a": 1}}, "value"),
        ({"params": {f"p{i}": 1 for i in range(51)}}, "params"),
        ({"params": [1]}, "params"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        event_from_mapping({**VIEW, **change}, now_ms=NOW)
    assert caught.value.field == field


def test_an_event_from_the_future_says_so() -> None:
    with pytest.raises(InvalidEvent, match="from the future"):
        event_from_mapping({**VIEW, "time_ms": NOW + 600_001}, now_ms=NOW)
    assert event_from_mapping({**VIEW, "time_ms": NOW + 600_000}, now_ms=NOW).time_ms == NOW + 600_000


def test_live_events_get_a_time_and_an_id_of_their_own() -> None:
    one, two = (event_from_mapping(VIEW, now_ms=NOW) for _ in range(2))
    assert one.time_ms == NOW
    assert len(one.event_id) == 32
    assert one.event_id != two.event_id


def test_a_user_id_alone_is_enough() -> None:
    event = event_from_mapping({"name": "search", "user_id": "u1", "search_term": "hat"}, now_ms=NOW)
    assert (event.visitor_id, event.query) == ("u1", "hat")


def test_importing_a_file_again_gives_the_same_ids_and_equal_lines_stay_apart(tmp_path: Path) -> None:
    view = {**VIEW, "time_ms": 1_700_000_000_000}
    path = lines(tmp_path / "e.jsonl", view, view, {**view, "visitor_id": "v2"}, {**VIEW, "event_id": "own"})
    first, rejects = read(path)
    again, _ = read(path)
    ids = [e.event_id for e in first]
    assert not rejects
    assert ids == [e.event_id for e in again]
    assert len(set(ids)) == 4
    assert ids[3] == "own"
    more, _ = read(lines(tmp_path / "longer.jsonl", {**view, "visitor_id": "v0"}, view))
    assert more[1].event_id == ids[0]


def test_bad_lines_are_refused_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    good = json.dumps(VIEW).encode()
    path.write_bytes(good + b"\n{broken\n\n[1]\n" + b'{"name":"dance","visitor_id":"v"}\n\xff\xfe\n' + good)
    events, rejects = read(path)
    assert len(events) == 2
    assert [(r.line, r.field) for r in rejects] == [(2, ""), (4, ""), (5, "name"), (6, "")]


def test_json_nested_a_thousand_deep_is_only_a_bad_value(tmp_path: Path) -> None:
    deep = "[" * 1000 + "]" * 1000
    rows = [f'{{"name":{deep},"visitor_id":"v"}}', f'{{"name":"search","visitor_id":"v","params":{{"a":{deep}}}}}']
    (tmp_path / "e.jsonl").write_text("\n".join(rows))
    events, rejects = read(tmp_path / "e.jsonl")
    assert len(events) == 1
    assert [r.field for r in rejects] == ["name"]


def test_nested_parquet_is_read_like_json(tmp_path: Path) -> None:
    row = {
        "event_name": "view_item",
        "event_timestamp": 1788256800000123,
        "user_pseudo_id": "p1",
        "event_params": [{"key": "ga_session_id", "value": {"string_value": None, "int_value": 5}}],
        "items": [{"item_id": "A", "price": 2.5}],
    }
    pl.DataFrame([row]).write_parquet(tmp_path / "ga4.parquet")
    [event], rejects = read(tmp_path / "ga4.parquet")
    assert not rejects
    assert (event.session_id, event.items[0].item_id, event.items[0].price) == ("p1.5", "A", Money.parse("2.5"))


ORDERS = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "1,A,MUG,6,12/1/2010 8:26,2.50,17850,UK\n"
    "2,A,MUG,1,12/1/2010 8:27,2.50,,UK\n"
    "1,B,CUP,2,12/1/2010 8:26,1,17850,UK\n"
    "C3,A,MUG,-1,12/2/2010 8:26,2.50,17850,UK\n"
    "4,,MUG,1,12/2/2010 8:26,2.50,17850,UK\n"
    "5,A,MUG,0,12/2/2010 8:26,2.50,17850,UK\n"
    "6,A,MUG,1,never,2.50,17850,UK\n"
    "7,A,MUG,1,12/2/2010 8:26,-2.50,17850,UK\n"
    "C8,A,MUG,-1,12/2/2010 8:26,2.50,,UK\n"
)


def test_the_lines_of_an_order_are_one_event(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    events, rejects = read(path, currency="GBP")
    whole, guest, refund = events
    assert (whole.name, whole.visitor_id) == ("purchase", "17850")
    assert [(i.item_id, i.quantity, str(i.price)) for i in whole.items] == [("A", 6, "2.50 GBP"), ("B", 2, "1.00 GBP")]
    assert whole.time_ms == 1_291_191_960_000
    assert str(whole.value) == "17.00 GBP"
    assert whole.params == {"transaction_id": "1", "country": "UK"}
    assert guest.visitor_id.startswith("guest-")
    assert (refund.name, refund.items[0].quantity) == ("refund", 1)
    assert [(r.line, r.field) for r in rejects] == [
        (6, "item_id"), (7, "quantity"), (8, "time"), (9, "price"), (10, "visitor_id")
    ]  # fmt: skip
    assert read(path, currency="GBP")[0] == events


def test_order_lines_in_parquet_without_codes_or_numbers(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "Description": ["MUG", "CUP", None],
            "Quantity": [6, 2, 1],
            "InvoiceDate": [datetime(2010, 12, 1, 8, 26)] * 3,
            "UnitPrice": [2.5, 1.0, 1.0],
            "CustomerID": [17850.0, 17850.0, 1.0],
        }
    )
    frame.write_parquet(tmp_path / "o.parquet")
    [order], [reject] = read(tmp_path / "o.parquet")
    assert (order.visitor_id, [i.item_id for i in order.items]) == ("17850", ["MUG", "CUP"])
    assert (reject.line, reject.field) == (3, "item_id")


def test_a_huge_order_is_split_and_keeps_every_line(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text(
        "order_id,sku,qty,price,customer_id,date\n" + "".join(f"1,i{i},1,1,c,2024-01-01\n" for i in range(1203))
    )
    events, _ = read(path)
    assert [len(e.items) for e in events] == [500, 500, 203]
    assert len({e.event_id for e in events}) == 3


def test_flat_event_lines_with_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("who,what,when\nv1,A,2024-01-01 10:00\nv2,B,2024-01-01 11:00\n,C,2024-01-01\n")
    mapping = {"visitor_id": "who", "item_id": "what", "time": "when"}
    events, rejects = read(path, mapping=mapping, name="view_item")
    assert [(e.name, e.visitor_id, e.items[0].item_id) for e in events] == [
        ("view_item", "v1", "A"),
        ("view_item", "v2", "B"),
    ]
    assert [(r.line, r.field) for r in rejects] == [(4, "visitor_id")]


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("who,what\na,b\n", {}, "event's name"),
        ("visitor_id,what\na,b\n", {"name": "view_item"}, "item_id"),
        ("visitor_id,item_id\na,b\n", {"name": "dance"}, "unknown event name"),
        ("visitor_id,item_id\na,b\n", {"mapping": {"nom": "item_id"}}, "unknown field"),
    ],
)
def test_a_flat_file_that_cannot_be_understood_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], match: str
) -> None:
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(IntakeError, match=match):
        read_events(tmp_path / "e.csv", **options)


def test_json_lines_that_are_no_events_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="no event name"):
        read_events(lines(tmp_path / "p.jsonl", {"id": "1", "title": "A product"}))
