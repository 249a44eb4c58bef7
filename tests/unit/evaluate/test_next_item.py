"""Held-out cases and what is measured on them."""

from __future__ import annotations

import numpy as np
import pytest

from aisle.evaluate.next_item import Cases, Gain, Places, Popular, measure
from aisle.learn.interactions import Interactions
from aisle.learn.shoppers import ShopperStates
from aisle.settings import RecommendSettings
from aisle.types import Event, EventItem, LoggedEvent

DAY = 86_400_000


def log(*rows: tuple[str, str, str, int]) -> list[LoggedEvent]:
    """Rows of (event, visitor, item, time)."""
    return [
        LoggedEvent(seq, Event(name, visitor, (EventItem(item),), time_ms, f"e{seq}"))
        for seq, (name, visitor, item, time_ms) in enumerate(rows, 1)
    ]


def number(item_id: str) -> int:
    return int(item_id[1:])


def test_a_case_knows_only_what_was_before_it() -> None:
    steps = Interactions.of_sequences([[1, 2, 3], [4, 5]])
    cases = Cases.of(steps, np.array([False, False, True, True, True]))
    # The first step of a visitor without history is nobody's prediction.
    assert cases.targets.tolist() == [3, 5]
    assert [s.sequence.tolist() for s in cases.shoppers] == [[1, 2], [4]]
    assert [s.recent.tolist() for s in cases.shoppers] == [[2, 1], [4]]


def test_the_first_step_of_a_session_counts_when_the_visitor_is_known() -> None:
    events = log(("view_item", "a", "i1", 0), ("view_item", "a", "i2", 9 * DAY), ("view_item", "b", "i3", 9 * DAY))
    steps = Interactions.read(events, number)
    cases = Cases.of(steps, steps.newest(0.9))
    assert cases.targets.tolist() == [2]
    assert (cases.shoppers[0].recent.tolist(), cases.shoppers[0].session.tolist()) == ([1], [])
    assert cases.shoppers[0].n_session == 0


def test_a_reload_is_not_a_choice() -> None:
    events = log(("view_item", "a", "i1", 0), ("view_item", "a", "i1", 5), ("view_item", "a", "i2", 9))
    steps = Interactions.read(events, number)
    assert Cases.of(steps, np.ones(len(steps), bool)).targets.tolist() == [2]


def test_a_held_out_shopper_is_who_the_shop_would_see() -> None:
    rows = [
        ("view_item", "a", "i1", 0), ("add_to_cart", "a", "i1", 2000), ("purchase", "a", "i1", 3000),
        ("view_item", "a", "i2", 5 * DAY), ("view_item", "a", "i3", 5 * DAY + 1000),
        ("view_item", "a", "i2", 5 * DAY + 2000), ("view_item", "a", "i7", 5 * DAY + 3000),
    ]  # fmt: skip
    settings = RecommendSettings()
    steps = Interactions.read(log(*rows), number, session_gap_minutes=settings.session_gap_minutes)
    held_out = np.zeros(len(steps), bool)
    held_out[-1] = True
    (case,) = Cases.of(steps, held_out, half_life_days=settings.history_half_life_days).shoppers
    live = ShopperStates(settings, number)
    for logged in log(*rows[:-1]):
        live.fold(logged.seq, logged.event)
    view = live.view("a", 5 * DAY + 3000)
    for name in ("recent", "session", "purchased", "sequence", "sequence_ms", "strengths", "n_session"):
        assert np.array_equal(getattr(case, name), getattr(view, name)), name
    # A step counts its strongest event only; the fold adds up the view and the cart before it too.
    assert np.argsort(case.weights).tolist() == np.argsort(view.weights).tolist()


def test_one_visitor_is_not_everybody_and_the_draw_is_the_same_again() -> None:
    reseller = list(np.random.default_rng(1).permutation(5000) % 997)
    steps = Interactions.of_sequences([reseller, *([1, 2, 3],) * 200])
    cases = Cases.of(steps, np.ones(len(steps), bool), most=300, history_length=50)
    again = Cases.of(steps, np.ones(len(steps), bool), most=300, history_length=50)
    assert len(cases) == 300
    assert np.bincount(cases.visitor).max() <= 20
    assert max(len(s.sequence) for s in cases.shoppers) <= 50
    assert cases.targets.tolist() == again.targets.tolist()


def test_the_halves_share_no_visitor() -> None:
    cases = Cases.of(Interactions.of_sequences([[1, 2, 3]] * 400), np.ones(1200, bool))
    one, other = cases.take(cases.first_half), cases.take(~cases.first_half)
    assert not set(one.visitor.tolist()) & set(other.visitor.tolist())
    assert 0.4 < len(one) / len(cases) < 0.6


def test_popularity_finds_what_most_took() -> None:
    steps = Interactions.of_sequences([[1, 2], [3, 2], [4, 2], [5, 1]])
    found = measure(Popular.of(steps), Cases.of(steps, np.ones(len(steps), bool)))
    assert found.place.tolist() == [0, 0, 0, 1]
    assert (found.recall, found.mrr) == (1.0, 0.875)
    recent = Popular.of(Interactions.read(log(*[("view_item", f"v{n}", "i1", 0) for n in range(9)],
                                              ("view_item", "w", "i2", 90 * DAY)), number), 7.0, 90 * DAY)  # fmt: skip
    assert recent.top()[0].tolist() == [2, 1]


def test_nothing_held_out_measures_nothing() -> None:
    cases = Cases.of(Interactions.of_sequences([]), np.empty(0, bool))
    found = measure(Popular.of(Interactions.of_sequences([])), cases)
    assert (len(cases), found.recall, found.mrr) == (0, 0.0, 0.0)
    assert Gain.of(found.hits, found.hits, cases.visitor).low == 0.0


def test_a_gain_of_one_visitor_proves_nothing() -> None:
    better, worse = np.ones(50), np.zeros(50)
    one = Gain.of(better, worse, np.zeros(50, np.int32))
    many = Gain.of(np.arange(50) % 5 / 1.0, worse, np.arange(50, dtype=np.int32))
    assert one.low < 0
    assert 0 < many.low < many.mean < many.high
    # The same numbers, but shoppers whose cases all move together: less is known.
    few = Gain.of(np.repeat(np.arange(5.0), 10), worse, np.repeat(np.arange(5, dtype=np.int32), 10))
    assert few.mean == pytest.approx(many.mean)
    assert few.low < many.low


def test_places_beyond_the_list_are_misses() -> None:
    found = Places(np.array([0, 19, 20], np.int32))
    assert found.hits.tolist() == [1, 1, 0]
    assert found.reciprocals.tolist() == [1.0, 0.05, 0.0]
