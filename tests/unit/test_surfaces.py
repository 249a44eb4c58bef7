"""Every surface on a real small shop: what it shows, what it never shows, and with five products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.settings import Settings
from aisle.shop import SURFACES, Shop
from aisle.types import Context, Event, EventItem, Money, Page, Product, Review, now_ms

KINDS = {"Cups": "Kitchen > Cups", "Teas": "Kitchen > Teas", "Dogs": "Pets > Leads"}


def catalogue() -> list[Product]:
    made = []
    for kind, path in KINDS.items():
        for n in range(12):
            price = Money.parse(f"{(5 if kind == 'Teas' else 40) + n} USD")
            brand = "Acme" if n % 3 == 0 else "Bolt"
            made.append(Product(f"{kind}{n}", f"{kind} number {n}", brand=brand, product_type=path, price=price))
    return made


def opened(folder: Path) -> Shop:
    return Shop.open(folder / "shop", settings=Settings(encoder={"model": ""}))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(tmp_path_factory.mktemp("surfaces")) as made:
        made.upsert_products(catalogue())
        made.wait_indexed()
        # who buys a cup buys tea
        for n in range(60):
            items = (EventItem(f"Cups{n % 6}"), EventItem(f"Teas{n % 5}"))
            for item in items:
                made.record(Event("view_item", f"b{n}", (item,), session_id=f"s{n}"))
            made.record(Event("purchase", f"b{n}", items, session_id=f"s{n}"))
        yield made


def kinds(slate: object) -> set[str]:
    return {hit.product_type for hit in slate.hits}  # type: ignore[attr-defined]


def shown(slate: object) -> list[str]:
    return [hit.item_id for hit in slate.hits]  # type: ignore[attr-defined]


@pytest.mark.parametrize("surface", [s for s in SURFACES if s != "group"])
def test_five_products_and_nobody_known(tmp_path: Path, surface: str) -> None:
    with opened(tmp_path) as small:
        small.upsert_products([Product(f"P{n}", f"Thing {n}") for n in range(5)])
        small.wait_indexed()
        for visitor, items in (("", ["P1"]), ("new", []), ("new", ["nothing"])):
            found = shown(small.recommend(surface, visitor_id=visitor, item_ids=items))
            assert set(found) <= {f"P{n}" for n in range(5)} - set(items)
            assert found or surface in ("buy_again", "followed")
        assert small.groups() == []
        assert small.content(["P1"]) == []
        assert len(small.search("", visitor_id="new").hits) == 5


def test_what_complements_is_of_another_kind(shop: Shop) -> None:
    for surface in ("complementary", "cart", "after_purchase"):
        assert "Kitchen > Cups" not in kinds(shop.recommend(surface, item_ids=["Cups0"]))


def test_the_cart_is_offered_what_is_cheap_beside_it(shop: Shop) -> None:
    first = shop.recommend("cart", item_ids=["Cups0"]).hits[0]
    assert first.price is not None
    assert first.price.amount < 40


def test_after_an_order_nothing_of_it_is_offered_again(shop: Shop) -> None:
    shop.record(Event("purchase", "buyer", (EventItem("Cups0"), EventItem("Teas0"))))
    after = shop.recommend("after_purchase", visitor_id="buyer")
    assert after.hits
    assert not {"Cups0", "Teas0"} & set(shown(after))


def test_turned_away_is_never_shown_again_until_it_is_taken_back(shop: Shop) -> None:
    before = shown(shop.recommend("home", visitor_id="picky"))
    first = before[0]
    shop.record(Event("not_interested", "picky", (EventItem(first),)))
    assert first not in shown(shop.recommend("home", visitor_id="picky", top_k=36))
    assert shown(shop.search("", visitor_id="picky", hits_per_page=36))[-1] == first  # it can still be found
    shop.record(Event("not_interested", "picky", (EventItem(first),), params={"undo": True}))
    assert shown(shop.recommend("home", visitor_id="picky")) == before


def test_a_followed_brand_comes_forward_with_its_reason(shop: Shop) -> None:
    shop.record(Event("follow", "fan", params={"brand": "Acme"}))
    home = shop.recommend("home", visitor_id="fan")
    told = [(hit.brand, reason.subject) for hit in home.hits for reason in hit.reasons if reason.kind == "followed"]
    assert told
    assert set(told) == {("Acme", "Acme")}
    shop.record(Event("follow", "fan", params={"product_type": "Pets"}))
    assert "Pets > Leads" in kinds(shop.recommend("followed", visitor_id="fan", top_k=24))


def test_a_category_is_in_the_shoppers_order_and_its_pages_neither_repeat_nor_skip(shop: Shop) -> None:
    asked = {"filters": 'product_type:"Kitchen"', "hits_per_page": 5}
    plain = shown(shop.search("", **asked))  # type: ignore[arg-type]
    shop.record(Event("view_item", "sipper", (EventItem("Teas9"),)))
    pages = [shown(shop.search("", visitor_id="sipper", page=0, **asked))]  # type: ignore[arg-type]
    assert pages[0] != plain
    assert pages[0][0].startswith("Teas")
    for page in range(1, 5):
        shop.record(Event("view_item", "sipper", (EventItem(pages[0][page]),)))  # between two pages
        pages.append(shown(shop.search("", visitor_id="sipper", page=page, **asked)))  # type: ignore[arg-type]
    every = [item for page in pages for item in page]
    assert len(every) == len(set(every)) == 24


def test_sold_out_comes_last_on_a_category_page(shop: Shop) -> None:
    shop.upsert_products(
        [Product("Cups0", "Cups number 0", product_type="Kitchen > Cups", availability="out_of_stock")]
    )
    shop.wait_indexed()
    page = shop.search("", filters='product_type:"Kitchen > Cups"', visitor_id="b0")
    assert shown(page)[-1] == "Cups0"
    shop.upsert_products(catalogue()[:1])
    shop.wait_indexed()


def test_a_search_without_a_hit_is_rescued_by_what_the_shopper_likes(shop: Shop) -> None:
    shop.record(Event("view_item", "lost", (EventItem("Dogs3"),)))
    slate = shop.search("xylophone", visitor_id="lost")
    assert not slate.hits
    assert slate.rescue is not None
    assert slate.rescue.hits
    logged = shop.export("lost")["slates"]
    assert {one["surface"] for one in logged} == {"search", "rescue"}
    assert next(one for one in logged if one["surface"] == "search")["rescue"] == slate.rescue.list_id
    assert shop.search("xylophone", filters="brand:Acme").rescue is not None
    assert shop.search("", filters="brand:Nobody").rescue is None


def test_what_is_popular_depends_on_where_one_is(tmp_path: Path) -> None:
    with opened(tmp_path) as shop:
        shop.upsert_products(catalogue())
        shop.wait_indexed()
        for n in range(600):
            place, kind = ("NO", "Dogs") if n % 2 else ("GB", "Teas")
            shop.record_async(
                [
                    Event(
                        "view_item",
                        f"v{n}",
                        (EventItem(f"{kind}{n % 12}"),),
                        now_ms(),
                        f"e{n}",
                        params={"place": place},
                    )
                ]
            )
        shop.record(Event("view_item", "last", (EventItem("Cups1"),)))
        there = shop.recommend("trending", context=Context(place="no/oslo"), top_k=5)
        here = shop.recommend("trending", context=Context(place="GB"), top_k=5)
        assert there.hits[0].product_type == "Pets > Leads"
        assert here.hits[0].product_type == "Kitchen > Teas"
        assert "trending_place" in {reason.kind for hit in there.hits for reason in hit.reasons}
        assert there.context.place == "no/oslo"


def test_guides_and_reviews_are_matched_to_the_product(tmp_path: Path) -> None:
    with opened(tmp_path) as shop:
        shop.upsert_products(catalogue())
        content = shop._parts.stores.content
        content.upsert_pages(
            [Page("tea", "All about teas", "Teas want hot water."), Page("pay", "Payment", "By card.")]
        )
        content.upsert_reviews(
            [
                Review("r1", "Teas1", 5, "", "Fine."),
                Review("r2", "Teas1", 2, "Bitter", "It is bitter unless the water is not too hot. " * 6),
            ]
        )
        shop.wait_indexed()
        found = shop.content(["Teas1"])
        assert [one.reading_id for one in found if one.kind == "page"] == ["tea"]
        assert [one.reading_id for one in found if one.kind == "review"] == ["r2", "r1"]
        assert shop.content(visitor_id="reader") == []
        shop.record(Event("view_item", "reader", (EventItem("Teas1"),)))
        assert {one.reading_id for one in shop.content(visitor_id="reader")} == {"tea", "r2"}


def test_a_chinese_page_is_found_by_its_words(tmp_path: Path) -> None:
    with opened(tmp_path) as shop:
        shop.upsert_products([Product(f"T{n}", f"高山绿茶 {n}", product_type="食品 > 茶叶") for n in range(3)])
        pages = [Page("tea", "茶叶保存", "绿茶请放在阴凉处。"), Page("pay", "支付方式", "支持银行卡。")]
        shop._parts.stores.content.upsert_pages(pages)
        shop.wait_indexed()
        assert [one.reading_id for one in shop.content(["T1"])] == ["tea"]
