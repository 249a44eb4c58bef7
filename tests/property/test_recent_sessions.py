"""Recent sessions: any order of the same events gives the same state and, made anew, the same index."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_folds import logs, ord_of

from aisle.learn.session_index import Finding
from aisle.learn.sessions import RecentSessions
from aisle.types import Event, EventItem


def fold(limit=1000, whole=False):
    return RecentSessions(limit, ord_of, whole_histories=whole)


def said(index):
    """What the sessions say to some shoppers, as sums by product."""
    found = []
    for asked in ([0], [1, 2], [3, 0, 3], [7, 6, 5, 4]):
        ords, parts, _ = index.propose(np.array(asked, np.int32), Finding())
        found.append(np.bincount(ords, parts, minlength=9).round(4).tolist())
    return found


@settings(max_examples=150, deadline=None)
@given(logs(), st.sampled_from([4, 1000]), st.booleans())
def test_any_order_and_any_repeats_give_the_same_sessions(case, limit, whole):
    log, order, repeats = case
    one, two = fold(limit, whole), fold(limit, whole)
    for seq, event in enumerate(log, 1):
        one.fold(seq, event)
    for n in [*order, *repeats]:
        two.fold(n + 1, log[n])
    assert one.dump() == two.dump()
    assert len(one) <= limit
    assert said(one.index()) == said(two.index())


@settings(max_examples=100, deadline=None)
@given(logs())
def test_a_snapshot_then_the_rest_is_the_whole_log(case):
    log, order, _ = case
    whole, first, second = fold(), fold(), fold()
    for n in order:
        whole.fold(n + 1, log[n])
    for n in order[: len(order) // 2]:
        first.fold(n + 1, log[n])
    second.load(first.dump())
    for n in order[len(order) // 2 :]:
        second.fold(n + 1, log[n])
    assert second.dump() == whole.dump()
    assert said(second.index()) == said(whole.index())


@settings(max_examples=150, deadline=None)
@given(logs(), st.integers(0, 30), st.booleans())
def test_events_that_come_in_time_are_in_the_index_as_if_it_were_made_anew(case, n_before, whole):
    log, _, _ = case
    in_time = [
        Event(e.name, e.visitor_id, (EventItem(i.item_id),), e.time_ms + n, f"e{n}", e.session_id)
        for n, e in enumerate(sorted(log, key=lambda e: e.time_ms))
        for i in e.items[:1]
    ]
    live, anew = fold(whole=whole), fold(whole=whole)
    for seq, event in enumerate(in_time, 1):
        if seq > n_before:
            live.index()  # each step from here on is added by itself
        live.fold(seq, event)
        anew.fold(seq, event)
    one, two = live.index(), anew.index()
    assert len(one) == len(two)
    # Ages may differ: a session stands where it began, and made anew where it ended.
    ageless = Finding(half_life=0)
    for asked in ([0], [1, 2], [3, 0, 3]):
        sums = [
            np.bincount(found.ords, found.parts, minlength=9)
            for found in (index.propose(np.array(asked, np.int32), ageless) for index in (one, two))
        ]
        assert np.allclose(sums[0], sums[1], atol=1e-4)
