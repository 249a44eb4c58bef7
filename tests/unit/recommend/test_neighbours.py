"""Session neighbours: they are found, they are fresh, and their numbers are chosen by what happened."""

import numpy as np
import pytest

from aisle.learn.interactions import Interactions
from aisle.learn.neighbours import (
    Neighbourhood,
    choose_finding,
    finding_of,
    fit_neighbours,
    hold_out,
    measure,
    next_steps,
)
from aisle.learn.session_index import LOOSE, Finding, SessionIndex
from aisle.learn.sessions import RecentSessions, owner_of
from aisle.ports import Shopper
from aisle.retrieve.neighbours import Neighbours
from aisle.testing.recommender import RecommenderContract
from aisle.types import Event, EventItem

from .conftest import ords, shopper

NOW, MINUTE = 1_700_000_000_000, 60_000


def over(*sessions, how=None):
    return Neighbours(Neighbourhood.of(Interactions.of_sequences(sessions), how or Finding(half_life=0)))


def after(*steps):
    return Shopper.of_sequence(ords(*steps))


class TestNeighbours(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return over([3, 5, 7], [3, 9], [5, 8, 3], [1, 2])

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_what_followed_in_like_sessions_comes_first(self, recommender):
        found = recommender.recommend(after(3, 5), ords(), 5)
        assert found.ords.tolist()[0] not in (1, 2)
        new = [o for o in found.ords.tolist() if o not in (3, 5)]
        assert new[0] == 7
        assert set(new) == {7, 8, 9}

    def test_because_is_the_last_product_shared(self, recommender):
        found = recommender.recommend(after(3, 5), ords(), 9)
        because = dict(zip(found.ords.tolist(), found.because.tolist(), strict=True))
        assert because[7] == 5
        assert because[9] == 3

    def test_seeds_are_the_newest_steps(self, recommender):
        assert recommender.recommend(after(1), ords(3), 9).because.tolist().count(3) >= 3
        assert 9 in recommender.recommend(shopper(), ords(3), 9).ords

    def test_products_of_their_own_are_proposed_as_the_shop_lives_by_it(self):
        sessions = [[1, 2, 1], [1, 2, 3]] * 3
        never = over(*sessions, how=Finding(own=0)).recommend(after(1, 2), ords(), 9)
        often = over(*sessions, how=Finding(own=5, same=0)).recommend(after(1, 2), ords(), 9)
        assert never.ords.tolist() == [3]
        assert often.ords.tolist() == [1, 3]


def log_of(*rows):
    """A fold over (visitor, item, minute[, session])."""
    fold = RecentSessions(1000, lambda item: int(item[1:]))
    for n, (visitor, item, minute, *session) in enumerate(rows, 1):
        fold.fold(n, Event("view_item", visitor, (EventItem(item),), NOW + minute * MINUTE, f"e{n}", *session))
    return fold


def shown(index, *steps, **more):
    found = index.propose(ords(*steps), Finding(own=0), **more)
    return sorted(set(found.ords[found.parts > 0].tolist()))


def test_a_session_that_has_just_happened_is_a_neighbour_at_once():
    fold = log_of(("a", "i1", 0), ("a", "i2", 1))
    assert shown(fold.index(), 1) == [2]
    for n, item in enumerate(("i1", "i7"), 10):
        fold.fold(n, Event("view_item", "b", (EventItem(item),), NOW + n * MINUTE, f"e{n}"))
    assert shown(fold.index(), 1) == [2, 7]
    fold.fold(12, Event("view_item", "a", (EventItem("i8"),), NOW + 12 * MINUTE, "e12"))
    assert shown(fold.index(), 1) == [2, 7, 8], "a session goes on where it was"


def test_sessions_end_by_id_or_by_silence_unless_whole_histories_count():
    rows = [("a", "i1", 0), ("a", "i2", 90), ("b", "i1", 0, "s"), ("b", "i3", 1, "t")]
    fold = log_of(*rows)
    assert shown(fold.index(), 1) == []
    fold.take_for_sessions(whole_histories=True)
    fold.refresh()
    assert shown(fold.index(), 1) == [2, 3]


def test_the_session_going_on_is_no_neighbour_of_itself():
    index = log_of(("a", "i1", 0), ("a", "i2", 1), ("b", "i1", 0), ("b", "i3", 1)).index()
    assert shown(index, 1, owner=owner_of("a")) == [3]


def test_a_step_of_long_ago_finds_its_place_when_the_index_is_made_anew():
    fold = log_of(("a", "i1", 500), ("a", "i2", 501))
    fold.index()
    fold.fold(3, Event("view_item", "a", (EventItem("i4"),), NOW, "late"))
    assert shown(fold.index(), 1) == [2]
    fold.fold(4, Event("view_item", "a", (EventItem("i5"),), NOW + MINUTE, "late too"))
    fold.index()
    assert fold.refresh()
    assert not fold.refresh()
    assert shown(fold.index(), 4) == [5]


def test_an_item_that_the_catalogue_learns_of_later_counts_from_then_on():
    known = {"i1": 1}
    fold = RecentSessions(1000, lambda item: known.get(item, -1))
    for n, item in enumerate(("i1", "new"), 1):
        fold.fold(n, Event("view_item", "a", (EventItem(item),), NOW + n, f"e{n}"))
    assert shown(fold.index(), 1) == []
    known["new"] = 9
    fold.catalogue_changed()
    fold.refresh()
    assert shown(fold.index(), 1) == [9]


def test_only_the_newest_steps_are_kept():
    fold = RecentSessions(3, lambda item: int(item[1:]))
    for n in range(1, 9):
        fold.fold(n, Event("view_item", "a", (EventItem(f"i{n}"),), NOW + n, f"e{n}"))
    assert len(fold) == 3
    assert shown(fold.index(), 8) == [6, 7]


def test_a_snapshot_of_another_kind_or_cut_short_is_refused():
    fold = log_of(("a", "i1", 0))
    for data in (b"", b"{}\n", fold.dump()[:-1]):
        with pytest.raises(ValueError, match="replay the log"):
            RecentSessions(1000, int).load(data)
    with pytest.raises(ValueError, match="limit"):
        RecentSessions(999, int).load(fold.dump())


def test_steps_added_one_by_one_say_the_same_as_an_index_made_at_once():
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 60, rng.integers(1, 9)).tolist() for _ in range(1500)]
    whole = SessionIndex.of(Interactions.of_sequences(lists))
    grown = SessionIndex.of(Interactions.of_sequences(lists[:300]))
    assert sum(len(one) for one in lists[300:]) > LOOSE
    for n, one in enumerate(lists[300:], 300):
        row = grown.begin(n, one[0])
        assert all(grown.extend(row, ord_) for ord_ in one[1:])
    for asked in ([1, 2, 3], [59], [4, 5, 4]):
        sums = [
            np.bincount(found.ords, found.parts, minlength=60)
            for found in (index.propose(ords(*asked), Finding(top_k=10**6)) for index in (whole, grown))
        ]
        assert np.allclose(*sums, rtol=1e-4)


