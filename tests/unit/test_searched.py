"""What the log says of searches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from aisle.learn.searched import UNSEEN, Searched, clicked_arrays, query_key
from aisle.serving.search_ranking import clicked_of
from aisle.types import Event, EventItem, LoggedEvent

MINUTE = 60_000


def read(events: Sequence[Event]) -> Searched:
    return Searched.read([LoggedEvent(n, e) for n, e in enumerate(events, 1)], lambda item: int(item[1:]))


def shown(visitor: str, query: str, items: Sequence[str], at: int = 0) -> Event:
    return Event("view_item_list", visitor, tuple(EventItem(i) for i in items), at, query=query)


def step(visitor: str, item: str, at: int = 0, name: str = "select_item") -> Event:
    return Event(name, visitor, (EventItem(item),), at)


def test_a_step_counts_for_the_search_that_showed_the_product() -> None:
    found = read(
        [
            shown("a", "Red  Shoe", ["P1", "P2"]),
            step("a", "P2", MINUTE),
            step("a", "P2", 2 * MINUTE, "purchase"),
            step("a", "P1", 40 * MINUTE),  # half an hour later it is another errand
            step("b", "P1", MINUTE),  # who searched for nothing
        ]
    )
    assert found.queries == ("red shoe",)
    assert found.place.tolist() == [0, 1]
    assert found.worth.tolist() == [0.0, 1.0]


def test_without_lists_a_step_counts_for_the_last_search() -> None:
    found = read([Event("search", "a", time_ms=0, query="boot"), step("a", "P3", MINUTE), step("a", "P3", 2 * MINUTE)])
    assert found.place.tolist() == [UNSEEN]
    assert found.worth.tolist() == [pytest.approx(1 / 3)]


def test_a_list_of_something_else_ends_the_search() -> None:
    found = read(
        [
            shown("a", "boot", ["P1"]),
            Event("view_item_list", "a", (EventItem("P1"), EventItem("P2")), MINUTE),
            step("a", "P1", 2 * MINUTE),
            step("a", "P2", 2 * MINUTE),
        ]
    )
    assert found.worth.tolist() == [0.0]


def test_what_stands_low_is_not_blamed_for_being_overlooked() -> None:
    rng = np.random.default_rng(0)
    events = []
    looks = 1 / (1 + np.arange(6))
    # P5 answers best and mostly stands last; P0 answers worst and mostly stands first.
    answers = {f"P{n}": 0.3 + 0.06 * n for n in range(6)}
    for visit in range(4000):
        order = [f"P{n}" for n in (range(6) if visit % 3 else rng.permutation(6))]
        events.append(shown(f"v{visit}", "boot", order, visit))
        for place, item in enumerate(order):
            if rng.random() < looks[place] * answers[item]:
                events.append(step(f"v{visit}", item, visit))
    found = read(events)
    raw = np.bincount(found.ords, found.worth)
    assert raw.argmax() == 0
    judged = found.judgements()
    assert judged.ords[judged.gain.argmax()] == 5
    assert judged.gain[judged.ords == 5] == 1.0
    order = judged.ords[np.argsort(-judged.gain)]
    assert order.tolist() == [5, 4, 3, 2, 1, 0]
    assert (judged.weight <= 0.5).all()


def test_what_was_taken_is_found_again_by_its_query() -> None:
    found = read([shown("a", "red  SHOE", ["P4", "P2"]), step("a", "P2"), shown("b", "boot", ["P1"]), step("b", "P1")])
    clicked = clicked_of(clicked_arrays(found.judgements()))
    ords = np.array([1, 2, 4, 9], np.int32)
    assert clicked.column("Red shoe ", ords).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert clicked.column("boot", ords).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert not clicked.column("shoe", ords).any()
    assert not clicked_of(clicked_arrays(read([]).judgements())).of
    assert query_key(" A  b ") == "a b"
