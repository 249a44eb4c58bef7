"""A classifier that was tuned for intents tells what a search is after where the words alone do not."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from aisle import Product, Settings, Shop
from aisle.errors import ModelDamaged, ModelError
from aisle.serving.intents import _Serving
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
        opened._parts.intents.follow()
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


def test_the_slate_says_which_version_read_it(shop: Shop) -> None:
    version = shop._parts.stores.models.active("intent").version
    assert shop.search("the parcel never showed up").model_versions["intent"] == version
    assert "intent" not in shop.search("blue wool sweater").model_versions


def test_a_shop_that_opens_reads_by_it_from_the_first_search_on(shop: Shop) -> None:
    with Shop.open(shop.path, settings=shop.settings) as again:
        again._parts.classifiers._open = None  # nothing is opened while a shopper waits
        assert again.search("the parcel never showed up").query.intent == "order"


def test_names_alone_do_not_read_searches(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("label\norder\nproduct\nhelp\n")
    with Shop.open(tmp_path / "shop", settings=Settings.checked({"train": {"threads": 1}}, "test")) as opened:
        assert opened.tune(Wanted("intent", tmp_path / "names.csv", "names")).active
        opened._parts.intents.follow()
        assert opened.classify(["delivery bag"])[0]["order"] >= 0.8
        assert opened.search("delivery bag").query.intent == "product"


def test_labels_that_are_no_intents_are_not_asked(tmp_path: Path) -> None:
    rows = ["text,label", *(f"{text},late" for text in ORDER), *(f"{text},other" for text in PRODUCT)]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    with Shop.open(tmp_path / "shop", settings=Settings.checked({"train": {"threads": 1}}, "test")) as opened:
        assert opened.tune(Wanted("intent", tmp_path / "labels.csv", "head", changed={"held": 0.0})).active
        opened._parts.intents.follow()
        assert opened._parts.intents._serving is None
        assert opened.classify([ORDER[0]])[0]["late"] > 0.5


def test_a_classifier_that_fails_leaves_the_words_reading(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        names = ("order", "product")

        def classify(self, _texts: object) -> object:
            if self.fails:
                raise ModelError("out of memory")
            return np.array([[0.9, 0.1]])

        fails = True

    intents = shop._parts.intents
    before = intents._serving
    failing = Failing()
    intents._serving = _Serving("v9", failing)
    try:
        for _ in range(2):
            assert shop.search("the parcel never showed up").query.intent == "product"
        assert caplog.text.count("from the words alone: out of memory") == 1
        failing.fails = False
        assert shop.search("the parcel never showed up").query.intent == "order"  # it goes on by itself
    finally:
        intents._serving = before


def test_a_damaged_classifier_leaves_the_one_in_memory_and_on_opening_the_words(shop: Shop) -> None:
    models, intents = shop._parts.stores.models, shop._parts.intents
    (models.folder("intent", models.active("intent").version) / "model.onnx").write_bytes(b"half a file")
    shop._parts.classifiers._opened.clear()
    intents._looked_at = ""
    with pytest.raises(ModelDamaged):
        intents.follow()
    assert shop.search("the parcel never showed up").query.intent == "order"
    with Shop.open(shop.path, settings=shop.settings) as again:
        assert again.search("the parcel never showed up").query.intent == "product"
        deadline = time.monotonic() + 10
        while not (told := again.health()["degraded"]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(one.startswith("intents: ") for one in told)
