"""Circumstances: what is wanted when, where and on what, as far as the shop has seen it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.learn.circumstances import CircumstanceCounts, circumstances
from aisle.types import Context, Event, EventItem

EVENING = 1_767_207_600_000  # 2025-12-31 19:00 UTC, a Wednesday
MORNING = EVENING - 12 * 3_600_000
CATEGORY = np.array([0, 1, -1], np.int32)


def ord_of(item_id):
    return int(item_id[1:])


def viewed(item, at, n=1, **params):
    return [Event("view_item", f"v{k}", (EventItem(item),), at, params=params) for k in range(n)]


def counted(*events):
    counts = CircumstanceCounts(ord_of)
    for seq, event in enumerate((e for some in events for e in some), 1):
        counts.fold(seq, event)
    return counts


def lift(counts, context):
    return counts.lift(context, CATEGORY, 2, 1)


def test_a_moment_has_its_circumstances():
    assert circumstances(Context(EVENING, " GB/Leeds ", "phone")) == (
        "hour:evening", "week:day", "season:4", "place:gb", "place:gb/leeds", "device:phone",
    )  # fmt: skip
    assert circumstances(Context()) == ()
    assert circumstances(Context(place="GB")) == ("place:gb",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((EVENING, {}), (MORNING, {})),
        ((EVENING, {"place": "GB"}), (EVENING, {"place": "NO"})),
        ((EVENING, {"device": "phone"}), (EVENING, {"device": "desk"})),
    ],
)
def test_each_circumstance_lifts_what_it_has_shown(one, other):
    (time_a, params_a), (time_b, params_b) = one, other
    counts = counted(viewed("i0", time_a, 500, **params_a), viewed("i1", time_b, 500, **params_b))
    here = lift(counts, Context(time_a, params_a.get("place", ""), params_a.get("device", "")))
    there = lift(counts, Context(time_b, params_b.get("place", ""), params_b.get("device", "")))
    assert here.factor[0] > 1 > here.factor[1]
    assert there.factor[1] > 1 > there.factor[0]
    assert bool(here.telling[0]) == ("device" not in params_a)


def test_little_evidence_moves_little_and_none_moves_nothing():
    few = counted(viewed("i0", EVENING, 3, place="GB"), viewed("i1", EVENING, 3, place="NO"))
    assert lift(few, Context(place="GB")).factor == pytest.approx([1, 1], abs=0.05)
    assert lift(few, Context(place="FR")).factor == pytest.approx([1, 1])
    assert lift(counted(), Context(EVENING)) is None


names = st.sampled_from(["view_item", "purchase", "search", "add_to_cart"])
events = st.builds(
    Event,
    name=names,
    visitor_id=st.just("v"),
    items=st.lists(st.sampled_from(["i0", "i1", "i2"]), max_size=3).map(lambda ids: tuple(map(EventItem, ids))),
    time_ms=st.integers(0, 10**13),
    params=st.fixed_dictionaries(
        {"place": st.sampled_from(["", "GB", "GB/Leeds"]), "device": st.sampled_from(["phone", "tablet", ""])}
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=12), st.randoms())
def test_any_order_gives_the_same_counts_and_a_snapshot_keeps_them(log, random):
    one = counted(log)
    shuffled = [replace(event) for event in log]
    random.shuffle(shuffled)
    assert counted(shuffled).dump() == one.dump()
    kept = CircumstanceCounts(ord_of)
    kept.load(one.dump())
    assert kept.dump() == one.dump()
    more = viewed("i1", EVENING, 2, place="NO")
    for event in more:
        one.fold(0, event)
        kept.fold(0, event)
    assert kept.dump() == one.dump()


@pytest.mark.parametrize(
    "broken", [b"", b"{}", b'{"format": 9}', b'{"format": 1, "items": ["a"], "counts": {"all": ""}}']
)
def test_a_snapshot_that_cannot_be_read_says_so(broken):
    with pytest.raises(ValueError, match="replay the log"):
        CircumstanceCounts(ord_of).load(broken)
