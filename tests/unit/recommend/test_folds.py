"""What folds remember, and what they forget."""

import numpy as np
import pytest

from aisle.learn.queries import QueryCounts
from aisle.learn.shoppers import ShopperStates
from aisle.learn.trending import TrendingCounts
from aisle.settings import RecommendSettings
from aisle.types import Event, EventItem

NOW = 1_700_000_000_000
MINUTE, DAY = 60_000, 86_400_000


def ord_of(item_id):
    return int(item_id[1:]) if item_id[1:].isdigit() else -1


class Log:
    """Folds one event after the other into a fresh state."""

    def __init__(self, fold=None, **settings):
        self.fold = fold or ShopperStates(RecommendSettings(**settings), ord_of)
        self.seq = 0

    def add(self, name, *items, at=0, **more):
        self.seq += 1
        lines = tuple(EventItem(i) for i in items)
        self.fold.fold(self.seq, Event(name, more.pop("visitor", "v"), lines, NOW + at, f"e{self.seq}", **more))
        return self

    def view(self, at=0, visitor="v"):
        return self.fold.view(visitor, NOW + at)


def test_an_unknown_visitor_is_new():
    found = Log().view(visitor="nobody")
    assert found.is_new
    assert found.visitor_id == "nobody"
    assert found.queries == ()


def test_recent_is_newest_first_and_weighs_what_was_done_and_when():
    found = Log().add("view_item", "i1").add("view_item", "i2", at=MINUTE).add("purchase", "i1", at=2 * MINUTE).view()
    assert found.recent.tolist() == [1, 2]
    assert found.weights.tolist() == pytest.approx([1.0, 1 / 6], rel=1e-3)
    faded = Log(history_half_life_days=1).add("view_item", "i1", at=-2 * DAY).add("view_item", "i2").view()
    assert faded.weights.tolist() == pytest.approx([1.0, 0.25])


def test_the_next_view_knows_the_last_click():
    log = Log().add("view_item", "i1")
    first = log.view()
    assert log.view() is first
    second = log.add("view_item", "i2").view()
    assert second.recent.tolist() == [2, 1]
    assert second.version != first.version


def test_impressions_are_no_taste():
    assert Log().add("view_item_list", "i1").add("view_promotion", "i2").view().is_new


def test_cart_holds_what_was_put_in_and_not_taken_out_or_bought():
    log = Log().add("add_to_cart", "i1", "i2", "i3").add("remove_from_cart", "i1", at=1).add("purchase", "i2", at=2)
    found = log.view()
    assert found.cart.tolist() == [3]
    assert found.purchased.tolist() == [2]
    assert log.add("refund", "i2", at=3).view().purchased.tolist() == []


def test_not_interested_counts_at_once_until_they_change_their_mind():
    log = Log().add("view_item", "i1", "i2").add("not_interested", "i1", at=1)
    assert log.view().disliked.tolist() == [1]
    assert log.view().recent.tolist() == [2]
    assert log.add("add_to_cart", "i1", at=2).view().disliked.tolist() == []


def test_a_bad_rating_is_a_dislike_and_a_good_one_a_like():
    found = Log().add("rate", "i1", rating=1.0).add("rate", "i2", rating=5.0, at=1).view()
    assert found.disliked.tolist() == [1]
    assert found.recent.tolist() == [2]


def test_a_session_ends_by_its_gap():
    log = Log(session_gap_minutes=30).add("view_item", "i1").add("view_item", "i2", at=60 * MINUTE)
    log.add("view_item", "i3", at=80 * MINUTE)
    during, after = log.view(at=81 * MINUTE), log.view(at=120 * MINUTE)
    assert during.session.tolist() == [3, 2]
    assert after.session.tolist() == []
    assert after.recent.tolist() == [3, 2, 1]
    assert during.version != after.version


def test_a_session_with_an_id_is_the_events_that_carry_it():
    log = Log().add("view_item", "i1", session_id="a").add("view_item", "i2", session_id="b", at=1)
    assert log.add("view_item", "i3", session_id="b", at=2).view(at=3).session.tolist() == [3, 2]


def test_only_the_newest_events_are_kept_but_the_cart_is_not_forgotten():
    log = Log(history_length=3).add("add_to_cart", "i9")
    for n in range(1, 6):
        log.add("view_item", f"i{n}", at=n)
    assert log.view().recent.tolist() == [5, 4, 3]
    assert log.view().cart.tolist() == [9]


