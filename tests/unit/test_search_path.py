"""The request path of a search, on a real small shop that searches by words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Event, EventItem, Money, Product


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    products = [
        Product(f"H{n}-{color}-{size}", f"Trail Hoodie {n}-{size}-{color}", f"H{n}", color=color, size=size,
                price=Money.parse(f"{40 + n} USD"), product_type="Men > Hoodies", image_link=f"/media/{color}.jpg")
        for n in range(3) for color in ("Black", "Red") for size in ("S", "M")
    ]  # fmt: skip
    products += [
        Product(f"B{n}", f"Bag number {n}", price=Money.parse(f"{n + 1} USD"), product_type="Bags") for n in range(60)
    ]
    settings = Settings(encoder={"model": ""}, search={"top_k": 10})
    with Shop.open(tmp_path_factory.mktemp("search") / "shop", settings=settings) as opened:
        opened.upsert_products(products)
        opened.wait_indexed()
        yield opened


def test_a_products_own_id_finds_it(shop: Shop) -> None:
    for typed in ("H1", " H1 ", "H1-Red-S"):
        assert [h.group_id for h in shop.search(typed).hits][:1] == ["H1"]


@pytest.mark.parametrize("field", ["color", "colour"])
def test_a_filter_shows_the_variant_that_meets_it(shop: Shop, field: str) -> None:
    hits = shop.search("hoodie", filters=f"{field}:Red").hits
    assert {h.item_id for h in hits} == {"H0-Red-S", "H1-Red-S", "H2-Red-S"}
    assert {h.title for h in hits} == {"Trail Hoodie 0", "Trail Hoodie 1", "Trail Hoodie 2"}


def test_pages_beyond_the_ranked_window_neither_repeat_nor_skip(shop: Shop) -> None:
    shown = [h.item_id for page in range(9) for h in shop.search("bag", page=page, hits_per_page=7).hits]
    assert len(shown) == len(set(shown)) == shop.search("bag").n_hits == 60
    positions = [h.position for page in range(3) for h in shop.search("bag", page=page, hits_per_page=7).hits]
    assert positions == list(range(21))


def test_no_guess_and_no_price_empties_the_page(shop: Shop) -> None:
    slate = shop.search("hoodie under 5")
    assert slate.n_hits == 3
    assert slate.query is not None
    assert [u.hard for u in slate.query.understood if u.kind == "price"] == [False]


def test_an_answer_is_cached_until_the_catalogue_changes(shop: Shop) -> None:
    first, again = shop.search("lamp"), shop.search("lamp")
    assert (first.n_hits, again.n_hits) == (0, 0)
    assert first.list_id != again.list_id
    shop.upsert_products([Product("L1", "Desk Lamp")])
    shop.wait_indexed()
    assert [h.item_id for h in shop.search("lamp").hits] == ["L1"]
    shop.delete_products(["L1"])
    shop.wait_indexed()
    assert shop.search("lamp").n_hits == 0


def test_what_was_shown_is_logged_under_its_list_id(shop: Shop) -> None:
    slate = shop.search("hoodie", visitor_id="seen")
    shop.record(Event("select_item", "seen", (EventItem(slate.hits[0].item_id, index=0),), list_id=slate.list_id))
    logged = shop.export("seen")["slates"][0]
    assert (logged["list_id"], logged["surface"]) == (slate.list_id, "search")
    assert logged["items"] == [h.item_id for h in slate.hits]
    assert logged["positions"] == [0, 1, 2]
    # There is no encoder here, and columns of nothing but 0 are left out.
    assert {"bm25", "blend"} <= set(logged["features"])


def test_the_last_click_is_in_the_next_answer(shop: Shop) -> None:
    before = shop.recommend("home", visitor_id="fresh").hits
    shop.record(Event("view_item", "fresh", (EventItem(before[0].item_id),)))
    after = shop.recommend("home", visitor_id="fresh").hits
    assert [h.group_id for h in after] != [h.group_id for h in before]
    assert shop.erase("fresh")["events"] == 1
    assert [h.group_id for h in shop.recommend("home", visitor_id="fresh").hits] == [h.group_id for h in before]


def test_a_shop_just_opened_answers_as_it_did_before(tmp_path: Path) -> None:
    settings = Settings(encoder={"model": ""})
    with Shop.open(tmp_path / "s", settings=settings) as opened:
        opened.upsert_products([Product(f"W{n}", f"Wooden Lamp {n}") for n in range(30)])
        opened.wait_indexed()
        opened._parts.ranking.catch_up()
        before = opened.search("lamp", record=False)
    with Shop.open(tmp_path / "s", settings=settings) as opened:
        after = opened.search("lamp", record=False)
    assert before.degraded == after.degraded == ()
    assert [h.item_id for h in after.hits] == [h.item_id for h in before.hits]
    assert after.features["title_share"] == before.features["title_share"] == [1.0] * len(before.hits)
