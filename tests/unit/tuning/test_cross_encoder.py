"""The cross-encoder learns an order from judgements and serves it without torch."""

import subprocess
import sys

import numpy as np
import pytest

from aisle.adapters.onnx.cross_encoder import OnnxCrossEncoder
from aisle.errors import ModelDamaged
from aisle.learn.cross_encoder import CrossRecipe, fit_cross_encoder
from aisle.testing.reranker import RerankerContract

RECIPE = CrossRecipe(layers=2, epochs=60, queries=16, judged=2, negatives=6, learning_rate=3e-3, held=20)


@pytest.fixture(scope="module")
def fitted(shop, source, tmp_path_factory):
    return fit_cross_encoder(*shop, source=source, work=tmp_path_factory.mktemp("work"), recipe=RECIPE)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    place = tmp_path_factory.mktemp("version")
    for name, file in fitted.files.items():
        (place / name).write_bytes(file.read_bytes())
    return place


class TestFitted(RerankerContract):
    tolerance = 0.1  # eight-bit arithmetic scales by the largest number of a batch

    @pytest.fixture
    def reranker(self, folder):
        return OnnxCrossEncoder(folder, threads=1)


def test_it_puts_the_judged_before_the_others(fitted, folder, shop):
    judgements, texts, candidates = shop
    reranker = OnnxCrossEncoder(folder, threads=1)
    first = 0
    for query, text in enumerate(judgements.queries):
        ords = np.unique([query, *candidates[query]])
        first += ords[reranker.score(text, [texts[o] for o in ords]).argmax()] == query
    assert first / len(judgements.queries) > 0.5
    assert fitted.metrics["agreement"] > 0.98
    assert fitted.metrics["ndcg@10"] > 0.6


def test_it_serves_without_torch(folder):
    code = (
        "import sys; from pathlib import Path; from aisle.adapters.onnx.cross_encoder import OnnxCrossEncoder\n"
        "OnnxCrossEncoder(Path(sys.argv[1])).score('red rug', ['red carpet'])\n"
        "print({'torch', 'transformers'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("file", ["reading.json", "model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_told(folder, tmp_path, file):
    for one in folder.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    (tmp_path / file).write_bytes(b"{")
    with pytest.raises(ModelDamaged):
        OnnxCrossEncoder(tmp_path)
