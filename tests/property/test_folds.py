"""Folding the log is commutative and idempotent: any order of the same events gives the same state."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.learn.queries import QueryCounts
from aisle.learn.shoppers import ShopperStates
from aisle.learn.trending import TrendingCounts
from aisle.settings import RecommendSettings
from aisle.types import EVENT_NAMES, Event, EventItem

NOW = 1_700_000_000_000
LIMIT = 3  # so that forgetting happens within a few events

items = st.lists(st.sampled_from([f"i{n}" for n in range(9)]), max_size=4).map(
    lambda ids: tuple(EventItem(item_id) for item_id in ids)
)
events = st.builds(
    Event,
    name=st.sampled_from(EVENT_NAMES),
    visitor_id=st.sampled_from(["v1", "v2"]),
    items=items,
    time_ms=st.integers(-5, 20).map(lambda minutes: max(0, NOW + minutes * 600_000)),
    session_id=st.sampled_from(["", "s1", "s2"]),
    query=st.sampled_from(["", "red hoodie", "mug"]),
    rating=st.sampled_from([None, 1.0, 3.0, 5.0]),
    params=st.sampled_from(
        [{}, {"undo": True}, {"brand": "Acme"}, {"brand": "Acme", "undo": True}, {"product_type": "A"}]
    ),
)


@st.composite
def logs(draw):
    log = [
        Event(**{**{f: getattr(e, f) for f in e.__dataclass_fields__}, "event_id": f"e{n}"})
        for n, e in enumerate(draw(st.lists(events, max_size=30)))
    ]
    order = draw(st.permutations(range(len(log))))
    repeats = draw(st.lists(st.sampled_from(order), max_size=5)) if log else []
    return log, order, repeats


def ord_of(item_id):
    return int(item_id[1:]) if item_id != "i8" else -1


def shoppers():
    return ShopperStates(RecommendSettings(history_length=LIMIT), ord_of)


def as_lists(shopper):
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name in shopper.__dataclass_fields__
        if (name, value := getattr(shopper, name)) and name != "version"
    }


@settings(max_examples=200, deadline=None)
@given(logs())
def test_any_order_and_any_repeats_give_the_same_shoppers(case):
    log, order, repeats = case
    one, two = shoppers(), shoppers()
    for seq, event in enumerate(log, 1):
        one.fold(seq, event)
    for n in [*order, *repeats]:
        two.fold(n + 1, log[n])
    assert one.dump() == two.dump()
    for visitor in ("v1", "v2"):
        assert as_lists(one.view(visitor, NOW)) == as_lists(two.view(visitor, NOW))


@settings(max_examples=100, deadline=None)
@given(logs())
def test_a_snapshot_then_the_rest_is_the_whole_log(case):
    log, order, _ = case
    whole, first, second = shoppers(), shoppers(), shoppers()
    for n in order:
        whole.fold(n + 1, log[n])
    for n in order[: len(order) // 2]:
        first.fold(n + 1, log[n])
    second.load(first.dump())
    for n in order[len(order) // 2 :]:
        second.fold(n + 1, log[n])
    assert second.dump() == whole.dump()


@settings(max_examples=100, deadline=None)
@given(logs())
def test_an_erased_shopper_leaves_the_state_of_a_log_without_them(case):
    log, _, _ = case
    one, two = shoppers(), shoppers()
    trend, without = TrendingCounts(7, ord_of), TrendingCounts(7, ord_of)
    for seq, event in enumerate(log, 1):
        one.fold(seq, event)
        trend.fold(seq, event)
        if event.visitor_id != "v1":
            two.fold(seq, event)
            without.fold(seq, event)
    for event in log:
        if event.visitor_id == "v1":
            trend.unfold(event)
    one.erase("v1")
    assert one.dump().split(b'"items"')[1] == two.dump().split(b'"items"')[1]
    assert trend.dump().split(b'"items"')[1] == without.dump().split(b'"items"')[1]


@settings(max_examples=200, deadline=None)
@given(logs())
def test_any_order_gives_the_same_popularity_and_queries(case):
    log, order, _ = case
    for make in (lambda: TrendingCounts(7, ord_of), QueryCounts):
        one, two, three = make(), make(), make()
        for seq, event in enumerate(log, 1):
            one.fold(seq, event)
        for n in order:
            two.fold(n + 1, log[n])
        assert one.dump() == two.dump()
        three.load(two.dump())
        assert three.dump() == one.dump()
