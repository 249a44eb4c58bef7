"""A group becomes one document."""

from __future__ import annotations

import pytest

from aisle.index.documents import MAX_TEXT_CHARS, clean, document, field_name, filter_key, fold, gender_of, shared_title
from aisle.testing.lexical import group, item
from aisle.types import Product


@pytest.mark.parametrize(
    ("titles", "shared"),
    [
        (["Chaz Hoodie-XS-Black", "Chaz Hoodie-S-Gray", "Chaz Hoodie-XS-Gray"], "Chaz Hoodie"),
        (["Mug"], "Mug"),
        (["Mug", "Mug"], "Mug"),
        (["Running Shoe Red", "Running Shoes Blue"], "Running Shoe"),
        (["Tee (Red)", "Tee (Blue)"], "Tee"),
        (["红色连衣裙 S", "红色连衣裙 M"], "红色连衣裙"),
    ],
)
def test_the_title_is_what_the_variants_share(titles: list[str], shared: str) -> None:
    items = [item(t, item_id=str(i), size="XS", color="Black") for i, t in enumerate(titles)]
    assert shared_title(group(0, *items)) == shared


def test_variants_with_nothing_in_common_take_the_lead_s_title() -> None:
    assert shared_title(group(0, item("Alpha thing"), item("Beta thing"))) == "Alpha thing"


def test_a_colour_that_all_variants_have_is_no_part_of_the_title() -> None:
    variants = [item(f"Frankie Shirt-{s}-Green", color="Green", size=s) for s in ("S", "M")]
    assert shared_title(group(0, *variants)) == "Frankie Shirt"
    same_size = [item(f"Frankie Shirt-S-{c}", color=c, size="S") for c in ("Green", "Red")]
    assert shared_title(group(0, *same_size)) == "Frankie Shirt"


def test_values_are_split_folded_and_kept_as_shown() -> None:
    doc = document(
        group(
            3,
            item(
                "Tee",
                item_id="a",
                color="Red/ Dark Blue",
                size="M",
                material="Cotton/Wool",
                gender="Men/Women",
                price=9,
            ),
            item("Tee", item_id="b", color="RED", size="L", product_type="A >B> C", price=9, sale=4.5),
        )
    )
    assert doc.values["color"] == ["red", "dark blue"]
    assert doc.shown["color"] == ["Red", "Dark Blue"]
    assert doc.values["gender"] == ["unisex"]
    assert doc.values["product_type"] == ["a", "a > b", "a > b > c"]
    assert doc.values["on_sale"] == ["true"]
    assert doc.prices == (4.5, 9.0)
    assert doc.variants["color|size"] == ["red|m", "dark blue|m", "red|l"]
    assert doc.item_ids == ("a", "b")


def test_attributes_never_stand_in_for_the_fields_every_product_has() -> None:
    product = Product(
        "a", "Tee", color="Red", attributes={"Color": ("Blue",), "Price": ("1",), "Sleeve  length": ("Long",)}
    )
    doc = document(group(0, product))
    assert doc.values["color"] == ["red"]
    assert doc.values["sleeve_length"] == ["long"]
    assert "price" not in doc.values


def test_a_huge_description_is_cut_and_a_paragraph_is_no_value() -> None:
    product = Product("a", "Tee", description="x " * 5_000_000, attributes={"notes": ("y" * 5000, "ok")})
    doc = document(group(0, product))
    assert len(doc.text) <= MAX_TEXT_CHARS
    assert doc.values["notes"] == ["ok"]


@pytest.mark.parametrize(
    ("text", "gender"),
    [
        ("Men", "male"), ("male", "male"), ("Women's", "female"), ("女士", "female"), ("Men/Women/Unisex", "unisex"),
        ("Boys, Girls", "unisex"), ("anyone", "anyone"),
    ],
)  # fmt: skip
def test_genders_as_feeds_write_them(text: str, gender: str) -> None:
    assert gender_of(text) == gender


def test_folding() -> None:
    assert fold("  ＲＥＤ\t\x00 Wine ") == "red wine"
    assert clean("\ud800a\u202eb") == "a b"
    assert field_name("Strap / Länge (cm)") == "strap_länge_cm"
    assert filter_key("category", "X") == "x"
    assert filter_key("product_type", " A>b >  C d") == "a > b > c d"
    assert filter_key("availability", "In Stock") == "in_stock"
