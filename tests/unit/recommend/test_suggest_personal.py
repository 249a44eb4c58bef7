"""Suggestions for one shopper: their own searches first, what the session is about before the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle import Event, EventItem, Product, Settings, Shop
from aisle.retrieve import suggest
from aisle.types import Money, now_ms

GOODS = (
    ("Alder Road Shoe", "Shoes > Running", "Alder", "80.00"),
    ("Alder Trail Shoe", "Shoes > Running", "Alder", "90.00"),
    ("Birch Rain Jacket", "Clothing > Jackets", "Birch", "120.00"),
    ("Birch Rope", "Outdoor > Climbing", "Birch", "40.00"),
    ("Cedar Rug", "Home > Rugs", "Cedar", "60.00"),
    ("Cedar Reading Lamp", "Home > Lamps", "Cedar", "55.00"),
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    settings = Settings(encoder={"model": ""})  # type: ignore[arg-type]
    with Shop.open(tmp_path / "shop", settings=settings) as opened:
        opened.upsert_products(
            Product(f"p{n}", title, product_type=kind, brand=brand, price=Money.parse(f"{price} USD"), color="Red")
            for n, (title, kind, brand, price) in enumerate(GOODS)
        )
        opened.wait_indexed()
        opened._parts.gather_suggestions()
        yield opened


def searched(shop: Shop, visitor: str, *queries: str) -> None:
    shop.record_many([Event("search", visitor, query=q, time_ms=now_ms() + n) for n, q in enumerate(queries)])


def viewed(shop: Shop, visitor: str, *items: str) -> None:
    shop.record_many([Event("view_item", visitor, items=(EventItem(item),), time_ms=now_ms()) for item in items])


def said(shop: Shop, typed: str, visitor: str = "") -> list[tuple[str, bool]]:
    return [(s.text, s.recent) for s in shop.suggest(typed, visitor_id=visitor)]


def test_own_searches_come_first_the_newest_before_the_older(shop: Shop) -> None:
    searched(shop, "ann", "rain jacket", "rugs for kids")
    assert said(shop, "", "ann")[:2] == [("rugs for kids", True), ("rain jacket", True)]
    assert said(shop, "ra", "ann")[0] == ("rain jacket", True)
    assert said(shop, "jack", "ann")[0] == ("rain jacket", True)
    assert not any(recent for _, recent in said(shop, "lamp", "ann"))


def test_nobody_is_shown_what_another_searched_for(shop: Shop) -> None:
    searched(shop, "ann", "rain jacket for my wife")
    shop._parts.gather_suggestions()
    for typed in ("", "r", "rain", "rain jacket f", "wife"):
        for visitor in ("", "bob", "ANN", "ann "):
            assert all("wife" not in text for text, _ in said(shop, typed, visitor))
            assert not any(recent for _, recent in said(shop, typed, visitor))


def test_what_several_searched_for_is_everybodys_and_own_only_to_who_did(shop: Shop) -> None:
    searched(shop, "ann", "rain jacket")
    searched(shop, "bob", "rain jacket")
    shop._parts.gather_suggestions()
    assert ("rain jacket", False) in said(shop, "rain", "cid")
    assert [s for s in said(shop, "rain", "ann") if s[0] == "rain jacket"] == [("rain jacket", True)]
    assert [s for s in said(shop, "", "ann") if s[0] == "rain jacket"] == [("rain jacket", True)]


@pytest.mark.parametrize("private", ["ann@example.com", "call 555 123 4567 89", "https://example.com/ann"])
def test_an_address_is_not_even_shown_to_who_typed_it(shop: Shop, private: str) -> None:
    searched(shop, "ann", private)
    assert said(shop, "", "ann") == []
    assert all(text != private for text, _ in said(shop, private[:4], "ann"))


def test_an_erased_shoppers_searches_are_gone(shop: Shop) -> None:
    searched(shop, "ann", "rain jacket", "alder road")
    searched(shop, "bob", "rain jacket")
    shop._parts.gather_suggestions()
    assert ("rain jacket", False) in said(shop, "rain", "cid")
    shop.erase("ann")
    assert said(shop, "", "ann") == []
    assert not any(recent for _, recent in said(shop, "a", "ann"))
    assert ("rain jacket", False) not in said(shop, "rain", "cid"), "now only one shopper searched for it"


def test_what_the_session_is_about_comes_first(shop: Shop) -> None:
    def products(visitor: str) -> list[str]:
        return [s.text for s in shop.suggest_with_products("r", visitor_id=visitor).products]

    before = products("dan")
    assert before[0] != "Birch Rain Jacket"
    viewed(shop, "dan", "p2")
    after = products("dan")
    assert after[0] == "Birch Rain Jacket"
    assert after.index("Birch Rope") < after.index("Alder Road Shoe"), "its maker's other things follow"
    assert products("eve") == products("") == before, "nobody else's session changes"


def test_instant_products_have_price_and_photo_and_know_colours(shop: Shop) -> None:
    found = shop.suggest_with_products("rain", n_products=3)
    assert [(s.text, str(s.price), s.kind) for s in found.products] == [("Birch Rain Jacket", "120.00 USD", "product")]
    assert all(s.kind != "product" for s in found.suggestions)
    # no title has the colour: the words are looked for as a search would
    assert "Birch Rain Jacket" in [s.text for s in shop.suggest_with_products("red rain jack").products]
    assert shop.suggest_with_products("qqqq").products == []


def test_a_change_of_price_shows_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggest, "DELTA_REFRESH_S", -1.0)
    shop.upsert_products(
        [
            Product(
                "p4",
                "Cedar Rug",
                product_type="Home > Rugs",
                price=Money.parse("60 USD"),
                sale_price=Money.parse("45 USD"),
            )
        ]
    )
    shop.wait_indexed()
    (rug,) = [s for s in shop.suggest_with_products("cedar rug ").products if s.text == "Cedar Rug"]
    assert (str(rug.price), str(rug.was)) == ("45.00 USD", "60.00 USD")
