"""A handful of examples of each label tune the encoder, and it is better at new texts than it was."""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from aisle.errors import InvalidRequest, ModelDamaged, TrainingFailed
from aisle.learn.adapt import few_shot
from aisle.learn.adapt.few_shot import fit_few_shot, fit_with_unlabelled, read_few_shot
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.recipe import FewRecipe
from aisle.testing.small_encoder import make_small_encoder

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "few_shot.py"
NOISE = ("my", "the", "your", "please", "today", "again", "order", "now", "hello", "shop", "thing", "still")
KEYS = {
    "refund": ("refund", "money", "back", "return"),
    "delivery": ("delivery", "late", "parcel", "arrive"),
    "account": ("account", "login", "password", "name"),
    "invoice": ("invoice", "bill", "tax", "receipt"),
}
WORDS = [*NOISE, *(word for key in KEYS.values() for word in key)]
RECIPE = FewRecipe(epochs=30, batch=12, learning_rate=3e-3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder of a random encoder in Hugging Face's format."""
    return make_small_encoder(tmp_path_factory.mktemp("source"), WORDS, letters=False)


def texts_of(n, seed):
    """Each text has one word that says what it is about, among four that do not."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(n):
        label = list(KEYS)[number % len(KEYS)]
        words = [*rng.choice(NOISE, 4), rng.choice(KEYS[label])]
        texts.append(" ".join(rng.permutation(words)))
        labels.append(label)
    return Labelled.of(texts, labels)


def right(model, asked):
    return float((model.predict(asked.texts) == asked.labels).mean())


@pytest.fixture(scope="module")
def train():
    return texts_of(64, 0)


@pytest.fixture(scope="module")
def fitted(source, train):
    return fit_few_shot(train, source=source, recipe=RECIPE)


def test_tuned_on_sixteen_examples_a_label_it_is_better_at_new_texts(fitted, source, train):
    asked = texts_of(400, 1)
    frozen = fit_few_shot(train, source=source, recipe=RECIPE, tune=False)
    assert right(fitted, asked) > right(frozen, asked) + 0.05
    assert_allclose(fitted.chances(asked.texts).sum(1), 1.0, atol=1e-5)


def test_it_comes_back_as_it_was(fitted, source, tmp_path):
    asked = texts_of(40, 1)
    fitted.write(tmp_path / "kept")
    again = read_few_shot(tmp_path / "kept")
    assert again.names == fitted.names
    assert_allclose(again.chances(asked.texts), fitted.chances(asked.texts), atol=1e-5)
    (tmp_path / "kept" / "head.safetensors").write_bytes(b"half")
    with pytest.raises(ModelDamaged, match="fit it again"):
        read_few_shot(tmp_path / "kept")


def test_a_frozen_one_comes_back_too(source, train, tmp_path):
    frozen = fit_few_shot(train, source=source, tune=False)
    frozen.write(tmp_path)
    again = read_few_shot(tmp_path)
    assert again.predict(train.texts).tolist() == frozen.predict(train.texts).tolist()


def test_after_a_kill_it_goes_on_to_the_same_model(source, train, tmp_path, monkeypatch):
    brief = FewRecipe(epochs=3, batch=8, learning_rate=2e-3)
    whole = fit_few_shot(train, source=source, recipe=brief)
    monkeypatch.setattr(few_shot, "SAVE_EVERY_S", -1.0)

    def killed(_stage, done, _of):
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_few_shot(train, source=source, recipe=brief, work=tmp_path, progress=killed)
    steps = []

    def tell(stage, done, _of):
        if stage == "tuning the encoder on examples":
            steps.append(done)

    resumed = fit_few_shot(train, source=source, recipe=brief, work=tmp_path, progress=tell)
    assert steps[0] == 10  # the step whose end was not saved
    assert steps[-1] == resumed.steps == 24  # three epochs of 64 examples, eight at a time
    assert_allclose(resumed.chances(train.texts), whole.chances(train.texts), atol=1e-4)


def test_weights_that_are_kept_keep_the_encoder_as_it_was(source, train):
    brief = {"epochs": 2, "batch": 8, "learning_rate": 2e-3}
    as_it_was = fit_few_shot(train, source=source, tune=False).encoder.encode(train.texts)
    cosines = []
    for kept in (0.0, 0.5, 1.0):
        tuned = fit_few_shot(train, source=source, recipe=FewRecipe(kept=kept, **brief)).encoder.encode(train.texts)
        cosines.append(float((tuned * as_it_was).sum(1).mean()))
    assert cosines[0] < cosines[1] < cosines[2]
    assert cosines[2] == pytest.approx(1.0, abs=1e-5)


def test_names_count_as_examples(source):
    texts = texts_of(8, 3)
    named, unnamed = (
        fit_few_shot(texts, source=source, recipe=FewRecipe(names=names), tune=False) for names in (True, False)
    )
    own = np.arange(len(named.names))
    assert (named.chances(named.names)[own, own] > unnamed.chances(named.names)[own, own]).all()


def test_a_rate_that_is_too_high_is_said(source, train):
    with pytest.raises(TrainingFailed, match="lower the learning rate"):
        fit_few_shot(train, source=source, recipe=FewRecipe(learning_rate=1e30, batch=8))


def test_one_label_is_nothing_to_tell_apart(source):
    with pytest.raises(InvalidRequest, match="two labels"):
        fit_few_shot(Labelled.of(["a", "b"], ["x", "x"]), source=source)


@pytest.fixture
def benchmark_says(monkeypatch, capsys):
    """Run benchmarks/few_shot.py with these arguments; the JSON of its last line."""
    spec = importlib.util.spec_from_file_location("few_shot_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)

    def says(*arguments):
        monkeypatch.setattr(sys, "argv", ["few_shot.py", *(str(a) for a in arguments)])
        module.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return says


@pytest.fixture
def files(tmp_path):
    for name, texts in (("train", texts_of(80, 0)), ("test", texts_of(30, 1))):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "category"])
            rows.writerows((text, texts.names[label]) for text, label in zip(texts.texts, texts.labels, strict=True))
    return ["--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv"]


@pytest.mark.parametrize("method", ["frozen", "frozen_named", "setfit", "nearest_name", "names", "self_training"])
def test_the_benchmark_writes_a_prediction_for_each_test_text_in_order(method, source, files, benchmark_says, tmp_path):
    figures = benchmark_says(
        *files,
        "--encoder",
        source,
        "--shots",
        5,
        "--draws",
        2,
        "--method",
        method,
        "--out",
        tmp_path / "out.csv",
        "--recipe",
        '{"epochs": 1, "batch": 8}',
    )
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    assert [row["text"] for row in rows] == list(texts_of(30, 1).texts)
    right_ones = np.mean([row["label"] == row["prediction"] for row in rows])
    assert figures["each"][0] == pytest.approx(right_ones, abs=1e-3)
    assert figures["accuracy"] == pytest.approx(np.mean(figures["each"]), abs=1e-3)


def test_the_benchmark_asks_for_labels_until_there_are_enough(source, files, benchmark_says):
    curve = benchmark_says(*files, "--encoder", source, "--active", "--batch", 8, "--labels", 24, "--draws", 2)
    assert curve["labels"] == [8, 16, 24]
    assert curve["worth"][0] == curve["random"][0]  # both begin with the same labels
    assert len(curve["worth"]) == len(curve["random"]) == 3


def test_texts_without_labels_teach_too(source, tmp_path):
    # An encoder that knows something already, as a pretrained one does: a random one only learns its own mistakes.
    fit_few_shot(texts_of(100, 9), source=source, recipe=RECIPE).encoder.write(tmp_path)
    few, asked, unlabelled = texts_of(16, 5), texts_of(300, 1), texts_of(200, 6).texts
    gently = FewRecipe(epochs=10, batch=12, learning_rate=1e-3)
    alone = fit_few_shot(few, source=tmp_path, recipe=gently)
    taught = fit_with_unlabelled(few, unlabelled, source=tmp_path, recipe=gently)
    assert right(taught, asked) > right(alone, asked) + 0.02
    assert taught.names == few.names
    assert taught.steps > alone.steps


def test_fewer_examples_than_a_batch_are_seen_as_often(source):
    few = texts_of(8, 5)
    assert len(few) == 8
    assert fit_few_shot(few, source=source, recipe=FewRecipe(epochs=5)).steps == 5


def test_with_fewer_texts_than_examples_the_examples_decide(source):
    few = texts_of(4, 5)
    brief = FewRecipe(epochs=1, batch=8, learning_rate=2e-3)
    alone = fit_few_shot(few, source=source, recipe=brief)
    taught = fit_with_unlabelled(few, [*few.texts, " ", "login password"], source=source, recipe=brief)
    assert_allclose(taught.chances(few.texts), alone.chances(few.texts), atol=1e-5)
