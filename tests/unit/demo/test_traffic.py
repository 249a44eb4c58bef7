"""The simulated history: valid events, in order, from shoppers who behave."""

from collections import Counter
from dataclasses import replace
from random import Random

from aisle.demo.catalogue import products
from aisle.demo.kinds import KIND_INDEX
from aisle.demo.queries import typing_error, write_query
from aisle.demo.traffic import simulate
from aisle.demo.world import Need, World
from aisle.types import EVENT_NAMES


def test_the_same_seed_gives_the_same_history(world, history):
    assert list(simulate(World(world.config))) == history
    assert list(simulate(world, seed=2)) != history


def test_events_are_valid_and_in_time_order(world, history):
    assert len(history) > 1000
    items = {p.item_id for p in products(world)}
    last = world.start_ms
    for event in history:
        assert event.name in EVENT_NAMES
        assert last <= event.time_ms < world.config.end_ms
        last = event.time_ms
        assert event.visitor_id in world.visitor_ids
        assert {item.item_id for item in event.items} <= items
        assert bool(event.items) != (event.name == "search")
    assert len({event.event_id for event in history}) == len(history)


def test_every_step_of_the_funnel_is_narrower(history):
    count = Counter(event.name for event in history)
    shown = sum(len(e.items) for e in history if e.name == "view_item_list")
    assert shown > count["select_item"] > count["add_to_cart"] > count["begin_checkout"] >= count["purchase"] > 0


def test_first_places_are_clicked_more(history):
    shown, clicked = Counter(), Counter()
    for event in history:
        for item in event.items:
            if event.name == "view_item_list":
                shown[item.index % 12] += 1
            elif event.name == "select_item":
                clicked[item.index % 12] += 1
    top = sum(clicked[i] for i in range(3)) / sum(shown[i] for i in range(3))
    bottom = sum(clicked[i] for i in range(9, 12)) / sum(shown[i] for i in range(9, 12))
    assert top > 1.7 * bottom


def test_a_click_follows_an_impression_of_the_same_session(history):
    seen = set()
    for event in history:
        for item in event.items:
            if event.name == "view_item_list":
                seen.add((event.session_id, item.item_id))
            elif event.name == "select_item":
                assert (event.session_id, item.item_id) in seen


def test_purchases_name_their_value(history):
    for event in history:
        if event.name == "purchase":
            assert event.value is not None
            assert event.value.amount == sum(item.price.amount for item in event.items)


def test_evenings_are_busier_than_nights(history):
    hours = Counter(event.time_ms // 3_600_000 % 24 for event in history)
    assert sum(hours[h] for h in (19, 20, 21)) > 3 * sum(hours[h] for h in (2, 3, 4))


def test_queries_say_what_is_needed(world):
    need = Need(KIND_INDEX["hoodie"], colour=10, max_price=60.0)
    texts = {write_query(world, need, 1, Random(i)) for i in range(300)}
    assert any("red hoodie" in text for text in texts)
    assert any("under $60" in text for text in texts)
    chinese = World(replace(world.config, language="zh"))
    assert any("红色" in write_query(chinese, need, 1, Random(i)) for i in range(20))


def test_a_typing_error_is_one_slip():
    slips = {typing_error("water bottle", Random(i)) for i in range(200)}
    assert len(slips) > 20
    assert all(abs(len(slip) - 12) <= 1 for slip in slips)
    assert typing_error("水壶", Random(0)) == "水壶"
