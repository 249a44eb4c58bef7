"""A search through the whole shop: wished orders, offers of the moment, help pages, what is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Money, Page, Product, Promotion, Review, now_ms

DAY_MS = 86_400_000


def words_of(shop: Shop) -> set[str]:
    """What of a query is understood already."""
    query = shop.search("hoodies", record=False).query
    return {u.text for u in query.understood} if query is not None else set()


def product(item_id: str, title: str, price: str, kind: str = "Gear > Mats", **more: str) -> Product:
    return Product(item_id, title, product_type=kind, price=Money.parse(f"{price} USD"), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Shop.open(tmp_path_factory.mktemp("shop") / "s", settings=Settings(encoder={"model": ""})) as opened:  # type: ignore[arg-type]
        opened.upsert_products(
            [
                product("M1", "Cork Yoga Mat", "40", color="Brown"),
                product("M2", "Thick Yoga Mat", "25", color="Red"),
                product("M3", "Travel Yoga Mat", "60", color="Red"),
                product("S1", "Yoga Strap for a mat", "5", "Gear > Straps"),
                product("H1", "Trail Hoodie", "50", "Clothing > Hoodies", color="Red"),
                product("T1", "Hooded Trail Tee", "20", "Clothing > Tees", color="Red"),
            ]
        )
        content, now = opened._parts.stores.content, now_ms()
        content.upsert_promotions(
            [
                Promotion("now", "A tenth off every mat", coupon_code="MAT10", ends_ms=now + DAY_MS),
                Promotion("tees", "Three tees for two"),
                Promotion("over", "Summer sale", ends_ms=now - DAY_MS),
                Promotion("soon", "Winter sale", starts_ms=now + DAY_MS),
            ]
        )
        content.upsert_pages(
            [
                Page(
                    "returns", "Returns", "Returns\nSend back what you do not like within 30 days.\nWe pay the postage."
                ),
                Page("about", "About us", "We began with one mat."),
            ]
        )
        content.upsert_reviews(
            [Review("r0", "M3", 5.0)] + [Review(f"r{i}", "M1", 4.8) for i in range(1, 30)] + [Review("r99", "M2", 1.0)]
        )
        opened.wait_indexed()
        until = time.monotonic() + 30
        while "hoodies" not in words_of(opened) and time.monotonic() < until:
            time.sleep(0.02)  # the words for understanding follow the products
        yield opened


def ids(shop: Shop, query: str, **more: object) -> list[str]:
    return [hit.item_id for hit in shop.search(query, record=False, **more).hits]  # type: ignore[arg-type]


def test_the_cheapest_mat_is_a_mat(shop: Shop) -> None:
    assert ids(shop, "cheapest yoga mat")[:3] == ["M2", "M1", "M3"]
    assert ids(shop, "most expensive yoga mat")[:3] == ["M3", "M1", "M2"]
    assert ids(shop, "cheapest")[:2] == ["S1", "T1"]


def test_the_parameter_wins_over_the_words(shop: Shop) -> None:
    assert ids(shop, "cheapest red yoga mat", sort="price_desc")[0] == "M3"


def test_one_enthusiast_is_no_best_rating(shop: Shop) -> None:
    assert ids(shop, "best rated yoga mat")[:3] == ["M1", "M3", "M2"]


def test_pages_of_a_wished_order_follow_one_another(shop: Shop) -> None:
    paged = [i for page in range(3) for i in ids(shop, "cheapest yoga mat", page=page, hits_per_page=2)]
    whole = ids(shop, "cheapest yoga mat")
    assert paged[: len(whole)] == whole


def test_offers_are_those_of_this_moment(shop: Shop) -> None:
    slate = shop.search("what offers are there now", record=False)
    assert {a.target for a in slate.answers} == {"now", "tees"}
    assert slate.hits  # and products below
    (mats,) = shop.search("any offers on mats", record=False).answers
    assert (mats.target, mats.coupon_code) == ("now", "MAT10")
    assert shop.search("yoga mat", record=False).answers == ()


def test_a_question_is_answered_from_the_pages(shop: Shop) -> None:
    slate = shop.search("what is your return policy", record=False)
    assert slate.query is not None
    assert slate.query.intent == "help"
    assert [a.target for a in slate.answers] == ["returns"]
    assert "30 days" in slate.answers[0].text
    named = shop.search("about us", record=False)
    assert [(a.kind, a.target) for a in named.answers] == [("page", "about")]


def test_a_category_s_name_leads_there(shop: Shop) -> None:
    (answer,) = shop.search("hoodies", record=False).answers
    assert (answer.kind, answer.target) == ("category", "Clothing > Hoodies")


def test_a_condition_that_empties_the_page_is_given_up_and_named(shop: Shop) -> None:
    slate = shop.search("red hoodie under $20", record=False)
    assert slate.query is not None
    assert [hit.item_id for hit in slate.hits][:1] == ["H1"]
    assert [u.text for u in slate.query.given_up] == ["under $20"]
    assert shop.search("red hoodie", record=False).query.given_up == ()  # type: ignore[union-attr]


def test_what_is_not_wanted_stays_away_and_comes_back(shop: Shop) -> None:
    assert set(ids(shop, "trail -hoodie")) == {"T1"}
    assert set(ids(shop, "trail -hoodie", ignore=["category"])) == {"T1", "H1"}
    assert set(ids(shop, "yoga without thick")) == {"M1", "M3", "S1"}


def test_a_new_review_counts_soon_and_no_search_sums_up_reviews(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    content, found = shop._parts.stores.content, shop.search("mat").hits[0]
    ratings, here = content.ratings, threading.current_thread()

    def summed_up() -> object:
        assert threading.current_thread() is not here
        return ratings()

    monkeypatch.setattr(content, "ratings", summed_up)
    content.upsert_reviews([Review("new", found.item_id, 1.0)])
    shop.search("mat", record=False)  # before the follower came, or after
    shop.item(found.item_id)
    assert shop.wait_indexed(30)
    again = next(hit for hit in shop.search("mat").hits if hit.item_id == found.item_id)
    assert again.n_reviews == found.n_reviews + 1
    assert shop.item(found.item_id).n_reviews == again.n_reviews


def test_waiting_ends_though_reviews_keep_coming(shop: Shop) -> None:
    enough = threading.Event()

    def write() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            shop._parts.stores.content.upsert_reviews([Review("again", "M1", 1.0 + number % 5)])

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert shop.wait_indexed(20)
    finally:
        enough.set()
        writing.join()
