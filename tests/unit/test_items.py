"""The catalogue as columns."""

from __future__ import annotations

import numpy as np
import pytest

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.items import Codes, ItemTable
from aisle.types import Group, Money, Product


def group(ord_: int, *products: Product) -> Group:
    return Group(ord_, f"g{ord_}", products, first_seen_ms=1000 + ord_)


def test_what_a_catalogue_says_stands_in_columns_by_ord() -> None:
    shirt = [
        Product(f"s{size}", "Shirt", "g3", product_type="Men > Tops", additional_product_types=("Sale",),
                brand="Nord", color="Red", size=size, price=Money.parse("40 USD"), sale_price=Money.parse("30 USD"),
                attributes={"fit": ("slim", "long")})
        for size in "SM"
    ]  # fmt: skip
    table = ItemTable.of(
        [group(3, *shirt), group(0, Product("a", "Plain")), group(1)],
        text=np.ones((2, 5), np.float32),
        ratings={"sS": (5.0, 1), "sM": (2.0, 2)},
    )
    assert len(table) == 4
    assert table.alive.tolist() == [True, False, False, True]
    assert table.categories[table.category[3]] == "Men > Tops"
    assert {table.categories[c] for c in table.ancestors.row(3)} == {"Men", "Men > Tops", "Sale"}
    assert table.brands[table.brand[3]] == "Nord"
    told = {table.attribute_names[c] for c in table.attributes.row(3)}
    assert told == {"color: Red", "size: S", "size: M", "fit: slim", "fit: long"}
    assert table.log_price[3] == pytest.approx(np.log(30))
    assert table.discount[3] == pytest.approx(0.25)
    assert (table.quality[3], table.n_reviews[3]) == (3.0, 3)
    assert (table.category[0], table.brand[0], table.n_reviews[0]) == (-1, -1, 0)
    assert np.isnan([table.log_price[0], table.quality[0]]).all()
    assert (table.text.shape, table.image.shape) == ((4, 5), (4, 0))
    assert table.text.sum(1).tolist() == [5, 5, 0, 0]


def test_an_empty_catalogue_is_a_table_without_rows() -> None:
    table = ItemTable.of([], text=np.zeros((0, 8), np.float32))
    assert (len(table), table.text.shape, len(table.ancestors)) == (0, (0, 8), 0)


def test_columns_that_are_not_known_say_nothing() -> None:
    table = ItemTable.blank(3, attributes=Codes.of([[0], [], [0, 1]]), attribute_names=("a", "b"))
    assert table.attributes.owners.tolist() == [0, 2, 2]
    assert table.category.tolist() == [-1, -1, -1]
    with pytest.raises(ValueError, match="different lengths"):
        ItemTable.blank(3, brand=np.zeros(2, np.int32))


def test_numbers_that_are_not_finite_are_never_a_model() -> None:
    with pytest.raises(TrainingFailed, match="vectors holds numbers that are not finite"):
        Fitted("factors", {"ords": np.arange(2), "vectors": np.array([1.0, np.nan])})
