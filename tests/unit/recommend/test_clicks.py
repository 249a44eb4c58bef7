"""The model of clicks: what a shop shows and what shoppers make of it become a taste for everything there is."""

from dataclasses import replace

import numpy as np
import pytest

from aisle.learn.clicks import earns, fit_clicks
from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.learn.seen import SeenStates
from aisle.learn.shown import ASKED, BESIDE, ENGAGED, HOME, Shown
from aisle.ports import Shopper
from aisle.retrieve.clicks import TasteOfClicks
from aisle.testing.recommender import RecommenderContract
from aisle.types import Event, EventItem, LoggedEvent

from .conftest import ords

N, N_KINDS = 60, 6
NOBODY = np.empty(0, np.int32)


def table(**columns):
    """Sixty products: six categories of ten, two colours in turns."""
    category = np.repeat(np.arange(N_KINDS), N // N_KINDS).astype(np.int32)
    known = {
        "category": category,
        "ancestors": Codes.of([[int(c)] for c in category]),
        "attributes": Codes.of([[n % 2] for n in range(N)]),
        "log_price": np.full(N, 3.0, np.float32),
    }
    return ItemTable.blank(
        N, **(known | columns), categories=tuple(f"Kind {c}" for c in range(N_KINDS)),
        attribute_names=("color: Red", "color: Blue"),
    )  # fmt: skip


def log_of(visits, *, lists=True, alike=False, seed=0):
    """Even visitors like the first three categories and red, odd ones the others and blue; or all are `alike`."""
    rng = np.random.default_rng(seed)
    events, time_ms = [], 0
    for visit in range(visits):
        who = int(rng.integers(60))
        shown = rng.permutation(N)[:12]
        time_ms += 3_600_000
        session = f"s{visit}"

        def event(name, items, at=time_ms, who=who, session=session):
            seq = len(events) + 1
            lines = tuple(EventItem(str(i), index=place, item_list_id="home") for place, i in enumerate(items))
            return LoggedEvent(seq, Event(name, f"v{who}", lines, at + seq, f"e{seq}", session))

        if lists:
            events.append(event("view_item_list", shown.tolist()))
        for place, item in enumerate(shown.tolist()):
            even = alike or who % 2 == 0
            likes = ((item // 10 < 3) == even) + ((item % 2 == 0) == even)
            if rng.random() < (0.02, 0.15, 0.6)[likes] / (1 + 0.2 * place):
                events.append(event("view_item", [item]))
    return events


def fitted(events, items=None, **options):
    items = table() if items is None else items
    shown = Shown.read(events, int, items.category)
    return fit_clicks(Interactions.read(events, int), items, shown=shown, sweeps=6, n_factors=4, **options)


@pytest.fixture(scope="module")
def model():
    return fitted(log_of(1500))


@pytest.fixture(scope="module")
def source(model):
    return TasteOfClicks.of(model.arrays)


class TestContract(RecommenderContract):
    @pytest.fixture
    def recommender(self, source):
        return source

    @pytest.fixture
    def known(self):
        return ords(3, 5)


def share_liked(found, n=10):
    return float(np.mean(found.ords[:n] < 30))


def test_what_was_shown_is_told_apart_by_the_list_it_stood_in():
    def event(seq, name, items, listed=""):
        return LoggedEvent(
            seq,
            Event(name, "v", tuple(EventItem(str(i), item_list_id=listed) for i in items), 1000 * seq, f"e{seq}", "s"),
        )

    log = [
        event(1, "view_item_list", [0, 10, 20], "home"),
        event(2, "view_item_list", [1, 2, 3], "search_results"),
        event(3, "view_item", [2]),
        event(4, "add_to_cart", [2]),
        event(5, "view_item_list", [4, 5], "similar"),
        event(6, "view_item", [999]),
    ]
    shown = Shown.read(log, int, table().category)
    assert shown.kind.tolist() == [HOME] * 3 + [ASKED] * 3 + [ENGAGED] + [BESIDE] * 2
    assert shown.ords[shown.clicked].tolist() == [2, 2], "the place in the list, and that it went into the cart"
    assert shown.place[3:6].tolist() == [0, 1, 2]


def test_tastes_carry_over_to_what_a_shopper_never_saw(source):
    one = source.recommend(Shopper.of_sequence(ords(0, 2, 12, 14)), NOBODY, 20)
    other = source.recommend(Shopper.of_sequence(ords(31, 33, 41, 43)), NOBODY, 20)
    assert share_liked(one) >= 0.9
    assert share_liked(other) <= 0.1
    assert np.mean(one.ords[:10] % 2 == 0) > 0.6, "the colour that goes with such a taste"
    assert set(one.because.tolist()) <= {-1, 0, 2, 12, 14}


def test_the_next_answer_knows_the_last_event(source):
    before = source.recommend(Shopper.of_sequence(ords(0)), NOBODY, 20)
    after = source.recommend(Shopper.of_sequence(ords(0, 31, 33, 41, 43)), NOBODY, 20)
    assert share_liked(after) < share_liked(before)


def test_tastes_earn_their_place_where_shoppers_differ_and_nowhere_else():
    """Judged by the newest lists: which of the products that stood in one was clicked."""
    apart = fitted(log_of(3000), judged=True).metrics
    assert apart["auc"] > apart["auc_popular"] > 0.5
    assert earns(apart)
    alike = fitted(log_of(3000, alike=True), judged=True).metrics
    assert alike["auc"] > 0.6
    assert not earns(alike)
    assert fitted(log_of(200), judged=True).metrics == {}  # too few lists to say anything


def test_what_is_turned_away_speaks_against_its_like(source):
    taken = ords(0, 31)
    who = Shopper.of_sequence(taken)
    plain = source.score(who, ords(2, 33))
    away = source.score(replace(who, disliked=ords(4, 6, 14)), ords(2, 33))
    assert away[0] / away[1] < plain[0] / plain[1]


def test_a_product_that_nobody_saw_borrows_from_its_like():
    never = 8
    log = [
        LoggedEvent(e.seq, Event(e.event.name, e.event.visitor_id, left, e.event.time_ms, e.event.event_id, "s"))
        for e in log_of(1500)
        if (left := tuple(i for i in e.event.items if i.item_id != str(never)))
    ]
    new = TasteOfClicks.of(fitted(log).arrays)
    assert never in new.recommend(Shopper.of_sequence(ords(0, 2, 12, 14)), NOBODY, 15).ords


def test_a_log_without_lists_is_read_as_what_was_taken_among_all():
    log = log_of(1500, lists=False)
    model = fitted(log)
    assert model.params["impressions"] is False
    found = TasteOfClicks.of(model.arrays).recommend(Shopper.of_sequence(ords(0, 2, 12, 14)), NOBODY, 20)
    assert share_liked(found) >= 0.9


def test_too_little_is_no_model_and_gaps_in_the_feed_are_no_fault():
    assert fitted(log_of(5)) is None
    gaps = np.full(N, np.nan, np.float32)
    bare = table(
        log_price=gaps, discount=gaps, ancestors=Codes.none(N), attributes=Codes.none(N),
        category=np.full(N, -1, np.int32),
    )  # fmt: skip
    found = fitted(log_of(400), bare)
    assert np.isfinite(TasteOfClicks.of(found.arrays).recommend(Shopper.of_sequence(ords(1)), NOBODY, 5).scores).all()


def test_the_same_log_gives_the_same_model(model):
    again = fitted(log_of(1500))
    assert all(np.array_equal(model.arrays[name], again.arrays[name]) for name in model.arrays)


def listed(seq, items, *, visitor="v", at=1000):
    lines = tuple(EventItem(str(i), item_list_id="home") for i in items)
    return LoggedEvent(seq, Event("view_item_list", visitor, lines, at * seq, f"e{seq}", "s"))


def seen_by(*logged, kept=240):
    states = SeenStates(int, kept=kept)
    for one in logged:
        states.fold(one.seq, one.event)
    return states


def test_what_was_shown_is_remembered_whatever_the_order_it_arrives_in():
    first, second, third = listed(1, [5, 6]), listed(2, [7, 8]), listed(3, [9], visitor="w")
    states = seen_by(first, second, third)
    assert states.view("v").ords.tolist() == [5, 6, 7, 8]
    assert states.view("v").place.tolist() == [0, 1, 0, 1]
    assert len(states.view("nobody")) == 0
    assert seen_by(third, second, second, first).dump() == states.dump()
    assert seen_by(first, second, kept=3).dump() == seen_by(second, first, kept=3).dump()
    again = seen_by()
    again.load(states.dump())
    assert again.dump() == states.dump()
    with pytest.raises(ValueError, match="replay the log"):
        again.load(states.dump()[:-20])


def test_what_was_passed_over_speaks_against_its_like(model):
    mixed = [0, 31, 12, 43, 24, 55, 2, 33]
    took = replace(Shopper.of_sequence(ords(0)), visitor_id="v", sequence_ms=np.array([1500]))
    states = seen_by(listed(1, mixed))
    knows, guesses = TasteOfClicks.of(model.arrays, states.view), TasteOfClicks.of(model.arrays)
    asked = ords(4, 35)
    with_lists, without = knows.score(took, asked), guesses.score(took, asked)
    assert with_lists[0] > with_lists[1]
    for seq in (9, 10, 11):  # the same list again, and nothing of the other half taken
        states.fold(seq, listed(seq, [31, 43, 55, 33]).event)
    assert knows.score(took, asked)[1] < with_lists[1]
    assert np.isfinite(without).all()
