"""Contract suites of the stores: subclass one, give the fixture, and pytest does the rest.

class TestSqliteEventLog(EventLogContract):
    @pytest.fixture
    def store(self, tmp_path): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from aisle.errors import InvalidEvent, InvalidProduct
from aisle.ports import CatalogStore, EventLog, SlateLog
from aisle.testing.content import (
    ContentStoreContract,
    KeyStoreContract,
    LabelStoreContract,
    StateStoreContract,
    VectorStoreContract,
)
from aisle.testing.models import ModelStoreContract
from aisle.testing.samples import FULL_EVENT, FULL_PRODUCT, event, product, slate
from aisle.types import Event, Group, Product, Slate

__all__ = [
    "CatalogStoreContract",
    "ContentStoreContract",
    "EventLogContract",
    "KeyStoreContract",
    "LabelStoreContract",
    "ModelStoreContract",
    "SlateLogContract",
    "StateStoreContract",
    "VectorStoreContract",
]


def _all_changes(store: CatalogStore, limit: int) -> Iterator[Group]:
    seq = 0
    while groups := store.changed(seq, limit):
        assert len(groups) <= limit
        yield from groups
        seq = groups[-1].seq


class CatalogStoreContract:
    """What every CatalogStore does."""

    @pytest.fixture
    def store(self) -> CatalogStore:
        raise NotImplementedError("give an empty CatalogStore")

    def test_is_empty_at_first(self, store: CatalogStore) -> None:
        assert isinstance(store, CatalogStore)
        assert (store.seq(), store.count(), list(store.item_ords())) == (0, (0, 0), [])
        assert store.changed(0, 10) == []
        assert store.ords(["P1", ""]) == [-1, -1]
        assert store.groups([0, 7]) == [None, None]

    def test_gives_products_back_exactly(self, store: CatalogStore) -> None:
        bare = Product("bare", "Bare")
        store.upsert([FULL_PRODUCT, bare])
        groups = store.groups(store.ords(["bare", "MH01", "MH01-XS"]))
        assert [group.products for group in groups if group] == [(bare,), (FULL_PRODUCT,), (FULL_PRODUCT,)]
        assert [group.group_id for group in groups if group] == ["bare", "MH01", "MH01"]
        assert all(group.first_seen_ms > 0 for group in groups if group)
        sale = groups[1].products[0].sale_price if groups[1] else None
        assert sale is not None
        assert str(sale.amount) == "49.9"

    def test_counts_what_changed(self, store: CatalogStore) -> None:
        first = store.upsert([product("A"), product("B")])
        assert (first.n_added, first.n_changed, first.n_unchanged) == (2, 0, 0)
        second = store.upsert([product("A"), product("B", title="New title"), product("C")])
        assert (second.n_added, second.n_changed, second.n_unchanged) == (1, 1, 1)
        assert second.seq == store.seq() > first.seq
        third = store.upsert([product("A")])
        assert (third.n_added, third.n_changed, third.n_unchanged, third.seq) == (0, 0, 1, second.seq)
        assert store.count() == (3, 3)

    def test_of_two_rows_with_one_id_the_later_wins(self, store: CatalogStore) -> None:
        store.upsert([product("A", title="first"), product("A", title="second")])
        (group,) = store.changed(0, 10)
        assert [p.title for p in group.products] == ["second"]

    def test_sees_a_change_at_once(self, store: CatalogStore) -> None:
        store.upsert([product("A", title="old")])
        ords = store.ords(["A"])
        assert [g.lead.title for g in store.groups(ords) if g] == ["old"]
        store.upsert([product("A", title="new")])
        assert [g.lead.title for g in store.groups(ords) if g] == ["new"]
        store.delete(["A"])
        assert store.groups(ords) == [None]

    def test_changes_come_in_pages_oldest_first(self, store: CatalogStore) -> None:
        for start in range(0, 30, 10):
            store.upsert([product(f"P{n}", f"G{n // 2}") for n in range(start, start + 10)])
        store.upsert([product("P0", "G0", "changed last")])
        groups = list(_all_changes(store, 4))
        assert [group.group_id for group in groups] == [f"G{n}" for n in range(1, 15)] + ["G0"]
        assert [group.seq for group in groups] == sorted({group.seq for group in groups})
        assert groups[-1].seq == store.seq()
        assert all(len(group.products) == 2 for group in groups)
        assert store.changed(store.seq(), 10) == []

    def test_a_deleted_group_shows_as_a_change_without_products(self, store: CatalogStore) -> None:
        store.upsert([product("A1", "A"), product("A2", "A"), product("B")])
        seq, (ord_,) = store.seq(), store.ords(["A"])
        assert store.delete(["A1", "unknown"]).n_removed == 1
        (half,) = store.changed(seq, 10)
        assert [p.item_id for p in half.products] == ["A2"]
        assert store.delete(["A1", "A2"]).n_removed == 1
        (gone,) = store.changed(half.seq, 10)
        assert (gone.ord, gone.products) == (ord_, ())
        assert store.groups([ord_]) == [None]
        assert store.count() == (1, 1)
        assert store.delete(["A1"]).seq == store.seq() == gone.seq

    def test_an_ord_is_never_given_to_another_group(self, store: CatalogStore) -> None:
        store.upsert([product("A"), product("B")])
        a, b = store.ords(["A", "B"])
        store.delete(["B"])
        store.upsert([product("C"), product("B")])
        assert store.ords(["A", "B"]) == [a, b]
        assert store.ords(["C"])[0] not in (a, b, -1)
        assert store.count() == (3, 3)

    def test_moving_between_groups_changes_both(self, store: CatalogStore) -> None:
        store.upsert([product("A1", "A"), product("A2", "A"), product("B1", "B")])
        seq = store.seq()
        store.upsert([product("A2", "B")])
        changed = {group.group_id: [p.item_id for p in group.products] for group in store.changed(seq, 10)}
        assert changed == {"A": ["A1"], "B": ["A2", "B1"]} or changed == {"A": ["A1"], "B": ["B1", "A2"]}
        assert store.ords(["A2"]) == store.ords(["B"])

    def test_a_full_feed_removes_the_rest(self, store: CatalogStore) -> None:
        store.upsert([product(f"P{n}") for n in range(5)])
        assert store.retain({"P1", "P3", "unknown"}).n_removed == 3
        assert store.count() == (2, 2)
        assert store.retain({"P1", "P3"}).n_removed == 0

    def test_knows_every_id(self, store: CatalogStore) -> None:
        store.upsert([product("A1", "A"), product("A2", "A"), product("B")])
        known = dict(store.item_ords())
        assert set(known) == {"A", "A1", "A2", "B"}
        assert [known[i] for i in ("A", "A1", "A2", "B")] == store.ords(["A", "A1", "A2", "B"])

    def test_takes_more_than_one_transaction_holds(self, store: CatalogStore) -> None:
        changes = store.upsert(product(f"P{n}") for n in range(4_500))
        assert (changes.n_added, changes.seq) == (4_500, store.seq())
        assert sum(1 for _ in _all_changes(store, 1_000)) == 4_500

    def test_refuses_text_that_is_not_unicode(self, store: CatalogStore) -> None:
        with pytest.raises(InvalidProduct):
            store.upsert([product("A"), product("B", title="half a pair \ud800")])
        assert store.count() == (0, 0)
        assert store.ords(["\ud800"]) == [-1]


class EventLogContract:
    """What every EventLog does."""

    @pytest.fixture
    def store(self) -> EventLog:
        raise NotImplementedError("give an empty EventLog")

    def test_is_empty_at_first(self, store: EventLog) -> None:
        assert isinstance(store, EventLog)
        assert (store.last_seq(), store.read(0, 10), store.of_visitor("v1")) == (0, [], [])
        assert store.append([]).result() == []

    def test_gives_events_back_exactly(self, store: EventLog) -> None:
        bare = Event("search", "v1", time_ms=5, event_id="bare")
        acks = store.append([FULL_EVENT, bare]).result()
        assert [(ack.event_id, ack.duplicate) for ack in acks] == [("order-1", False), ("bare", False)]
        logged = store.read(0, 10)
        assert [one.event for one in logged] == [FULL_EVENT, bare]
        assert [one.seq for one in logged] == [ack.seq for ack in acks]
        assert store.last_seq() == acks[-1].seq

    def test_an_event_id_counts_once(self, store: EventLog) -> None:
        (first,) = store.append([event(1)]).result()
        again = store.append([event(2), event(1), event(2), replace(event(1), name="share")]).result()
        assert [ack.duplicate for ack in again] == [False, True, True, True]
        assert [again[1].seq, again[3].seq, again[2].seq] == [first.seq, first.seq, again[0].seq]
        assert [one.event for one in store.read(0, 10)] == [event(1), event(2)]

    def test_gives_what_is_missing(self, store: EventLog) -> None:
        acks = store.append([Event("view_item", "v1"), Event("view_item", "v1")]).result()
        assert len({ack.event_id for ack in acks} - {""}) == 2
        assert all(one.event.time_ms > 1_600_000_000_000 for one in store.read(0, 10))

    def test_reads_in_pages(self, store: EventLog) -> None:
        store.append([event(n) for n in range(25)]).result()
        seq, seen = 0, list[str]()
        while page := store.read(seq, 10):
            seen += [one.event.event_id for one in page]
            seq = page[-1].seq
        assert seen == [f"e{n}" for n in range(25)]

    def test_a_large_batch_is_acknowledged_in_order(self, store: EventLog) -> None:
        acks = store.append([event(n % 4_000) for n in range(4_500)]).result()
        assert [ack.event_id for ack in acks] == [f"e{n % 4_000}" for n in range(4_500)]
        assert sum(ack.duplicate for ack in acks) == 500
        assert len(store.read(0, 10_000)) == 4_000

    def test_many_at_once_each_get_their_own_ack(self, store: EventLog) -> None:
        futures = [store.append([event(n // 2)]) for n in range(400)]
        acks = [future.result()[0] for future in futures]
        assert [ack.event_id for ack in acks] == [f"e{n // 2}" for n in range(400)]
        assert sum(not ack.duplicate for ack in acks) == 200
        assert len({ack.seq for ack in acks}) == 200

    def test_forgets_a_shopper_and_no_seq_is_given_twice(self, store: EventLog) -> None:
        store.append([event(1, "v1"), event(2, "v2"), event(3, "v1")]).result()
        last = store.last_seq()
        assert [one.event.event_id for one in store.of_visitor("v1")] == ["e1", "e3"]
        assert (store.erase("v1"), store.erase("v1")) == (2, 0)
        assert store.of_visitor("v1") == []
        assert [one.event.event_id for one in store.read(0, 10)] == ["e2"]
        (ack,) = store.append([event(4)]).result()
        assert ack.seq > last

    @pytest.mark.parametrize(
        "bad",
        [
            Event("view_item", "v\ud800"),
            Event("view_item", "v1", params={"n": 2**70}),
            Event("view_item", "v1", time_ms=2**70),
        ],
    )
    def test_an_event_that_cannot_be_stored_is_refused_whole(self, store: EventLog, bad: Event) -> None:
        with pytest.raises(InvalidEvent):
            store.append([event(1), bad]).result()
        assert store.last_seq() == 0


class SlateLogContract:
    """What every SlateLog does."""

    @pytest.fixture
    def store(self) -> SlateLog:
        raise NotImplementedError("give an empty SlateLog")

    def test_keeps_what_learning_needs(self, store: SlateLog) -> None:
        assert isinstance(store, SlateLog)
        store.record(slate("l1"))
        store.flush()
        kept = store.get("l1")
        assert kept is not None
        expected: dict[str, Any] = {
            "list_id": "l1",
            "time_ms": 1_000,
            "surface": "search",
            "visitor_id": "v1",
            "query": "red hoodie",
            "n_hits": 17,
            "items": ["P0", "P1"],
            "groups": ["G0", "G1"],
            "positions": [0, 1],
            "scores": [1.0, 0.9],
            "sources": [["lexical"], ["lexical", "dense"]],
            "propensities": [1.0, 0.5],
            "features": {"bm25": [3.5, 1.5], "cosine": [0.5, 0.25]},
            "model_versions": {"covisitation": "v1"},
        }
        assert {key: kept[key] for key in expected} == expected
        assert store.get("unknown") is None

    def test_reads_from_a_moment_on(self, store: SlateLog) -> None:
        for n in range(5):
            store.record(slate(f"l{n}", time_ms=1_000 + n))
        store.flush()
        assert [one["list_id"] for one in store.read(1_002, 2)] == ["l2", "l3"]

    def test_an_empty_answer_is_an_answer(self, store: SlateLog) -> None:
        store.record(Slate("none", "home", ()))
        store.flush()
        kept = store.get("none")
        assert kept is not None
        assert (kept["items"], kept["query"], kept["n_hits"]) == ([], "", 0)

    def test_forgets_a_shopper(self, store: SlateLog) -> None:
        store.record(slate("l1", "v1"))
        store.record(slate("l2", "v2"))
        store.flush()
        assert [one["list_id"] for one in store.of_visitor("v1")] == ["l1"]
        assert (store.erase("v1"), store.erase("v1")) == (1, 0)
        assert store.of_visitor("v1") == []
        assert (store.get("l1"), store.get("l2") is None) == (None, False)
