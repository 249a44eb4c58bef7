"""Labels that a shop's people give, and which texts are worth one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aisle.cli import app
from aisle.errors import InvalidRequest, NotFound, StorageError
from aisle.learn.adapt.labelled import read_labelled
from aisle.settings import EncoderSettings, Settings
from aisle.shop import Shop
from aisle.training.labelling import write_labels
from aisle.types import Event, EventItem, Label, Product, now_ms


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Three searches by several shoppers, one by a single one; products with and without a category."""
    with Shop.open(tmp_path / "s", settings=Settings(encoder=EncoderSettings(model=""))) as opened:
        opened.upsert_products(
            [
                Product("a", "Oak Chair", product_type="Home > Chairs"),
                Product("b", "Elm Chair", product_type="Home > Chairs"),
                Product("c", "Red Scarf", product_type="Clothing > Scarves"),
                Product("d", "Mystery Box"),
                Product("e", "Thing"),
                Product("f", "thing"),
            ]
        )
        opened.wait_indexed()
        asked = [("chair", 3), ("where is my order", 5), ("gift", 2)]
        opened.record_many(
            [Event("search", f"v{n}", query=query) for query, times in asked for n in range(times)]
            + [Event("search", "only-me", query="ann smith 42 elm road") for _ in range(9)]
        )
        yield opened


def texts(shop: Shop, task: str, top_k: int = 20) -> list[str]:
    return [one.text for one in shop.label_desk(task, top_k=top_k).queue]


def test_searches_of_several_shoppers_wait_the_most_asked_first(shop: Shop) -> None:
    desk = shop.label_desk("intent")
    assert [(one.text, one.reasons[0].value) for one in desk.queue] == [
        ("where is my order", 5), ("chair", 3), ("gift", 2)
    ]  # fmt: skip
    assert (desk.n_labels, desk.n_waiting) == (0, 3)
    assert texts(shop, "intent", 1) == ["where is my order"]
    assert ("order", 0) in desk.names


def test_what_has_a_label_waits_no_longer(shop: Shop) -> None:
    shop.label("intent", "Where is my order", "order", by="Ann")
    shop.label("intent", " chair\n", "furniture")
    desk = shop.label_desk("intent")
    assert [one.text for one in desk.queue] == ["gift"]
    assert dict(desk.names)["furniture"] == 1
    assert [name for name, count in desk.names if name == "order"] == ["order"]
    assert [(one.text, one.label, one.by) for one in shop.labels("intent")] == [
        ("Where is my order", "order", "Ann"), ("chair", "furniture", "")
    ]  # fmt: skip
    shop.label("intent", "WHERE IS MY ORDER", None)
    assert texts(shop, "intent") == ["where is my order", "gift"]
    assert texts(shop, "category") != []  # a label for one task says nothing for another


def test_products_without_a_category_wait(shop: Shop) -> None:
    desk = shop.label_desk("category")
    assert sorted(one.text for one in desk.queue) == ["Mystery Box", "Thing"]
    assert [name for name, _ in desk.names] == ["Home > Chairs", "Clothing > Scarves"]
    shop.record_many([Event("view_item", f"v{n}", (EventItem("e"),), now_ms()) for n in range(5)])
    queue = shop.label_desk("category").queue
    assert [(one.text, [why.kind for why in one.reasons]) for one in queue] == [
        ("Thing", ["uncategorised", "popular"]), ("Mystery Box", ["uncategorised"])
    ]  # fmt: skip
    shop.label("category", "Thing", "Home > Chairs")
    assert texts(shop, "category") == ["Mystery Box"]


def test_a_task_of_ones_own_has_labels_and_no_queue(shop: Shop) -> None:
    shop.label("tone", "so so", "mixed")
    desk = shop.label_desk("tone")
    assert (desk.names, desk.queue) == ((("mixed", 1),), ())


@pytest.mark.parametrize(
    ("task", "text", "label", "field"),
    [
        ("In tent", "x", "y", "task"),
        ("", "x", "y", "task"),
        ("intent", " \n", "y", "text"),
        ("intent", "x" * 1001, "y", "text"),
        ("intent", "x", "\t", "label"),
        ("intent", "x", "y" * 101, "label"),
    ],
)
def test_what_is_no_label_is_refused(shop: Shop, task: str, text: str, label: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shop.label(task, text, label)
    assert caught.value.field == field


def test_what_was_never_said_cannot_be_taken_back(shop: Shop) -> None:
    with pytest.raises(NotFound, match="no label for intent"):
        shop.label("intent", "chair", None)


def test_a_forgotten_shopper_leaves_no_text_in_the_queue(shop: Shop) -> None:
    assert "ann smith 42 elm road" not in texts(shop, "intent")
    shop.erase("v0")
    shop.erase("v1")
    assert "gift" not in texts(shop, "intent")


def test_labels_outlive_the_process_and_are_written_to_tune_on(shop: Shop, tmp_path: Path) -> None:
    shop.label("intent", 'say "where", please', "order, late")
    shop.label("intent", "红色卫衣", "product")
    shop.close()
    out = tmp_path / "labels.csv"
    ran = CliRunner().invoke(app, ["labels", str(shop.path), "--task", "intent", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "2 labelled texts" in ran.output
    read = read_labelled(out)
    assert read.texts == ('say "where", please', "红色卫衣")
    assert [read.names[number] for number in read.labels] == ["order, late", "product"]
    none = CliRunner().invoke(app, ["labels", str(shop.path), "--task", "tone", "--out", str(out)])
    assert isinstance(none.exception, NotFound)
    assert read_labelled(out).texts == read.texts


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_labels([Label("intent", "x", "y")], tmp_path / "nowhere" / "labels.csv")
