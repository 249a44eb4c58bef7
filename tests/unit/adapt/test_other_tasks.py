"""Pairs, tags and answers are learned by the same loop."""

import numpy as np
import pytest

from aisle.errors import InvalidRequest
from aisle.learn.adapt.generation import Generation, Written, write_language_model
from aisle.learn.adapt.pairs import Clicks, Graded, Pairs, area
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tagging import Tagged, Tagging
from aisle.learn.adapt.tune import tune
from aisle.testing.small_encoder import save_small_tokenizer

from .conftest import COLOURS, THINGS, WORDS

NOUNS = [word for kind in THINGS.values() for word in kind]


@pytest.fixture(scope="module")
def pairs():
    """Whoever asks, wants what one wears."""
    rng = np.random.default_rng(3)
    queries, texts, grades = [], [], []
    for query in range(60):
        for _ in range(6):
            kind = str(rng.choice(list(THINGS)))
            queries.append(f"{rng.choice(COLOURS)} wanted {query}")
            texts.append(f"{rng.choice(COLOURS)} {rng.choice(THINGS[kind])}")
            grades.append(float(kind == "wear"))
        queries[-6:] = [queries[-6]] * 6
    return Pairs(tuple(queries), tuple(texts), np.array(grades, np.float32))


def test_clicks_are_told_apart(pairs, source, tmp_path):
    recipe = Recipe.of("full", epochs=10, held=0.2, learning_rate=3e-3, head_rate=2.0, patience=50, smoothing=0.0)
    task = Clicks(pairs, source, recipe)
    found = tune(task, source, "full", recipe, run=tmp_path)
    assert found.after["auc"] > max(0.75, found.before["auc"] + 0.1)
    learned, held = ({part.data.queries[row] for row in part.rows} for part in (found.task, found.held))
    assert not learned & held


@pytest.mark.parametrize("ranking", ["mse", "pairwise", "listwise"])
def test_products_are_put_in_order(ranking, pairs, source, tmp_path):
    recipe = Recipe.of("full", epochs=8, batch=4, held=0.4, learning_rate=3e-3, head_rate=2.0, patience=50)
    task = Graded(pairs, source, recipe, ranking=ranking)
    found = tune(task, source, "full", recipe, run=tmp_path)
    assert len(task) == 60
    assert found.after["ndcg@10"] > found.before["ndcg@10"] + 0.1


def test_the_losses_are_the_papers(pairs, source):
    import torch

    scores, grades = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([0.0, 1.0, 0.0])
    losses = {r: float(Graded(pairs, source, Recipe(), ranking=r)._of_query(scores, grades))
              for r in ("mse", "pairwise", "listwise")}  # fmt: skip
    assert losses["mse"] == pytest.approx((1 + 1 + 1) / 3)
    assert losses["pairwise"] == pytest.approx((np.log1p(np.e) + np.log1p(1 / np.e)) / 2)
    assert losses["listwise"] == pytest.approx(np.log(np.e + 1 + 1 / np.e))


def test_area_counts_ties_half():
    assert area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])) == pytest.approx(0.75)
    assert area(np.zeros(6), np.arange(6) < 2) == pytest.approx(0.5)


def test_grades_must_tell_something(source):
    with pytest.raises(InvalidRequest, match="nothing tells products apart"):
        Clicks(Pairs(("a", "b"), ("c", "d"), np.ones(2, np.float32)), source, Recipe())
    with pytest.raises(InvalidRequest, match="no query has two products of different grades"):
        Graded(Pairs(("a", "b"), ("c", "d"), np.array([0, 1], np.float32)), source, Recipe())
    with pytest.raises(InvalidRequest, match="from 0 to 1"):
        Pairs(("a", "b"), ("c", "d"), np.array([0, 4], np.float32))


