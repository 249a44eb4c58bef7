"""A tuned encoder finds what judgements say, serves as ONNX, and never saw the queries it was not given."""

from dataclasses import replace

import numpy as np
import pytest

from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.learn.bi_encoder import CARD_FILE, BiRecipe, fit_bi_encoder
from aisle.represent.export import export_encoder
from aisle.testing.encoder import TextEncoderContract

RECIPE = BiRecipe(epochs=30, queries=16, learning_rate=3e-3, held=20)


def export(tuned, out):
    export_encoder(tuned, out, name="tuned", model="tuned", source_hash="0" * 16, card_file=CARD_FILE)


@pytest.fixture(scope="module")
def fitted(shop, source, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return fit_bi_encoder(*shop, source=source, export=export, work=work, recipe=RECIPE)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    place = tmp_path_factory.mktemp("version")
    for name, file in fitted.files.items():
        (place / name).write_bytes(file.read_bytes())
    return place


def found(encoder, shop):
    """How often a query's own product is the nearest of all."""
    judgements, texts, _ = shop
    nearest = (encoder.encode(judgements.queries) @ encoder.encode(texts).T).argmax(1)
    return float((nearest == np.arange(len(nearest))).mean())


class TestTuned(TextEncoderContract):
    @pytest.fixture
    def encoder(self, folder):
        return OnnxTextEncoder(folder, card=CARD_FILE, threads=1)


def test_it_learns_what_shoppers_call_things(fitted, folder, shop, source, tmp_path):
    export(source, tmp_path)
    before = found(OnnxTextEncoder(tmp_path, card=CARD_FILE, threads=1), shop)
    after = found(OnnxTextEncoder(folder, card=CARD_FILE, threads=1), shop)
    assert after > before + 0.4
    assert fitted.metrics["ndcg@10_after"] > fitted.metrics["ndcg@10_before"]


def test_what_it_may_not_see_does_not_change_it(shop, source, tmp_path):
    judgements, texts, candidates = shop
    among = np.arange(len(judgements.queries)) % 4 != 0
    hidden = ~among[judgements.query]
    other = replace(judgements, gain=np.where(hidden, 1 - judgements.gain, judgements.gain))
    few = replace(RECIPE, epochs=2)
    one, two = (
        fit_bi_encoder(known, texts, candidates, source=source, export=export, work=tmp_path / name, among=among,
                       recipe=few)
        for name, known in (("one", judgements), ("two", other))
    )  # fmt: skip
    np.testing.assert_array_equal(one.arrays["probe"], two.arrays["probe"])


def test_too_few_queries_teach_nothing(shop, source, tmp_path):
    judgements, texts, candidates = shop
    among = np.arange(len(judgements.queries)) < 20
    assert (
        fit_bi_encoder(judgements, texts, candidates, source=source, export=export, work=tmp_path, among=among) is None
    )
