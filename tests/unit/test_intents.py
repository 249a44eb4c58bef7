"""A classifier that was tuned for intents tells what a search is after where the words alone do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle import Product, Settings, Shop
from aisle.training.tune import Wanted
from aisle.types import Page

ORDER = ("it still has not come", "nothing arrived at my door", "my things never showed up", "the courier lost it",
         "I have been waiting for weeks", "it has not turned up yet", "nothing has come so far")  # fmt: skip
PRODUCT = ("red wool sweater", "running shoes", "desk lamp", "ceramic mug", "backpack for school", "winter coat",
           "garden chair", "kettle", "striped socks")  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder: Path = tmp_path_factory.mktemp("intents")
    with Shop.open(folder / "shop", settings=Settings.checked({"train": {"threads": 1}}, "test")) as opened:
        opened.upsert_products(
            [Product(f"P{n}", title, product_type="Home > Parcels") for n, title in enumerate(PRODUCT)]
        )
        opened._parts.stores.content.upsert_pages(
            [Page("delivery", "Delivery and orders", "We ship within two days. Ask us when your order is late.")]
        )
        assert opened.wait_indexed(60)
        assert opened.search("the parcel never showed up").query.intent == "product"  # by the words alone
        rows = [f"{text},order" for text in ORDER] + [f"{text},product" for text in PRODUCT]
        data = folder / "labels.csv"
        data.write_text("\n".join(["text,label", *rows]))
        version = opened.tune(Wanted("intent", data, "head", changed={"held": 0.0}))
        assert version.active, version.note
        opened._answering._intents._look_at = 0.0
        yield opened


def test_what_the_words_miss_is_read_by_the_classifier(shop: Shop) -> None:
    slate = shop.search("the parcel never showed up")
    assert slate.query.intent == "order"
    assert slate.query.intent_confidence >= 0.8
    assert [answer.title for answer in slate.answers] == ["Delivery and orders"]


def test_a_wish_does_not_hide_what_a_search_is_after_but_a_condition_does(shop: Shop) -> None:
    slate = shop.search("the parcels never showed up")
    assert [(u.kind, u.hard) for u in slate.query.understood] == [("category", False)]
    assert slate.query.intent == "order"
    conditioned = "the parcels without ribbons never showed up"
    slate = shop.search(conditioned)
    assert shop.classify([conditioned])[0]["order"] >= 0.8
    assert any(u.hard for u in slate.query.understood)
    assert slate.query.intent == "product"


def test_products_stay_products_and_an_intent_can_be_taken_back(shop: Shop) -> None:
    assert shop.search("blue wool sweater").query.intent == "product"
    for ignore in ("intent", "intent:order"):
        assert shop.search("the parcel never showed up", ignore=[ignore]).query.intent == "product"


def test_names_alone_do_not_read_searches(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("label\norder\nproduct\nhelp\n")
    with Shop.open(tmp_path / "shop", settings=Settings.checked({"train": {"threads": 1}}, "test")) as opened:
        assert opened.tune(Wanted("intent", tmp_path / "names.csv", "names")).active
        assert opened.classify(["delivery bag"])[0]["order"] >= 0.8
        assert opened.search("delivery bag").query.intent == "product"


def test_a_damaged_classifier_leaves_the_words_reading(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    models = shop._parts.stores.models
    (models.folder("intent", models.active("intent").version) / "model.onnx").write_bytes(b"half a file")
    shop._classifiers._opened.clear()
    shop._answering._intents._look_at = 0.0
    assert shop.search("the parcel never showed up").query.intent == "product"
    assert "intents are read from the words alone" in caplog.text