def test_words_get_their_tags(source, tmp_path):
    rng = np.random.default_rng(0)
    rows = [[str(rng.choice(COLOURS)), "please", str(rng.choice(NOUNS)), "a"] for _ in range(300)]
    tag = dict.fromkeys(COLOURS, "colour") | dict.fromkeys(NOUNS, "thing")
    words = tuple(tuple(rng.permutation(row).tolist()) for row in rows)
    data = Tagged(words, tuple(tuple(tag.get(w, "O") for w in row) for row in words))
    recipe = Recipe.of("full", epochs=12, batch=8, held=0.2, learning_rate=3e-3, head_rate=3.0, dropout=0.0)
    task = Tagging(data, source, recipe)
    found = tune(task, source, "full", recipe, run=tmp_path)
    assert found.after["f1"] > 0.9
    assert task.tags(found.network, [["pink", "unseenword", "cup"]])[0][::2] == ["colour", "thing"]
    long = [*["please"] * 100, "pink"]
    assert len(task.tags(found.network, [long])[0]) == 101


def test_tags_must_fit_their_words():
    with pytest.raises(InvalidRequest, match="row 1: 2 words, but 1 tags"):
        Tagged((("a",), ("b", "c")), (("O",), ("O",)))


@pytest.fixture(scope="module")
def written():
    rng = np.random.default_rng(0)
    drawn = [(str(rng.choice(COLOURS)), str(rng.choice(NOUNS))) for _ in range(120)]
    return Written(tuple(f"{c} {w}" for c, w in drawn), tuple(f"a {w} {c} please" for c, w in drawn))


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    """Folders of a causal and of a sequence-to-sequence model, both random."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("causal", "seq2seq")}
    n = max(save_small_tokenizer(folder, WORDS) for folder in folders.values())
    torch.manual_seed(0)
    causal = GPT2LMHeadModel(GPT2Config(vocab_size=n, n_positions=64, n_embd=32, n_layer=2, n_head=2, eos_token_id=3,
                                        bos_token_id=2, initializer_range=0.2))  # fmt: skip
    sequence = T5ForConditionalGeneration(
        T5Config(vocab_size=n, d_model=32, d_ff=64, d_kv=16, num_layers=2, num_heads=2, eos_token_id=3, pad_token_id=0,
                 decoder_start_token_id=0, initializer_factor=1.0)
    )  # fmt: skip
    causal.save_pretrained(folders["causal"])
    sequence.save_pretrained(folders["seq2seq"])
    return folders


@pytest.mark.parametrize("method", ["full", "lora", "prompt", "prefix", "top"])
@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_answers_become_likelier(kind, method, written, language, tmp_path):
    changed = {"learning_rate": 1e-2, "rank": 8, "virtual": 4, "smoothing": 0.0}
    recipe = Recipe.of(method, epochs=4, batch=16, held=0.2, max_tokens=24, patience=50, **changed)
    task = Generation(written, language[kind], recipe, kind=kind)
    found = tune(task, language[kind], method, recipe, run=tmp_path / "run")
    assert found.after["perplexity"] < 0.95 * found.before["perplexity"]
    write_language_model(found, language[kind], tmp_path / "model")
    names = {f.name for f in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "adapter_model.safetensors"} & names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


def test_a_merged_language_model_is_read_again(written, language, tmp_path):
    source = language["causal"]
    recipe = Recipe.of("lora", epochs=3, batch=16, held=0.2, max_tokens=24, learning_rate=1e-2, rank=8)
    task = Generation(written, source, recipe)
    found = tune(task, source, "lora", recipe, run=tmp_path / "run")
    write_language_model(found, source, tmp_path / "model")
    again = Generation(written, tmp_path / "model", recipe)
    one, other = task.metrics(found.network), again.metrics(again.network(tmp_path / "model", recipe))
    assert one["likelihood"] == pytest.approx(other["likelihood"], abs=0.02)


def test_a_prompt_needs_room_for_its_answer(language):
    data = Written(("red " * 40, "blue cup"), ("a", "a"))
    with pytest.raises(InvalidRequest, match="row 0: its prompt has 24 tokens of 24"):
        Generation(data, language["causal"], Recipe(max_tokens=24))
