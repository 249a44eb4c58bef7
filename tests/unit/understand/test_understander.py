"""What shoppers write, and what is understood of it in a small shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.testing.lexical import group, item
from aisle.types import Product, Query
from aisle.understand.highlight import highlight
from aisle.understand.lexicon import Lexicon
from aisle.understand.prices import find_prices
from aisle.understand.query import Understander
from aisle.understand.relaxing import relax
from aisle.understand.text import language_of, normalise, stem


def catalogue() -> list[Product]:
    men, women, gear = "Men > Tops > ", "Women > Tops > ", "Gear > "
    hoodies = "Hoodies & Sweatshirts"
    return [
        item(
            "Teton Hoodie", color="Red", size="M", gender="male", product_type=men + hoodies, price=70, material="Wool"
        ),
        item("Abominable Hoodie", color="Navy Blue", size="XL", gender="male", product_type=men + hoodies, price=69),
        item("Hera Hoodie", color="Red", size="S", gender="female", product_type=women + hoodies, price=48),
        item("Montana Wind Jacket", color="Blue", size="L", gender="male", product_type=men + "Jackets", price=49),
        item("Juno Jacket", color="Gray", size="32", gender="female", product_type=women + "Jackets", price=77),
        item("Iris Tee", color="White", size="S", gender="female", product_type=women + "Tees", price=29),
        item("Lando Gym Jacket", color="Gray", size="M", gender="unisex", product_type=men + "Jackets", price=99),
        item("Joust Duffle Bag", product_type=gear + "Bags", price=34, brand="Luma"),
        item("Wayfarer Backpack", product_type=gear + "Bags", price=45, brand="Luma", description="For the gym."),
        item("Sprite Yoga Strap 6 foot", product_type=gear + "Fitness Equipment", price=14, brand="Luma"),
        item("Sprite Yoga Strap 8 foot", product_type=gear + "Fitness Equipment", price=17, brand="Luma"),
        item("Sprite Foam Yoga Brick", product_type=gear + "Fitness Equipment", price=5, brand="Orange Sky"),
        item("Cronus Yoga Pant", product_type="Men > Bottoms > Pants", gender="male", price=48, size="32", color="Red"),
        item("Karmen Pant", product_type="Women > Bottoms > Pants", gender="female", price=39, description="For yoga."),
        item("Summit Watch", product_type=gear + "Watches", price=54, brand="Luma"),
        item("Aim Watch", product_type=gear + "Watches", price=60, brand="Luma"),
        item("Didi Sport Watch", product_type=gear + "Watches", price=92, brand="Orange"),
    ]


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
    return Understander(Lexicon.of(index))


def meant(query: Query, *, hard: bool) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for u in query.understood:
        if u.hard is hard and not u.clause.exclude and u.kind != "sort":
            before = found.get(u.clause.field, ())
            found[u.clause.field] = (*before, *u.clause.values) or (u.clause.low, u.clause.high)
    return found


def terms(query: Query) -> list[str]:
    return [t.text for t in query.terms if t.required]


# ------------------------------------------------------------------ conditions


@pytest.mark.parametrize(
    ("text", "low", "high", "rest"),
    [
        ("watch under 60", None, 59.99, "watch"),
        ("watch below $60.50", None, 60.49, "watch"),
        ("watch less than 60 dollars", None, 59.99, "watch"),
        ("watch <60", None, 59.99, "watch"),
        ("watch < $1,299", None, 1298.99, "watch"),
        ("watch up to 60", None, 60, "watch"),
        ("watch 60 or less", None, 60, "watch"),
        ("watch over 20", 20.01, None, "watch"),
        ("watch at least $20", 20, None, "watch"),
        ("watch between 20 and 40", 20, 40, "watch"),
        ("watch between $40 and $20", 20, 40, "watch"),
        ("20-40 dollars watch", 20, 40, "watch"),
        ("$20-$40 watch", 20, 40, "watch"),
        ("watch from 20 to 40", 20, 40, "watch"),
        ("under 60 watch", None, 59.99, "watch"),
        ("手表60元以下", None, 60, "手表"),
        ("手表 100到200元", 100, 200, "手表"),
        ("手表 低于60元", None, 59.99, "手表"),
        ("手表 100块以上", 100, None, "手表"),
    ],
)
def test_price_limits(understander: Understander, text: str, low: float | None, high: float | None, rest: str) -> None:
    query = understander.understand(text)
    assert meant(query, hard=True)["price"] == (low, high)
    assert query.semantic_text == rest
    assert terms(query) == [rest]


@pytest.mark.parametrize(
    "text",
    ["under armour", "dumbbell under 5 lbs", "tv under 55 inches", "over 18 years", "iphone 15", "size 32",
     "nokia 3310", "under 60k", "rope 10-20 m", "7 wonders", "under 500 lbs", "overalls 20", "2-3 people tent"],
)  # fmt: skip
def test_numbers_that_are_no_prices(text: str) -> None:
    assert find_prices(text) == []


def test_a_colour_beside_other_words_filters(understander: Understander) -> None:
    query = understander.understand("red hoodie")
    assert meant(query, hard=True) == {"color": ("Red",)}
    assert terms(query) == ["hoodie"]
    assert query.semantic_text == "red hoodie"
    assert meant(understander.understand("grey jacket"), hard=True) == {"color": ("Gray",)}
    assert set(meant(understander.understand("blue jacket"), hard=True)["color"]) == {"Blue", "Navy Blue"}
    assert meant(understander.understand("red or white tee"), hard=True) == {"color": ("Red", "White")}
    assert meant(understander.understand("红色 hoodie"), hard=True) == {"color": ("Red",)}


def test_a_colour_that_is_a_guess_only_boosts(understander: Understander) -> None:
    alone = understander.understand("red")
    assert (meant(alone, hard=True), meant(alone, hard=False)["color"], terms(alone)) == ({}, ("Red",), ["red"])
    maroon = understander.understand("maroon hoodie")
    assert (meant(maroon, hard=True), meant(maroon, hard=False)["color"]) == ({}, ("Red",))
    brand = understander.understand("orange watch")  # a maker here, no colour
    assert "color" not in meant(brand, hard=True)
    assert meant(brand, hard=False)["brand"] == ("Orange",)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("jackets for men", ("male", "unisex")),
        ("mens jacket", ("male", "unisex")),
        ("men's jacket", ("male", "unisex")),
        ("jacket for him", ("male", "unisex")),
        ("ladies jacket", ("female", "unisex")),
        ("women’s jacket", ("female", "unisex")),
        ("女士 jacket", ("female", "unisex")),
        ("unisex jacket", ("unisex",)),
    ],
)
def test_genders_filter_and_let_unisex_in(understander: Understander, text: str, values: tuple[str, ...]) -> None:
    query = understander.understand(text)
    assert meant(query, hard=True) == {"gender": values}
    assert terms(query)[-1:] in (["jacket"], ["jackets"])


def test_a_name_with_man_in_it_is_no_gender(understander: Understander) -> None:
    assert meant(understander.understand("iron man"), hard=True) == {}


@pytest.mark.parametrize(
    ("text", "size"), [("tee size s", "S"), ("hoodie xl", "XL"), ("size 32 pant", "32"), ("pant s", None), ("32", None),
                       ("size 99", None), ("hoodie M码", "M")],
)  # fmt: skip
def test_sizes_only_in_clear_form(understander: Understander, text: str, size: str | None) -> None:
    assert meant(understander.understand(text), hard=True).get("size") == ((size,) if size else None)


def test_categories_brands_and_materials_boost(understander: Understander) -> None:
    query = understander.understand("luma wool sweatshirts")
    assert meant(query, hard=True) == {}
    boosts = meant(query, hard=False)
    assert set(boosts["product_type"]) == {"Men > Tops > Hoodies & Sweatshirts", "Women > Tops > Hoodies & Sweatshirts"}
    assert (boosts["brand"], boosts["material"]) == (("Luma",), ("Wool",))
    assert terms(query) == ["luma", "wool", "sweatshirts"]


def test_a_guess_is_given_up_step_by_step_and_named(understander: Understander) -> None:
    query = understander.understand("red watch for men under 60")
    assert set(meant(query, hard=True)) == {"color", "gender", "price"}
    steps = [{u.kind for u in reading.given_up} for reading in relax(query)]
    assert steps[:3] == [{"color"}, {"gender"}, {"price"}]  # one at a time, the price last
    assert steps[-1] == {"color", "gender", "price"}
    for reading in relax(query):
        assert reading.terms == query.terms
        assert {u.kind for u in reading.understood if u.hard} == {"color", "gender", "price"} - {
            u.kind for u in reading.given_up
        }
    assert relax(understander.understand("watch")) == []


def test_red_or_white_is_one_condition(understander: Understander) -> None:
    (reading,) = relax(understander.understand("red or white tee"))
    assert [u.text for u in reading.given_up] == ["red", "white"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("price", {"color", "gender"}),
        ("color:red", {"gender", "price"}),
        ("color:Red", {"gender", "price"}),
        ("color:blue", {"color", "gender", "price"}),
    ],
)
def test_what_was_understood_can_be_taken_back(understander: Understander, ignore: str, left: set[str]) -> None:
    query = understander.understand("red watch for men under 60", [ignore])
    assert set(meant(query, hard=True)) == left
    if ignore == "color:red":
        assert "red" not in terms(query)  # it still lifts, and asks for nothing


# ----------------------------------------------------------------------- words


def test_stop_words_never_have_to_match(understander: Understander) -> None:
    assert terms(understander.understand("show me a jacket for the gym")) == ["jacket", "gym"]
    assert terms(understander.understand("to be or not")) != []


@pytest.mark.parametrize(
    ("typed", "meant_word"),
    [
        ("hodie", "hoodie"),
        ("jakcet", "jacket"),
        ("bakcpack", "backpack"),
        ("whatch", "watch"),
        ("abomniable", "abominable"),
    ],
)
def test_typing_errors_are_mended(understander: Understander, typed: str, meant_word: str) -> None:
    query = understander.understand(f"{typed} under 60")
    assert query.corrected == f"{meant_word} under 60"
    assert query.semantic_text == meant_word
    assert query.terms[0].text == meant_word
    assert understander.understand(f"{typed} under 60", ["spelling"]).corrected == ""


def test_words_of_the_catalogue_are_never_mended(understander: Understander) -> None:
    for known in ("hoodie", "hoodies", "gym", "brick", "duffle"):
        assert understander.understand(known).corrected == ""
    assert understander.understand("xj900 qqqq").corrected == ""


def test_compounds_are_split_and_joined(understander: Understander) -> None:
    assert terms(understander.understand("yogastrap")) == ["yoga", "strap"]
    parted = understander.understand("back pack")
    assert all(("backpack", 0.9) in t.expansions for t in parted.terms)


def test_other_names_of_a_thing(understander: Understander) -> None:
    assert ("tee", 0.9) in understander.understand("t-shirt").terms[0].expansions
    assert ("pants", 0.6) in understander.understand("trousers").terms[0].expansions


def test_languages() -> None:
    assert [language_of(t) for t in ("red hoodie", "红色连衣裙", "iphone 手机壳", "кроссовки", "café", "42", "🙂")] == [
        "en", "zh", "zh", "und", "en", "en", "en",
    ]  # fmt: skip


def test_chinese_is_cut_around_conditions(understander: Understander) -> None:
    query = understander.understand("我想买男士的红色夹克60元以下")
    assert set(meant(query, hard=True)) == {"gender", "color", "price"}
    assert terms(query) == ["夹克"]


def test_stems_agree_where_words_do() -> None:
    for forms in (("hoodie", "hoodies", "hoody"), ("watch", "watches"), ("run", "running"), ("dress", "dresses")):
        assert len({stem(f) for f in forms}) == 1


def test_an_empty_lexicon_still_reads_words_and_prices() -> None:
    query = Understander(Lexicon.empty()).understand("red hodie under $60")
    assert terms(query) == ["red", "hodie"]
    assert meant(query, hard=True) == {"price": (None, 59.99)}


def test_text_is_cleaned_and_cut() -> None:
    assert normalise("  Ａ\x00b\u200b\nc ", 100) == "A b c"
    assert Understander(Lexicon.empty(), max_chars=10).understand("x" * 10_000).text == "x" * 10
    assert Understander(Lexicon.empty()).understand(" \x00 ") == Query("")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=120),
        st.lists(
            st.sampled_from(
                ["red", "under", "60", "$", "for", "men", "size", "m", "红色", "男士", "元以下", "hodie", "-", "'s",
                 "\x00",
                 "between", "and", "20", "40", "back", "pack", "grey", "the", "xl", "码", "100到200元"]
            ),
            max_size=14,
        ).map(" ".join),
        st.lists(st.sampled_from([*"红色男士的码元a1", "以下"]), max_size=20).map("".join),
    )
)  # fmt: skip
def test_no_text_is_too_strange(understander: Understander, index: TantivyLexicalIndex, text: str) -> None:
    query = understander.understand(text)
    assert len(query.terms) <= 16
    for reading in (query, *relax(query), understander.understand(text, ["color", "price"])):
        result = index.search(reading, filters=reading.filters, facets=("color", "price"))
        assert result.n_hits == len(result.ords)
        assert highlight(f"{text} <b>", reading).endswith("&gt;")


# ------------------------------------------------- the whole, by words alone


def titles(index: TantivyLexicalIndex, understander: Understander, text: str) -> list[str]:
    query = understander.understand(text)
    products = catalogue()
    return [products[o].title for o in index.search(query, filters=query.filters).ords]


def test_the_right_products_come_first(index: TantivyLexicalIndex, understander: Understander) -> None:
    def show(text: str) -> list[str]:
        return titles(index, understander, text)

    assert show("red hoodie")[:2] in (["Teton Hoodie", "Hera Hoodie"], ["Hera Hoodie", "Teton Hoodie"])
    assert set(show("yoga strap")[:2]) == {"Sprite Yoga Strap 6 foot", "Sprite Yoga Strap 8 foot"}
    assert show("watch under 60") == ["Summit Watch"]
    assert set(show("jackets for men")) == {"Montana Wind Jacket", "Lando Gym Jacket"}
    assert set(show("gym bag")[:2]) == {"Joust Duffle Bag", "Wayfarer Backpack"}
    mats = show("yoga mat")
    assert max(mats.index(t) for t in mats if "Sprite" in t) < mats.index("Karmen Pant")


# ------------------------------------------------------------------ highlights


@pytest.mark.parametrize(
    ("text", "title", "marked"),
    [
        ("hoodies", "Teton Hoodie", "Teton <em>Hoodie</em>"),
        ("hodie", "Teton Hoodie", "Teton <em>Hoodie</em>"),
        ("yoga straps", "Sprite Yoga Strap", "Sprite <em>Yoga</em> <em>Strap</em>"),
        ("bag", "A <b> & Bag", "A &lt;b&gt; &amp; <em>Bag</em>"),
        ("zip", "Full-Zip Hoodie", "Full-<em>Zip</em> Hoodie"),
        ("", "Teton & Co", "Teton &amp; Co"),
        ("连衣裙", "红色连衣裙", "红色<em>连衣裙</em>"),
    ],
)
def test_highlights(understander: Understander, text: str, title: str, marked: str) -> None:
    assert highlight(title, understander.understand(text)) == marked


@pytest.mark.parametrize("text", ["hoodie not red", "hoodie without red", "hoodie -red", "hoodie except red"])
def test_what_is_not_wanted_is_not_asked_for(understander: Understander, text: str) -> None:
    query = understander.understand(text)
    assert "color" not in meant(query, hard=True) | meant(query, hard=False)
    assert terms(query) == ["hoodie"]
