"""Mixing: fair to sources, spread out, never what must not be shown."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from aisle.rank.mix import SURFACES, mix
from aisle.types import Candidates

from .conftest import ords, shopper


def source(name, *found, scores=None, because=None):
    values = np.array(scores if scores is not None else np.linspace(1, 0.5, len(found)), np.float32)
    return Candidates(name, ords(*found), values, None if because is None else ords(*because))


def mixed(facts, proposals, *, who=None, seeds=(), top_k=10, **options):
    return mix(proposals, shopper=who or shopper(), seeds=ords(*seeds), facts=facts, top_k=top_k, **options)


def test_a_source_with_large_numbers_is_not_louder(facts):
    small, large = source("small", 1, scores=[0.01]), source("large", 2, scores=[9000])
    found = mixed(facts, [(small, 0.6), (large, 0.5)])
    assert found.ords.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([0.6, 0.5])


def test_sources_add_up_and_are_named_by_their_share(facts):
    found = mixed(facts, [(source("a", 1, 2), 1.0), (source("b", 2), 0.9)])
    assert found.ords.tolist() == [2, 1]
    assert found.sources == (("b", "a"), ("a",))
    assert found.features["source_b"] == pytest.approx([0.9, 0])


def test_never_shows_seeds_dislikes_cart_gone_sold_out_or_unknown(facts):
    facts.alive[4] = facts.in_stock[5] = False
    who = shopper(disliked=[2], cart=[3], purchased=[6])
    everything = source("a", 1, 2, 3, 4, 5, 6, 7, 10**6)
    assert mixed(facts, [(everything, 1.0)], who=who, seeds=[1]).ords.tolist() == [7]
    similar = mixed(facts, [(everything, 1.0)], who=who, seeds=[1], surface="similar", in_stock_only=False)
    assert similar.ords.tolist() == [5, 6, 7]


def test_nothing_proposed_is_nothing_shown(facts):
    assert len(mixed(facts, [])) == 0
    assert len(mixed(facts, [(Candidates.none("a"), 1.0)])) == 0


def test_home_is_spread_over_categories_and_similar_is_not(facts):
    # Eight of category 0 barely ahead of four others.
    found = source("a", 0, 4, 8, 12, 16, 20, 24, 28, 1, 2, 3, 5, scores=np.linspace(1, 0.8, 12))
    home = mixed(facts, [(found, 1.0)], top_k=6)
    assert len(set(facts.category[home.ords].tolist())) >= 3
    assert home.ords[0] == 0
    assert mixed(facts, [(found, 1.0)], top_k=6, surface="similar").ords.tolist() == [0, 4, 8, 12, 16, 20]


def test_says_what_the_shopper_did_with_the_product_that_led_there(facts):
    who = shopper([20, 21, 22], cart=[21], purchased=[22])
    found = mixed(facts, [(source("for_you", 1, 2, 3, 6, because=[20, 21, 22, -1]), 1.0)], who=who)
    assert dict(zip(found.ords.tolist(), found.relations, strict=True)) == {1: "viewed", 2: "cart", 3: "bought", 6: ""}


@pytest.mark.parametrize("surface", SURFACES)
def test_a_fallback_fills_up_behind_the_sources_before_it(facts, surface):
    names = list(SURFACES[surface].items())
    for first, last in pairwise(names):
        if first[1] < 10 * last[1]:
            continue
        proposals = [(source(first[0], 1, scores=[0.2]), first[1]), (source(last[0], 2, 3), last[1])]
        assert mixed(facts, proposals, surface=surface).ords.tolist() == [1, 2, 3]


def test_a_fallback_that_merely_agrees_is_not_named(facts):
    found = mixed(facts, [(source("bought", 1), 1.0), (source("newest", 1, 2), 1e-6)], surface="together")
    assert found.sources == (("bought",), ("newest",))


def test_what_the_cart_surface_is_about_is_in_the_cart(facts):
    proposals = [(source("for_you", 1, because=[20]), 1.0)]
    assert mixed(facts, proposals, seeds=[20], surface="cart").relations == ("cart",)


def test_what_was_bought_is_shown_again_only_when_it_is_due(facts):
    who = shopper([20], purchased=[1, 2])
    everything = source("a", 1, 2, 3)
    assert mixed(facts, [(everything, 1.0)], who=who).ords.tolist() == [3]
    assert mixed(facts, [(everything, 1.0)], who=who, due=ords(2)).ords.tolist() == [2, 3]
    assert mixed(facts, [(everything, 1.0)], who=who, surface="similar").ords.tolist() == [1, 2, 3]


def test_turning_away_moves_down_its_kind_and_brand_and_a_follow_moves_up(facts):
    even = source("a", *range(1, 29), scores=[1.0] * 28)
    plain = shopper([30])
    away = replace(plain, disliked=ords(0), set_aside=ords(0))  # category 0, brand 0
    last = mixed(facts, [(even, 1.0)], who=away, surface="similar", top_k=28)
    assert last.ords.tolist()[-1] == 28  # of both
    found = dict(zip(last.ords.tolist(), last.scores.tolist(), strict=True))
    assert found[28] < found[4] < found[7] < found[1]
    assert sum(last.features["source_a"]) == pytest.approx(sum(last.scores.tolist()))
    fan = replace(plain, follows=(("brand", "Bolt"), ("product_type", "Women")))
    first = mixed(facts, [(even, 1.0)], who=fan, surface="similar", top_k=28).ords
    liked = (facts.brand[first] == 1) | (facts.category[first] == 2)
    assert liked[: liked.sum()].all()


def test_an_add_on_is_cheap_beside_the_cart_and_of_another_kind(facts):
    even = source("a", 1, 2, 3, 5, 36, scores=[1.0] * 5)
    found = mixed(facts, [(even, 1.0)], seeds=[0], surface="cart")
    assert found.ords.tolist() == [1, 2, 3, 5]  # 36 is of the seed's category
    assert mixed(facts, [(source("a", 4, 8), 1.0)], seeds=[0], surface="cart").ords.tolist() == [4, 8]


def test_what_led_to_a_product_is_named_though_the_loudest_source_knows_no_single_one(facts):
    taste = source("taste", 1, 2, 3)
    clicked = source("for_you", 1, 2, because=[20, 21])
    faint = source("similar", 3, because=[22])
    found = mixed(facts, [(taste, 3.0), (clicked, 1.0), (faint, 1e-3)], who=shopper([20]), surface="similar")
    assert dict(zip(found.ords.tolist(), found.because.tolist(), strict=True)) == {1: 20, 2: 21, 3: -1}
    assert found.sources[0] == ("taste", "for_you")
