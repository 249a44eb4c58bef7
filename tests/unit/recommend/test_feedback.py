"""Explicit feedback: what is turned away, and what is followed, at once and until it is taken back."""

import numpy as np

from aisle.learn.shoppers import ShopperStates
from aisle.settings import RecommendSettings
from aisle.types import Event, EventItem

NOW = 1_700_000_000_000
MINUTE = 60_000


def states():
    return ShopperStates(RecommendSettings(), lambda item_id: int(item_id[1:]))


def fold(shoppers, *events):
    for seq, event in enumerate(events, shoppers.seq + 1):
        shoppers.fold(seq, event)


def did(name, item="", at=0, **params):
    items = (EventItem(item),) if item else ()
    return Event(name, "v", items, NOW + at * MINUTE, event_id=f"{name}{item}{at}{params}", params=params)


def test_what_is_followed_is_known_until_it_is_taken_back():
    shoppers = states()
    fold(shoppers, did("follow", brand="Acme"), did("follow", at=1, product_type="Home > Lamps"))
    assert shoppers.view("v", NOW + MINUTE).follows == (("product_type", "Home > Lamps"), ("brand", "Acme"))
    fold(shoppers, did("follow", at=2, brand="Acme", undo=True))
    assert shoppers.view("v", NOW + 2 * MINUTE).follows == (("product_type", "Home > Lamps"),)
    kept = states()
    kept.load(shoppers.dump())
    assert kept.view("v", NOW + 2 * MINUTE).follows == (("product_type", "Home > Lamps"),)


def test_a_product_turned_away_is_set_aside_for_the_session_and_disliked_for_good():
    shoppers = states()
    fold(shoppers, did("view_item", "i1"), did("not_interested", "i2", at=1))
    seen = shoppers.view("v", NOW + 2 * MINUTE)
    assert seen.disliked.tolist() == seen.set_aside.tolist() == [2]
    later = shoppers.view("v", NOW + 300 * MINUTE)
    assert later.disliked.tolist() == [2]
    assert not len(later.set_aside)


def test_a_shopper_who_only_turned_something_away_forgets_the_session_too():
    shoppers = states()
    fold(shoppers, did("not_interested", "i2"))
    assert shoppers.view("v", NOW + MINUTE).set_aside.tolist() == [2]
    assert not len(shoppers.view("v", NOW + 31 * MINUTE).set_aside)


def test_not_interested_can_be_taken_back():
    shoppers = states()
    fold(shoppers, did("view_item", "i2"), did("not_interested", "i2", at=1))
    assert not len(shoppers.view("v", NOW + MINUTE).recent)
    fold(shoppers, did("not_interested", "i2", at=2, undo=True))
    back = shoppers.view("v", NOW + 2 * MINUTE)
    assert not len(back.disliked)
    assert np.array_equal(back.recent, [2])
