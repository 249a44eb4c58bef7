"""An encoder reads the catalogue without labels, and is tuned further from there."""

import pytest

from aisle.errors import InvalidRequest, ModelError
from aisle.learn.adapt.pretraining import MaskedWords, Twins, write_encoder
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import Classification
from aisle.learn.adapt.tune import tune

QUICK = {"epochs": 6, "batch": 16, "held": 0.2, "learning_rate": 3e-3, "rank": 4, "patience": 50}


@pytest.mark.parametrize("method", ["full", "lora"])
def test_hidden_words_become_likelier_and_the_encoder_is_tuned_further(method, labelled, few, source, tmp_path):
    recipe = Recipe.of(method, **QUICK)
    found = tune(MaskedWords(labelled.texts, source, recipe), source, method, recipe, run=tmp_path / "run")
    assert found.after["perplexity"] < 0.9 * found.before["perplexity"]
    write_encoder(found, source, tmp_path / "encoder")
    assert (tmp_path / "encoder" / "sentence_bert_config.json").exists()
    small = Recipe.of("head", held=0.2)
    task = Classification(few, tmp_path / "encoder", small)
    assert tune(task, tmp_path / "encoder", "head", small, run=tmp_path / "next").after["accuracy"] > 0.3


def test_twins_spread_texts_evenly(labelled, source, tmp_path):
    recipe = Recipe.of("full", **QUICK)
    found = tune(Twins(labelled.texts, source, recipe), source, "full", recipe, run=tmp_path)
    assert found.after["uniformity"] > found.before["uniformity"] + 0.2


def test_what_cannot_be_read_is_told(labelled, source, tmp_path):
    with pytest.raises(InvalidRequest, match="dropout"):
        Twins(labelled.texts, source, Recipe(dropout=0.0))
    with pytest.raises(InvalidRequest, match="fewer than two"):
        MaskedWords(["red sofa", "red sofa", " "], source, Recipe())
    recipe = Recipe.of("prompt", **{**QUICK, "epochs": 0.2, "virtual": 4, "max_tokens": 32})
    found = tune(Twins(labelled.texts, source, recipe), source, "prompt", recipe, run=tmp_path / "run")
    with pytest.raises(ModelError, match="leaves no encoder"):
        write_encoder(found, source, tmp_path / "encoder")
