"""What a whole query asks for: orders, exclusions, sizes, offers, pages; in a shop of clothes and gear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.testing.lexical import group, item
from aisle.types import Product, Query
from aisle.understand.lexicon import Lexicon
from aisle.understand.prices import find_prices
from aisle.understand.query import Understander
from aisle.understand.relaxing import relax
from aisle.understand.units import find_measures, other_forms


def catalogue() -> list[Product]:
    men, women = "Men > Tops > ", "Women > Tops > "
    hoodies = "Hoodies & Sweatshirts"
    return [
        item("Teton Hoodie", item_id="MH01", color="Red", size="M", gender="male", product_type=men + hoodies, price=70,
             material="Wool"),
        item("Hera Zip Hoodie", color="Blue", size="L", gender="female", product_type=women + hoodies, price=48,
             material="Recycled Polyester"),
        item("Juno Jacket", color="Black", size="L", gender="female", product_type=women + "Jackets", price=77,
             attributes={"feature": ("Waterproof", "Wrinkle-Free")}, material="Leather"),
        item("Lando Jacket", color="Blue", size="M", gender="male", product_type=men + "Jackets", price=99,
             attributes={"feature": ("Color-Blocked",)}),
        item("Iris T-Shirt", color="White", size="S", gender="female", product_type=women + "T-Shirts", price=29),
        item("Joust Duffle", product_type="Gear > Bags", price=34, material="Leather", brand="Arlo & Finch"),
        item("Impulse Duffle", product_type="Gear > Bags", price=74),
        item("Wayfarer Backpack", product_type="Gear > Bags", price=45),
        item("Driven Backpack", product_type="Gear > Bags", price=36),
        item("Yoga Strap", product_type="Gear > Fitness", price=14, size="6 foot"),
        item("Yoga Strap Long", product_type="Gear > Fitness", price=17, size="8 foot"),
        item("Non Slip Socks", product_type="Gear > Fitness", price=9),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TantivyLexicalIndex]:
    folder: Path = tmp_path_factory.mktemp("lexical")
    opened = TantivyLexicalIndex(folder / "index")
    opened.upsert([group(i, p) for i, p in enumerate(catalogue())])
    opened.commit(1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def understander(index: TantivyLexicalIndex) -> Understander:
    return Understander(Lexicon.of(index, [(p.title, p.product_type) for p in catalogue()]))


def said(query: Query) -> dict[str, tuple[str, ...]]:
    """Kind to values; what is not wanted as `not`."""
    found: dict[str, tuple[str, ...]] = {}
    for u in query.understood:
        kind = "not" if u.clause.exclude else u.kind
        found[kind] = (*found.get(kind, ()), *u.clause.values)
    return found


def titles(index: TantivyLexicalIndex, query: Query) -> set[str]:
    products = catalogue()
    return {products[o].title for o in index.search(query, filters=query.filters).ords}


@pytest.mark.parametrize(
    ("text", "sort", "rest"),
    [
        ("cheapest jacket", "price_asc", "jacket"),
        ("the most expensive jacket", "price_desc", "the jacket"),
        ("cheap jacket", "price_asc", "jacket"),
        ("jackets sorted by price", "price_asc", "jackets"),
        ("best rated jacket", "rating", "jacket"),
        ("jacket with good reviews", "rating", "jacket"),
        ("newest jacket", "newest", "jacket"),
        ("new arrivals", "newest", ""),
        ("最便宜的 jacket", "price_asc", "jacket"),
        ("jacket", "", "jacket"),
    ],
)
def test_an_order_is_wished_for(understander: Understander, text: str, sort: str, rest: str) -> None:
    query = understander.understand(text)
    assert (query.sort, query.semantic_text) == (sort, rest)
    assert understander.understand(text, ["sort"]).sort == ""


@pytest.mark.parametrize(
    ("text", "unwanted", "left"),
    [
        ("jacket not black", "Black", {"Lando Jacket"}),
        ("jacket -black", "Black", {"Lando Jacket"}),
        ("non-black jacket", "Black", {"Lando Jacket"}),
        ("jacket 不要黑色", "Black", {"Lando Jacket"}),
        ("jacket without leather", "Leather", {"Lando Jacket"}),
        ("leather-free jacket", "Leather", {"Lando Jacket"}),
        ("leather free jacket", "Leather", {"Lando Jacket"}),
        ("jacket, not waterproof", "Waterproof", {"Lando Jacket"}),
        ("hoodie no polyester", "Recycled Polyester", {"Teton Hoodie"}),
        ("hoodie without zip", "zip", {"Teton Hoodie"}),
        ("hoodie w/o zip", "zip", {"Teton Hoodie"}),
    ],
)
def test_what_is_not_wanted_is_left_out(
    understander: Understander, index: TantivyLexicalIndex, text: str, unwanted: str, left: set[str]
) -> None:
    query = understander.understand(text)
    assert said(query)["not"] == (unwanted,)
    assert titles(index, query) == left


def test_two_things_are_not_wanted(understander: Understander) -> None:
    assert said(understander.understand("hoodie not red or blue"))["not"] == ("Red", "Blue")


@pytest.mark.parametrize(
    "text", ["wrinkle free jacket", "non slip socks", "chanel no 5", "no", "not that", "-5 jacket"]
)
def test_a_name_that_only_looks_like_a_negation(understander: Understander, text: str) -> None:
    assert "not" not in said(understander.understand(text))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("medium hoodie", "M"),
        ("large jacket", "L"),
        ("hoodie m", "M"),
        ("8 ft strap", "8 foot"),
        ("8ft yoga strap", "8 foot"),
        ("strap 8-foot", "8 foot"),
        ("large duffle", ""),
        ("medium", ""),
    ],
)
def test_a_size_is_one_that_the_category_comes_in(understander: Understander, text: str, size: str) -> None:
    assert said(understander.understand(text)).get("size", ("",)) == (size,)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("t shirt", "category", "Women > Tops > T-Shirts"),
        ("tshirts", "category", "Women > Tops > T-Shirts"),
        ("tee", "category", "Women > Tops > T-Shirts"),
        ("back pack", "category", "Gear > Bags"),
        ("duffle", "category", "Gear > Bags"),
        ("arlo and finch bag", "brand", "Arlo & Finch"),
        ("colour-blocked jacket", "attribute", "Color-Blocked"),
        ("water proof jacket", "attribute", "Waterproof"),
        ("polyester hoodie", "material", "Recycled Polyester"),
        ("jaket", "category", "Women > Tops > Jackets"),
        ("mh01", "item", "mh01"),
        ("MH-01", "item", "MH01"),
        ("kids bag", "age", "kids"),
    ],
)
def test_the_shop_s_own_names_in_many_spellings(understander: Understander, text: str, kind: str, value: str) -> None:
    assert value in said(understander.understand(text))[kind]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("what offers are there now", "promotion"),
        ("any discounts on jackets", "promotion"),
        ("优惠券", "promotion"),
        ("where is my order", "order"),
        ("I have not received my parcel", "order"),
        ("我的订单在哪里", "order"),
        ("return policy", "help"),
        ("how long does delivery take", "help"),
        ("do you ship to hawaii", "help"),
        ("warranty for jackets", "help"),
        ("退货政策", "help"),
        ("jackets", "navigation"),
        ("women's jackets", "navigation"),
        ("red jacket", "product"),
        ("return spring", "product"),
        ("contact lens", "product"),
        ("check valve package", "product"),
        ("shipping box", "product"),
        ("made to order sofa", "product"),
    ],
)
def test_what_the_shopper_came_for(understander: Understander, text: str, intent: str) -> None:
    query = understander.understand(text)
    assert query.intent == intent
    assert 0.5 < query.intent_confidence <= 1


def test_a_real_word_is_no_typing_error(index: TantivyLexicalIndex) -> None:
    class Reader:
        """An encoder, as far as the lexicon asks it."""

        def knows(self, word: str) -> bool:
            return word == "jacked"

    assert Understander(Lexicon.of(index)).understand("jacked").corrected == "jacket"
    assert Understander(Lexicon.of(index, encoder=Reader())).understand("jacked").corrected == ""  # type: ignore[arg-type]


def test_of_two_words_the_one_that_is_searched_for_is_meant(index: TantivyLexicalIndex) -> None:
    near = Lexicon.of(index, searched={"hera hoodie": 400}).speller.candidates("herra")
    assert near[0][0] == "hera"
    assert near[0][1] >= Lexicon.of(index).speller.candidates("herra")[0][1]


def test_a_gift_s_receiver_only_lifts(understander: Understander) -> None:
    query = understander.understand("gift for my wife under $50")
    (gender,) = [u for u in query.understood if u.kind == "gender"]
    assert gender.clause.values == ("female",)
    assert not gender.hard
    assert [t.text for t in query.terms if t.required] == []


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("around $50", 40, 60),
        ("jackets from 70", 70, None),
        ("under fifty dollars", None, 49.99),
        ("100元左右", 80, 120),
        ("价格在30到50元之间的", 30, 50),
    ],
)
def test_further_ways_to_say_a_price(text: str, low: float | None, high: float | None) -> None:
    (found,) = find_prices(text)
    assert (found.low, found.high) == (low, high)


def test_units_have_one_name() -> None:
    assert [m.name for m in find_measures('8 ft, 10-inch, 5\' and 1/2 in. or 65cm')] == [
        "8 foot", "10 inch", "5 foot", "1/2 inch", "65 cm",
    ]  # fmt: skip
    assert "8 ft" in other_forms("8ft")
    assert other_forms("2x4") == ("2 4",)
    assert other_forms("hoodie") == ()


def test_giving_up_never_touches_what_was_not_asked(understander: Understander, index: TantivyLexicalIndex) -> None:
    query = understander.understand("black jacket under $20")
    assert titles(index, query) == set()
    found = [reading for reading in relax(query) if titles(index, reading)]
    assert [u.kind for u in found[0].given_up] == ["price"]
    assert titles(index, found[0]) == {"Juno Jacket"}


@pytest.mark.parametrize(
    "bomb",
    ["under under 1-1-1-1 " * 30, "1-" * 256, "new " * 128, "not " * 128, "-a " * 170, "1,111" * 100, "不要红" * 170,
     "best rated " * 50, "between 1 and " * 40, "8 ft " * 100, "a" * 512, "the " * 128, "qzxv " * 100],
)  # fmt: skip
def test_no_text_is_a_bomb(understander: Understander, bomb: str) -> None:
    query = understander.understand(bomb)  # an expression that goes back and forth would take minutes
    assert query.text == bomb[:512].strip()
    assert len(query.terms) <= 16
