"""Chinese from top to bottom, over the demo's Chinese catalogue and the queries of the benchmark."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from aisle import Settings, Shop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_chinese", ROOT / "benchmarks" / "chinese.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shop(benchmark: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with benchmark.chinese_shop(tmp_path_factory.mktemp("zh") / "shop", 700) as opened:
        yield opened


def test_the_benchmarks_queries_are_understood_and_answered(benchmark: ModuleType, shop: Shop) -> None:
    figures = benchmark.measure(shop)
    assert figures["queries"] >= 60
    assert figures["f1"] >= 0.95
    assert figures["empty"] == 0
    assert figures["traditional"] >= 0.95
    assert figures["first"] >= 0.9


def titles(shop: Shop, query: str) -> list[str]:
    return [hit.title for hit in shop.search(query, record=False, facets=()).hits]


def test_a_shop_opened_again_cuts_chinese_as_before(shop: Shop) -> None:
    queries = ("薇琳手提包", "防盗刷钱包", "可用洗碗机的碗", "嘟嘟巷积木", "鞋")
    before = [titles(shop, query) for query in queries]
    assert all(before)
    folder, settings = shop.path, shop.settings
    shop.close()
    with Shop.open(folder, settings=settings) as again:
        assert [titles(again, query) for query in queries] == before


def test_a_shop_says_that_its_encoder_does_not_read_its_language(tmp_path: Path) -> None:
    with Shop.open(tmp_path / "zh", settings=Settings(shop={"language": "zh"})) as shop:  # type: ignore[arg-type]
        (note,) = shop.health()["notes"]
        assert "words only" in note
        assert shop.search("红色连衣裙", record=False).degraded == ()
    with Shop.open(tmp_path / "en") as shop:
        assert shop.health()["notes"] == []
    reads = Settings(shop={"language": "zh"}, encoder={"languages": ["en", "zh"]})  # type: ignore[arg-type]
    with Shop.open(tmp_path / "both", settings=reads) as shop:
        assert shop.health()["notes"] == []