def test_a_hundred_thousand_steps_of_one_visitor_are_no_burden():
    index = SessionIndex()
    row = index.begin(1, 0)
    for n in range(1, 500):
        if not index.extend(row, n % 50):
            row = index.begin(1, n % 50)
    assert len(index) == 5
    long = Interactions.of_sequences([[n % 50 for n in range(100_000)], [1, 2]])
    assert SessionIndex.of(long).nbytes < 100_000
    found = SessionIndex.of(long).propose(np.arange(100_000, dtype=np.int32) % 50, Finding())
    assert np.isfinite(found.parts).all()


def chains(n=600, seed=0):
    """Sessions that walk on from product to product: what came before does not come again."""
    rng = np.random.default_rng(seed)
    return [[(begin + step) % 90 for step in range(4)] for begin in rng.integers(0, 90, n).tolist()]


def test_the_numbers_are_chosen_on_the_newest_sessions():
    past = Interactions.of_sequences(chains())
    old, new = hold_out(past)
    assert len(np.unique(new.session)) == 60
    cases = next_steps(old, new)
    assert len(cases) == 180
    assert all(len(case.steps) == case.n_session for case in cases)
    index = SessionIndex.of(old)
    how, recall, mrr = choose_finding(index, cases)
    first = measure(index, Finding(), cases)
    assert recall + 2 * mrr > first[0] + 2 * first[1]
    assert how.own == 0
    again, whole = finding_of(fit_neighbours(past, seconds=1e9).arrays)
    assert again == how
    assert not whole


def test_where_a_visit_is_one_step_whole_histories_are_sessions():
    lists = chains(300)
    n = sum(len(one) for one in lists)
    base = Interactions.of_sequences(lists)
    visits = Interactions(
        base.visitor,
        np.arange(n),
        base.ords,
        NOW + base.time_ms * 86_400_000 + base.visitor,
        base.strength,
        base.bought,
    )
    fitted = fit_neighbours(visits)
    assert finding_of(fitted.arrays)[1]
    assert fitted.metrics["recall@20"] > 0.9


def test_too_little_is_told():
    assert fit_neighbours(Interactions.of_sequences([])) is None
    assert fit_neighbours(Interactions.of_sequences([[1], [2, 3]])) is None
    assert len(over().recommend(after(1), ords(), 5)) == 0
