"""An encoder is given words that it did not know, and learns what they mean."""

import json
import shutil
from pathlib import Path

import pytest

from aisle.errors import InvalidRequest, ModelError
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.pretraining import MaskedWords, write_encoder
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import Classification
from aisle.learn.adapt.tune import tune
from aisle.learn.adapt.vocabulary import add_words, unknown_words
from aisle.learn.tuning import Tokens

GOOD, BAD, THINGS = "好棒美香", "差坏慢破", "书鞋灯杯"
TEXTS = [f"{one}和{other}很{said}" for one in THINGS for other in THINGS for said in GOOD + BAD]
LABELS = ["good" if text[-1] in GOOD else "bad" for text in TEXTS]


def test_what_is_unknown_is_found_and_most_frequent_first(source):
    found = unknown_words(source, [*TEXTS, "red 书"], least=9)
    assert set(found[:2]) == {"很", "和"}
    assert set(found) == {*GOOD, *BAD, *THINGS, "很", "和"}
    assert unknown_words(source, TEXTS, least=9, most=2) == found[:2]
    assert unknown_words(source, ["red sofa"] * 9, least=1) == []


def test_words_that_were_added_are_read_apart_and_learned(source, tmp_path):
    words = unknown_words(source, TEXTS, least=9)
    source = Path(shutil.copytree(source, tmp_path / "source"))
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    n_before = len(json.loads((source / "tokenizer.json").read_text())["model"]["vocab"])
    assert add_words(source, words, tmp_path / "more") == n_before + len(words)
    assert (tmp_path / "more" / "1_Pooling" / "config.json").exists()
    ids = Tokens(tmp_path / "more" / "tokenizer.json", 48).of(["书很好", "书很差", "red"])
    assert ids[0].tolist() != ids[1].tolist()
    assert ids[2].tolist() == Tokens(source / "tokenizer.json", 48).of(["red"])[0].tolist()

    recipe = Recipe.of("full", epochs=3, batch=16, learning_rate=1e-3, held=0.2, words=True)
    read = tune(MaskedWords(TEXTS, tmp_path / "more", recipe), tmp_path / "more", "full", recipe, run=tmp_path / "read")
    assert read.after["perplexity"] < 0.5 * read.before["perplexity"]
    write_encoder(read, tmp_path / "more", tmp_path / "reads")
    few = Recipe.of("full", epochs=20, batch=16, learning_rate=1e-3, held=0.2, patience=20, words=True)
    data = Labelled.of(TEXTS, LABELS)
    told = tune(Classification(data, tmp_path / "reads", few), tmp_path / "reads", "full", few, run=tmp_path / "told")
    blind = tune(Classification(data, source, few), source, "full", few, run=tmp_path / "blind")
    assert told.after["accuracy"] > 0.7
    assert blind.after["accuracy"] < 0.6  # every word that says it is the same to it


def test_what_cannot_be_added_is_told(source, tmp_path):
    with pytest.raises(InvalidRequest, match="knows all"):
        add_words(source, ["red"], tmp_path / "none")
    add_words(source, ["好"], tmp_path / "one")
    recipe = Recipe.of("lora", words=True, held=0.0)
    with pytest.raises(InvalidRequest, match="full only"):
        tune(Classification(Labelled.of(TEXTS, LABELS), source, recipe), source, "lora", recipe, run=tmp_path / "run")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="no tokenizer"):
        unknown_words(tmp_path / "odd", ["好"])
