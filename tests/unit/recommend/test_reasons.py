"""Reasons: true, short, in both languages."""

from decimal import Decimal

import pytest

from aisle.explain.reasons import SENTENCES, reasons_for_match, reasons_for_source, sentence
from aisle.types import Clause, Group, Money, Product, Query, Reason, Understood

HOODIE = Product(
    "h1",
    "Chaz Hoodies",
    brand="Luma",
    product_type="Men > Tops > Hoodies",
    color="Red",
    size="M",
    material="Fleece",
    price=Money(Decimal(52)),
    sale_price=Money(Decimal(40)),
    attributes={"climate": ("Cold",)},
)


def group(*products):
    return Group(0, "g", products or (HOODIE,))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", [*SENTENCES, "a_kind_to_come"])
def test_every_kind_is_a_sentence_with_and_without_a_subject(kind, language):
    for subject in ("Yoga {mat}", ""):
        text = sentence(Reason(kind, subject), language)
        assert "{subject}" not in text
        if kind != "matches_attribute":
            assert text.strip()


def test_sentences():
    assert sentence(Reason("because_viewed", "Chaz Hoodie")) == "Because you viewed Chaz Hoodie"
    assert sentence(Reason("because_viewed", "帽衫"), "zh") == "因为您看过帽衫"
    assert sentence(Reason("matches_query", "red hoodie")) == "Matches “red hoodie”"
    assert sentence(Reason("bought_together")) == "Picked for you"
    assert sentence(Reason("trending"), "fr") == "Popular right now"
    assert len(sentence(Reason("similar_to", "x" * 500))) < 80


def test_a_recommendation_names_what_led_to_it():
    found = reasons_for_source(("for_you", "trending"), "Mug", item_id="m1", relation="cart")
    assert found == (Reason("because_cart", "Mug", "m1"), Reason("trending"))
    assert reasons_for_source(("bought", "viewed"), "Mug", item_id="m1") == (Reason("bought_together", "Mug", "m1"),)
    assert reasons_for_source(("trending_category",), category="A > B") == (Reason("trending_category", "B"),)
    assert reasons_for_source(("newest",)) == (Reason("new_here"),)
    assert reasons_for_source(()) == (Reason("trending"),)


def test_what_both_products_have_in_common_says_why_one_led_to_the_other():
    shared = [("viewed_with", ""), ("by", "Luma")]
    told = reasons_for_source(("for_you",), "Mug", item_id="m1", relation="viewed", shared=lambda: shared)
    assert [sentence(reason) for reason in told] == ["Because you viewed Mug", "Same brand"]
    # A reason that says it already is left alone, as is one without a product.
    assert reasons_for_source(("bought",), "Mug", item_id="m1", shared=lambda: shared) == (
        Reason("bought_together", "Mug", "m1"),
    )
    assert reasons_for_source(("for_you",), "", relation="viewed", shared=lambda: shared) == (Reason("because_viewed"),)


def kinds(query, *products, **options):
    return [r.kind for r in reasons_for_match(query, group(*products), **options)]


def test_a_match_names_the_words_that_the_product_has():
    found = reasons_for_match(Query("warm red hoodie"), group())
    assert found[0] == Reason("matches_query", "red hoodie")
    assert Reason("on_sale") in found


def test_a_match_by_meaning_says_so():
    assert kinds(Query("sweatshirt")) == ["close_meaning", "on_sale"]


def test_what_was_understood_is_claimed_only_when_it_is_so():
    red = Understood("color", "red", Clause("color", ("red",)))
    blue = Understood("color", "blue", Clause("color", ("Blue",)))
    cheap = Understood("price", "under 60", Clause("price", high=60.0))
    cheaper = Understood("price", "under 30", Clause("price", high=30.0))
    cold = Understood("attribute", "cold", Clause("climate", ("cold",)))
    assert Reason("matches_color", "Red") in reasons_for_match(Query("x", understood=(red,)), group())
    assert "matches_color" not in kinds(Query("x", understood=(blue,)))
    assert "matches_price" in kinds(Query("x", understood=(cheap,)))
    assert "matches_price" not in kinds(Query("x", understood=(cheaper,)))
    assert Reason("matches_attribute", "Cold") in reasons_for_match(Query("x", understood=(cold,)), group())


def test_every_hit_has_a_reason():
    bare = Product("b", "Thing")
    assert kinds(Query(""), bare) == ["new_here"]
    assert kinds(Query(""), HOODIE, rating=4.6, n_reviews=9) == ["on_sale", "well_reviewed"]
    assert kinds(Query("红色"), Product("z", "红色连衣裙")) == ["matches_query"]


def test_chinese_sets_latin_names_apart():
    assert sentence(Reason("because_viewed", "Chaz Hoodie"), "zh") == "因为您看过 Chaz Hoodie"
    assert sentence(Reason("similar_to", "Chaz Hoodie"), "zh") == "与 Chaz Hoodie 相似"
    assert sentence(Reason("similar_to", "连帽衫"), "zh") == "与连帽衫相似"
    assert sentence(Reason("matches_query", "red"), "zh") == "匹配“red”"
