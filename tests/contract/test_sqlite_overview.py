"""The shopkeeper's figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.overview import DAY_MS, SqliteOverview
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.testing.samples import slate
from aisle.types import Event, EventItem, Money, Query

TODAY = 20_000
NOON = TODAY * DAY_MS + DAY_MS // 2


def usd(text: str) -> Money:
    return Money(Decimal(text))


@pytest.fixture
def overview(tmp_path: Path) -> Iterator[SqliteOverview]:
    with Database(tmp_path / "aisle.db") as database:
        log, slates = SqliteEventLog(database), SqliteSlateLog(database)
        yesterday = NOON - DAY_MS
        log.append(
            [
                Event("search", "v1", (), NOON, "", "s1", query="Red Hoodie "),
                Event("search", "v2", (), NOON, "", "s2", query="red hoodie"),
                Event("search", "v2", (), NOON, "", "s2", query="unicorn"),
                Event("view_item_list", "v1", (EventItem("A"), EventItem("B")), NOON, "", "s1"),
                Event("select_item", "v1", (EventItem("A"),), NOON, "", "s1", list_id="l1"),
                Event("select_item", "v2", (EventItem("B"),), NOON, "", "s2", query="red hoodie"),
                Event("view_item", "v1", (EventItem("A"),), NOON, "", "s1"),
                Event("view_item", "v1", (EventItem("B"),), NOON, "", "s3"),
                Event("add_to_cart", "v1", (EventItem("A"),), NOON, "", "s1"),
                Event(
                    "purchase",
                    "v1",
                    (EventItem("A", usd("10.00"), 2), EventItem("C"), EventItem("B", usd("5.50"))),
                    NOON,
                    "",
                    "s1",
                ),
                Event("purchase", "v1", (EventItem("A"),), yesterday, "", "s0", value=usd("99.90")),
                Event("refund", "v1", (EventItem("A"),), yesterday, "", "s0", value=usd("9.90")),
                Event("view_item", "v1", (EventItem("Z"),), NOON - 9 * DAY_MS, "", "s0"),
            ]
        ).result()
        slates.record(slate("l1", time_ms=NOON))
        for n in range(2):
            none = replace(slate(f"z{n}", time_ms=NOON), query=Query("Unicorn"), hits=(), n_hits=0, features={})
            slates.record(none)
        slates.flush()
        yield SqliteOverview(database)


def test_counts_each_day(overview: SqliteOverview) -> None:
    days = overview.overview(3, NOON)["days"]
    assert [day["date"] for day in days] == ["2024-10-02", "2024-10-03", "2024-10-04"]
    assert days[0] == dict.fromkeys(days[0], 0) | {"date": "2024-10-02"}
    assert days[1] == dict.fromkeys(days[1], 0) | {
        "date": "2024-10-03",
        "sessions": 1,
        "visitors": 1,
        "purchases": 1,
        "revenue": 90.0,
    }
    assert days[2] == {
        "date": "2024-10-04",
        "sessions": 3,
        "visitors": 2,
        "views": 2,
        "clicks": 2,
        "impressions": 2,
        "carts": 1,
        "purchases": 1,
        "revenue": 25.5,
        "searches": 3,
    }


def test_ranks_queries_and_items(overview: SqliteOverview) -> None:
    figures = overview.overview(3, NOON)
    assert figures["top_queries"] == [
        {"query": "red hoodie", "count": 2, "clicks": 2},
        {"query": "unicorn", "count": 1, "clicks": 0},
    ]
    assert figures["zero_result_queries"] == [{"query": "unicorn", "count": 2}]
    assert figures["top_items"] == [
        {"item_id": "A", "views": 1, "carts": 1, "purchases": 2, "revenue": 20.0},
        {"item_id": "B", "views": 1, "carts": 0, "purchases": 1, "revenue": 5.5},
        {"item_id": "C", "views": 0, "carts": 0, "purchases": 1, "revenue": 0.0},
    ]


def test_a_shop_without_events_has_quiet_days(tmp_path: Path) -> None:
    with Database(tmp_path / "aisle.db") as database:
        figures = SqliteOverview(database).overview(2, NOON)
    assert [day["visitors"] for day in figures["days"]] == [0, 0]
    assert (figures["top_queries"], figures["zero_result_queries"], figures["top_items"]) == ([], [], [])


def test_new_and_erased_events_show_at_once(tmp_path: Path) -> None:
    with Database(tmp_path / "aisle.db") as database:
        log, overview = SqliteEventLog(database), SqliteOverview(database)
        for n in range(1, 3):
            log.append([Event("view_item", f"v{n}", (EventItem("A"),), NOON)]).result()
            log.append([Event("view_item", "v1", (EventItem("A"),), NOON - DAY_MS)]).result()
            figures = overview.overview(2, NOON)
            assert [(day["views"], day["visitors"]) for day in figures["days"]] == [(n, 1), (n, n)]
            assert figures["top_items"][0]["views"] == 2 * n
        log.erase("v1")
        figures = overview.overview(2, NOON)
        assert [day["views"] for day in figures["days"]] == [0, 1]
        assert figures["top_items"][0]["views"] == 1
