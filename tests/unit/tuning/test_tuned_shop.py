"""A shop whose encoder was tuned answers with it, and can go back."""

import time

import pytest

from aisle.learn.bi_encoder import BI_ENCODER, BiRecipe, fit_bi_encoder
from aisle.represent.encoders import ensure_encoder
from aisle.settings import Settings
from aisle.shop import Shop
from aisle.training.encoder import export_tuned, keep_the_first
from aisle.types import Product


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture(scope="module")
def settings(source, place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISLE_CACHE_DIR", str(place / "cache"))
        yield Settings(
            encoder={"model": str(source), "threads": 1},
            search={"category_weight": 0.0, "neighbour_cut": -1.0, "cache_size": 100},
            storage={"poll_ms": 20},
        )


@pytest.fixture(scope="module")
def fitted(shop, source, place):
    recipe = BiRecipe(epochs=30, queries=16, learning_rate=3e-3, held=20)
    return fit_bi_encoder(*shop, source=source, export=export_tuned, work=place / "work", recipe=recipe)


def until(true):
    give_up = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_search_takes_up_what_is_promoted_goes_back_and_remembers(shop, settings, fitted, place):
    texts = shop[1]
    with Shop.open(place / "shop", settings=settings) as opened:
        opened.upsert_products([Product(f"P{n}", text) for n, text in enumerate(texts)])
        assert opened.wait_indexed(60)
        parts = opened._parts

        def first(query):
            return opened.search(query).hits[0].title

        base = parts.encoder_name
        asked = ["red sweater", "blue sofa", "green spigot", "black rug"]
        store = parts.stores.models
        keep_the_first(store, ensure_encoder(settings.encoder, place / "shop" / "models"))
        made = store.create(BI_ENCODER, fitted.arrays, files=fitted.files, params=fitted.params)
        store.promote(BI_ENCODER, made.version)
        until(lambda: parts.encoder_name != base)
        tuned = parts.encoder_name
        assert [first(query) for query in asked] == ["red pullover", "blue couch", "green faucet", "black carpet"]
        assert opened.search("red sweater").model_versions["encoder"] == tuned
        opened.upsert_products([Product("NEW", "red pullover red")])
        assert opened.wait_indexed(60)
        assert "NEW" in {h.item_id for h in opened.search("red sweater").hits[:5]}

    with Shop.open(place / "shop", settings=settings) as opened:  # from the snapshot, before anybody asks
        assert opened._parts.encoder_name == tuned
        opened._parts.stores.models.rollback(BI_ENCODER)
        until(lambda: opened._parts.encoder_name == base)
        assert opened.search("red sweater").model_versions["encoder"] == base
        parts = opened._parts
        assert parts.indexes.folder.current() is not None
        assert {f.name for f in parts.indexes.folder.current().glob("dense-*")} == {f"dense-{base}", f"dense-{tuned}"}