def test_an_item_that_the_catalogue_learns_of_later_counts_from_then_on():
    ords = {}
    states = ShopperStates(RecommendSettings(), lambda item: ords.get(item, -1))
    states.fold(1, Event("view_item", "v", (EventItem("new"),), NOW, "e1"))
    assert states.view("v", NOW).is_new
    ords["new"] = 7
    states.catalogue_changed()
    assert states.view("v", NOW).recent.tolist() == [7]


def test_a_clock_years_ahead_does_not_stay_newest():
    found = Log().add("view_item", "i1", at=4000 * DAY).add("view_item", "i2").view()
    assert found.recent.tolist() == [2]


def test_queries_are_kept_newest_first_each_once():
    log = Log().add("search", query="mug").add("search", query=" red   hoodie", at=1).add("search", query="mug", at=2)
    assert log.view().queries == ("mug", "red hoodie")


def test_erased_is_forgotten():
    log = Log().add("view_item", "i1")
    log.view()
    assert log.fold.erase("v")
    assert log.view().is_new
    assert not log.fold.erase("v")


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[1]", b'{"format":99}', None])
def test_a_damaged_snapshot_is_refused_and_changes_nothing(damaged):
    for log in (Log(), Log(TrendingCounts(7, ord_of)), Log(QueryCounts())):
        log.add("view_item", "i1").add("search", query="mug")
        before = log.fold.dump()
        with pytest.raises(ValueError, match="replay"):
            log.fold.load(before[: len(before) // 2] if damaged is None else damaged)
        assert log.fold.dump() == before


def test_a_snapshot_under_other_settings_is_refused():
    with pytest.raises(ValueError, match="replay"):
        Log(history_length=5).fold.load(Log().add("view_item", "i1").fold.dump())
    with pytest.raises(ValueError, match="replay"):
        TrendingCounts(3, ord_of).load(TrendingCounts(7, ord_of).dump())


# ----------------------------------------------------------------- trending


def trending(**options):
    return Log(TrendingCounts(7, ord_of, refresh_s=0, **options))


def test_what_is_popular_now_beats_what_was():
    log = trending()
    for n in range(20):
        log.add("view_item", "i1", at=-60 * DAY + n)
    log.add("view_item", "i2").add("view_item", "i2", at=1).add("view_item", "i3", at=2).add("view_item", "gone")
    ords, scores = log.fold.top(NOW + DAY)
    assert ords.tolist() == [2, 3, 1]
    assert scores[0] == 1
    assert ords.dtype == np.int32


def test_a_log_from_years_ago_still_has_an_order():
    log = trending().add("purchase", "i1", at=-5000 * DAY).add("view_item", "i2", at=-5000 * DAY)
    assert log.fold.top(NOW)[0].tolist() == [1, 2]


def test_the_future_waits_for_its_time():
    log = trending().add("purchase", "i1", at=365 * DAY).add("view_item", "i2")
    assert log.fold.top(NOW)[0].tolist() == [2]
    assert log.fold.top(NOW + 366 * DAY)[0].tolist() == [1, 2]


def test_late_history_counts_as_if_in_time_and_an_erased_shopper_not_at_all():
    log = trending().add("view_item", "i1", at=0).add("view_item", "i2", at=-7 * DAY)
    ords, scores = log.fold.top(NOW)
    assert ords.tolist() == [1, 2]
    assert scores[1] == pytest.approx(0.5)
    log.fold.unfold(Event("view_item", "v", (EventItem("i1"),), NOW))
    assert log.fold.top(NOW)[0].tolist() == [2]


def test_an_empty_log_has_no_trend():
    assert len(trending().fold.top(NOW)[0]) == 0


def test_the_order_is_kept_between_refreshes():
    log = Log(TrendingCounts(7, ord_of, refresh_s=3600)).add("view_item", "i1")
    first = log.fold.top(NOW)[0]
    assert log.add("purchase", "i2").fold.top(NOW)[0] is first


# ------------------------------------------------------------------ queries


def test_a_search_is_popular_when_several_shoppers_made_it():
    log = Log(QueryCounts()).add("search", query="Mug", visitor="a").add("search", query="mug", visitor="a")
    assert log.fold.popular() == {}
    assert log.add("search", query=" mug ", visitor="b").fold.popular() == {"mug": 3}
    assert log.add("search", query="x" * 500, visitor="b").fold.popular(1) == {"mug": 3}
