"""Co-visitation finds what goes together and is not drowned by what is popular."""

from dataclasses import replace

import numpy as np
import pytest

from aisle.learn.covisitation import (
    COUNTING,
    choose_half_life,
    count_relation,
    earning,
    earns_its_place,
    evaluate_covisitation,
    hold_out,
    read_lines,
    train_covisitation,
)
from aisle.learn.fresh_pairs import FreshPairs
from aisle.learn.sessions import RecentSessions
from aisle.retrieve.together import Together
from aisle.testing.recommender import RecommenderContract, new_shopper
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
    parts = ("indices", "indptr", "support", "until_ms", "weights")
    assert sorted(arrays) == [f"{r}_{p}" for r in ("bought", "viewed") for p in parts]
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
    assert {name.split("_")[0] for name in kept} == {"viewed"}
    assert earns_its_place(metrics)


def test_in_a_shop_that_changes_old_pairs_fade():
    # Product n went with n + 100 for the first half of the time and goes with n + 200 since.
    rng = np.random.default_rng(0)
    rows = []
    for n in range(8000):
        item = int(rng.integers(60))
        other = item + (100 if n < 4000 else 200) if rng.random() < 0.4 else int(rng.integers(300, 340))
        rows += [("view_item", f"v{n}", [f"i{i}"], n * MINUTE * 60 + at, f"s{n}") for at, i in enumerate((item, other))]
    lines = read_lines(log(*rows), ord_of)["viewed"]
    chosen = choose_half_life(lines, COUNTING["viewed"])
    rates = [hold_out(lines, counting, top_k=1)["hit_rate"] for counting in (chosen, COUNTING["viewed"])]
    assert rates[0] >= rates[1]
    faded = replace(COUNTING["viewed"], half_life_days=20)
    indptr, indices, _ = count_relation(lines, 340, faded)
    assert sum(indices[indptr[n]] == n + 200 for n in range(60)) > 55


class TestTogetherWithWhatCameSince(RecommenderContract):
    """Lists made of a, then b's session: 1 goes with 2, and since a moment ago with 3 and 70."""

    @pytest.fixture
    def recommender(self):
        return self.source(since=[("b", "i1", 60), ("b", "i3", 61), ("b", "i70", 62)])

    @staticmethod
    def source(since):
        before = [("view_item", "a", [f"i{n}"], 1000 + n) for n in (1, 2)] * 3
        arrays = train_covisitation(log(*before), ord_of)
        fold = RecentSessions(1000, ord_of)
        for logged in log(*before):
            fold.fold(logged.seq, logged.event)
        fold.index()
        for n, (visitor, item, second) in enumerate(since, 100):
            fold.fold(n, Event("view_item", visitor, (EventItem(item),), second * 1000, f"e{n}"))
        return Together.of("viewed", arrays, FreshPairs.of("viewed", arrays, fold.index))

    @pytest.fixture
    def known(self):
        return np.array([1, 70], np.int32)

    def test_the_next_answer_reflects_what_others_just_did(self, recommender):
        seeds = np.array([1], np.int32)
        before = self.source(since=[]).recommend(new_shopper(), seeds, 9)
        after = recommender.recommend(new_shopper(), seeds, 9)
        assert before.ords.tolist() == [2]
        assert sorted(after.ords.tolist()) == [2, 3, 70]

    def test_a_product_that_the_lists_do_not_know_has_neighbours_at_once(self, recommender):
        found = recommender.recommend(new_shopper(), np.array([70], np.int32), 9)
        assert sorted(found.ords.tolist()) == [1, 3]
        assert found.because.tolist() == [70, 70]
