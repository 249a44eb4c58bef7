"""A shop whose encoder, trees and reader learn from judgements, together."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.unit.tuning.conftest import COLOURS, THINGS

import aisle.training.search as search_training
from aisle import Product, Settings, Shop
from aisle.learn import bi_encoder, cross_encoder
from aisle.learn.bi_encoder import BiRecipe
from aisle.learn.cross_encoder import CrossRecipe
from aisle.training.search import SEARCH_MODELS

EXTRA = ("large", "small", "old", "plain")


@pytest.fixture
def trained(tmp_path, source, monkeypatch):
    """Shoppers' names of things are not the shop's: neither words nor an untrained encoder can tell."""
    monkeypatch.setattr(search_training, "LEAST_FOR_NETWORKS", 100)
    monkeypatch.setattr(bi_encoder, "BiRecipe", partial(BiRecipe, epochs=30, learning_rate=3e-3))
    monkeypatch.setattr(cross_encoder, "CrossRecipe", partial(CrossRecipe, epochs=20, learning_rate=3e-3))
    settings = Settings.checked(
        {
            "encoder": {"model": str(source)},
            "search": {"cache_size": 0, "neighbour_cut": -1.0, "reading_ms": 500.0},
            "train": {"max_minutes": 1.2, "threads": 1},
        },
        "test",
    )
    with Shop.open(tmp_path / "shop", settings=settings) as shop:
        products = [
            Product(f"{colour}-{called}-{n}", f"{extra} {colour} {called}")
            for called in THINGS.values()
            for colour in COLOURS
            for n, extra in enumerate(EXTRA)
        ]
        shop.upsert_products(products)
        assert shop.wait_indexed(60)
        rows = ["query,item_id,grade"]
        for thing, called in THINGS.items():
            for colour in COLOURS:
                for n, extra in enumerate(EXTRA):
                    rows.append(f"{extra} {colour} {thing},{colour}-{called}-{n},2")
                    rows += [
                        f"{extra} {colour} {thing},{colour}-{called}-{other},1" for other in range(4) if other != n
                    ]
        (tmp_path / "judged.csv").write_text("\n".join(rows))
        shop.import_judgements(tmp_path / "judged.csv")
        yield shop


def found(shop: Shop) -> float:
    """Share of first hits that are the thing that is meant."""
    right = [
        any(f"{colour}-{called}-" in hit.item_id for hit in shop.search(f"old {colour} {thing}").hits[:4])
        for thing, called in THINGS.items()
        for colour in COLOURS[:4]
    ]
    return float(np.mean(right))


def test_encoder_trees_and_reader_learn_together(trained: Shop, tmp_path: Path) -> None:
    before = found(trained)
    versions = {v.name: v for v in trained.train(only=SEARCH_MODELS)}
    assert list(versions) == list(SEARCH_MODELS)
    encoder, ranking, reader = versions.values()
    assert encoder.active, (encoder.note, dict(encoder.metrics))
    assert encoder.metrics["meaning.adds_low"] > 0
    assert ranking.version, ranking.note
    assert reader.version, reader.note
    assert found(trained) > max(before, 0.5)
    slate = trained.search("old red sweater")
    assert slate.model_versions["encoder"].startswith("tuned")
    assert not slate.degraded
    # Trees alone, later: they must not trust the encoder's cosines of the queries it was tuned on.
    told: set[str] = set()
    trained.train(only=["ranking"], progress=lambda stage, _done, _of: told.add(stage))
    assert {half for half in ("even half", "odd half") if any(half in stage for stage in told)} == {
        "even half",
        "odd half",
    }
    # What serves is there again when the shop is opened.
    path, settings = trained.path, trained.settings
    first = [hit.item_id for hit in trained.search("old red sweater").hits]
    trained.close()
    with Shop.open(path, settings=settings) as again:
        again._parts.ranking.catch_up()
        assert [hit.item_id for hit in again.search("old red sweater").hits] == first


def test_too_few_judgements_for_networks_are_said(trained: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_training, "LEAST_FOR_NETWORKS", 10_000)
    (version,) = trained.train(only=["bi_encoder"])
    assert not version.version
    assert "10000 judged queries" in version.note
