"""Co-visitation finds what goes together and is not drowned by what is popular."""

import numpy as np
import pytest

from aisle.learn.covisitation import earning, earns_its_place, evaluate_covisitation, train_covisitation
from aisle.types import Event, EventItem, LoggedEvent

MINUTE, DAY = 60_000, 86_400_000


def ord_of(item_id):
    return int(item_id[1:]) if item_id[1:].isdigit() else -1


def log(*rows):
    """Events from (name, visitor, items, time_ms[, session])."""
    return [
        LoggedEvent(n, Event(name, visitor, tuple(EventItem(i) for i in items), time_ms, f"e{n}", *session))
        for n, (name, visitor, items, time_ms, *session) in enumerate(rows, 1)
    ]


def neighbours(arrays, relation, ord_):
    row = slice(*arrays[f"{relation}_indptr"][ord_ : ord_ + 2].tolist())
    return arrays[f"{relation}_indices"][row].tolist()


def test_an_empty_log_trains_an_empty_model():
    arrays = train_covisitation([], ord_of)
    assert sorted(arrays) == [f"{r}_{p}" for r in ("bought", "viewed") for p in ("indices", "indptr", "weights")]
    assert arrays["viewed_indptr"].tolist() == [0]
    assert not earns_its_place(evaluate_covisitation([], ord_of))


def test_orders_and_sessions_are_two_relations():
    arrays = train_covisitation(
        log(
            ("purchase", "a", ["i1", "i2"], 0),
            ("view_item", "a", ["i1"], 1, "s"),
            ("view_item", "a", ["i3"], 2, "s"),
            ("view_item", "a", ["unknown"], 3, "s"),
            ("view_item_list", "a", ["i2"], 4, "s"),
        ),
        ord_of,
    )
    assert neighbours(arrays, "bought", 1) == [2]
    assert neighbours(arrays, "viewed", 1) == [3]
    assert neighbours(arrays, "viewed", 3) == [1]


def test_sessions_end_by_id_or_by_silence():
    arrays = train_covisitation(
        log(
            ("view_item", "a", ["i1"], 0, "s"),
            ("view_item", "a", ["i2"], 1, "t"),
            ("view_item", "b", ["i3"], 0),
            ("view_item", "b", ["i4"], 10 * MINUTE),
            ("view_item", "b", ["i5"], 90 * MINUTE),
            ("view_item", "c", ["i1"], 0),
        ),
        ord_of,
    )
    assert neighbours(arrays, "viewed", 3) == [4]
    assert neighbours(arrays, "viewed", 4) == [3]
    assert neighbours(arrays, "viewed", 1) == neighbours(arrays, "viewed", 2) == []


def test_an_order_a_line_an_event_is_one_order_and_later_orders_count_less():
    rows = [("purchase", "a", [f"i{n}"], 0) for n in (1, 2)] + [("purchase", "a", ["i3"], 5 * DAY)]
    arrays = train_covisitation(log(*rows, ("purchase", "a", ["i4"], 90 * DAY)), ord_of)
    assert neighbours(arrays, "bought", 1) == [2, 3]
    assert neighbours(arrays, "bought", 4) == []


def test_a_bestseller_does_not_lead_every_list():
    # Item 0 is in every second order of 200; 1 and 2 are seldom bought without each other.
    rows = [("purchase", f"v{n}", ["i0", f"i{10 + n % 50}"] if n % 2 else [f"i{10 + n % 50}"], n) for n in range(200)]
    rows += [("purchase", f"w{n}", ["i1", "i2", *(["i0"] if n < 4 else [])], 1000 + n) for n in range(6)]
    assert neighbours(train_covisitation(log(*rows), ord_of), "bought", 1) == [2, 0]


def test_the_order_of_the_log_does_not_matter():
    rows = [("purchase", f"v{n % 7}", [f"i{n % 5}", f"i{(n * 3) % 11}"], n * MINUTE) for n in range(60)]
    events = log(*rows)
    one, two = train_covisitation(events, ord_of), train_covisitation(events[::-1], ord_of)
    for name, array in one.items():
        assert array.tolist() == pytest.approx(two[name].tolist()), name


def test_pairs_beat_popularity_on_held_out_sessions():
    rng = np.random.default_rng(0)
    rows = []
    for n in range(1500):
        pair = int(rng.integers(150))
        items = [2 * pair, 2 * pair + 1] if rng.random() < 0.9 else [2 * pair, int(rng.integers(300))]
        rows += [("view_item", f"v{n}", [f"i{i}"], n * MINUTE * 60 + at, f"s{n}") for at, i in enumerate(items)]
    metrics = evaluate_covisitation(log(*rows), ord_of)
    assert metrics["viewed_hit_rate"] > 0.6 > 0.3 > metrics["viewed_popularity"]
    assert metrics["viewed_gain_low"] > 0
    assert metrics["bought_cases"] == 0
    kept = earning(train_covisitation(log(*rows), ord_of), metrics)
    assert sorted(kept) == ["viewed_indices", "viewed_indptr", "viewed_weights"]
    assert earns_its_place(metrics)
