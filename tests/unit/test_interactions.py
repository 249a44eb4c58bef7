"""The log as columns."""

from __future__ import annotations

import numpy as np

from aisle.learn.interactions import Interactions
from aisle.learn.shoppers import ShopperStates
from aisle.settings import RecommendSettings
from aisle.types import Event, EventItem, LoggedEvent

ORDS = {"a": 0, "b": 1, "c": 2}


def event(seq: int, name: str, item: str, minute: float, visitor: str = "v", session: str = "") -> LoggedEvent:
    time_ms = 1_700_000_000_000 + int(minute * 60_000)
    return LoggedEvent(seq, Event(name, visitor, (EventItem(item),), time_ms, f"e{seq}", session))


LOG = [
    event(1, "select_item", "a", 0),
    event(2, "view_item", "a", 0.1),
    event(3, "add_to_cart", "a", 1),
    event(4, "view_item", "b", 2),
    event(5, "view_item", "b", 3),
    event(6, "view_item", "nowhere", 4),
    event(7, "purchase", "c", 100),
    event(8, "view_item", "c", 1, visitor="w"),
    event(9, "view_item_list", "a", 2, visitor="w"),
]


def test_a_click_and_the_page_it_opens_are_one_step_and_a_second_look_is_another() -> None:
    read = Interactions.read(LOG, lambda item_id: ORDS.get(item_id, -1))
    assert read.ords.tolist() == [0, 1, 1, 2, 2]
    assert read.visitor.tolist() == [0, 0, 0, 0, 1]
    assert read.strength.tolist() == [3, 1, 1, 5, 1]
    assert read.bought.tolist() == [False, False, False, True, False]
    assert np.diff(read.session).tolist() == [0, 0, 1, 1]  # two hours of silence end a session
    assert read.n_ords == 3


def test_serving_reads_the_same_steps_as_training() -> None:
    states = ShopperStates(RecommendSettings(), lambda item_id: ORDS.get(item_id, -1))
    for logged in LOG:
        states.fold(logged.seq, logged.event)
    shopper = states.view("v", LOG[6].event.time_ms + 1000)
    read = Interactions.read(LOG, lambda item_id: ORDS.get(item_id, -1))
    mine = read.take(np.flatnonzero(read.visitor == 0))
    assert shopper.sequence.tolist() == mine.ords.tolist()
    assert shopper.sequence_ms.tolist() == mine.time_ms.tolist()
    assert shopper.strengths.tolist() == mine.strength.tolist()
    assert shopper.n_session == 1


def test_the_newest_sessions_are_held_out() -> None:
    log = [event(n, "view_item", "abc"[n % 3], 100.0 * n, visitor=f"v{n % 7}") for n in range(1, 101)]
    past, future = Interactions.read(log, ORDS.__getitem__).split(0.1)
    assert len(past) == 90
    assert len(future) == 10
    assert past.time_ms.max() < future.time_ms.min()


def test_an_empty_log_has_no_rows() -> None:
    nothing = Interactions.read([], ORDS.__getitem__)
    assert len(nothing) == nothing.n_ords == 0
    assert nothing.starts(nothing.visitor).tolist() == [0]
    assert len(nothing.split()[1]) == 0
