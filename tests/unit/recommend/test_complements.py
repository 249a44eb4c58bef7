"""Complements, follows and novelties as sources."""

import numpy as np

from aisle.retrieve.complements import Complements
from aisle.retrieve.followed import DAY_MS, Followed, NewForYou
from aisle.retrieve.together import Together

from .conftest import csr, ords, shopper


def popular(*best):
    scores = np.linspace(1, 0.5, len(best), dtype=np.float32)
    found = (ords(*best), scores)
    return lambda: found


def bought(lists):
    return Together("bought", *csr(lists))


def test_kinds_that_are_bought_together_complement_products_nobody_bought(facts):
    # category 0 goes with category 3 by the orders of 0 and 4; 8 is of category 0 and was never bought
    pairs = bought({0: [(3, 2.0)], 4: [(7, 1.0), (8, 5.0)]})
    source = Complements(pairs, lambda: facts, popular(11, 3))
    found = source.recommend(shopper(), ords(8), 10)
    assert {int(facts.category[o]) for o in found.ords} == {3}
    assert found.ords[0] == 11  # the most popular of its kind
    assert set(found.because.tolist()) == {8}


def test_without_orders_the_categories_beside_it_do(facts):
    facts.categories = ("Men > Tops", "Men > Trousers", "Women > Tops", "Gear")
    source = Complements(bought({}), lambda: facts, popular())
    found = source.recommend(shopper(), ords(0), 10)
    assert {int(facts.category[o]) for o in found.ords} == {1}
    assert not len(source.recommend(shopper(), ords(3), 10))  # Gear has nothing beside it
    assert not len(source.recommend(shopper(), ords(10**6), 10))


def test_what_is_sold_out_complements_nothing(facts):
    facts.in_stock[facts.category == 3] = False
    source = Complements(bought({0: [(3, 2.0)]}), lambda: facts, popular(3))
    assert not len(source.recommend(shopper(), ords(0), 10))


def test_a_shoppers_own_cart_is_complemented_when_no_product_is_named(facts):
    source = Complements(bought({0: [(3, 2.0)]}), lambda: facts, popular(3))
    found = source.recommend(shopper(cart=[4]), ords(), 10)
    assert {int(facts.category[o]) for o in found.ords} == {3}
    assert found.because[0] == 4
    assert facts.brand[found.ords[0]] == facts.brand[4]  # of one brand fits a little better


def test_what_is_new_is_of_the_shoppers_kinds(facts):
    facts.first_seen_ms = np.where(np.arange(40) < 32, 0, 100 * DAY_MS)
    source = NewForYou(lambda: facts)
    found = source.recommend(shopper([1]), ords(), 10).ords
    assert set(found.tolist()) <= set(range(32, 40))
    assert int(facts.category[found[0]]) == 1
    assert not len(source.recommend(shopper(), ords(), 10))


def test_where_everything_came_on_one_day_nothing_is_new(facts):
    facts.first_seen_ms = np.zeros(40, np.int64)
    assert not len(NewForYou(lambda: facts).recommend(shopper([1]), ords(), 10))


def test_a_shopper_who_follows_nothing_gets_nothing(facts):
    assert not len(Followed(lambda: facts, popular(1, 2)).recommend(shopper([1]), ords(), 10))
