"""An encoder adapted to labels by any method: it learns, serves as ONNX, and says what cannot be learned."""

import numpy as np
import orjson
import pytest

from aisle.adapters.onnx.text_classifier import OnnxTextClassifier
from aisle.errors import InvalidRequest, ModelDamaged
from aisle.learn.adapt import exporting
from aisle.learn.adapt.exporting import export_classifier, write_model
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.recipe import METHODS, Recipe
from aisle.learn.adapt.tasks import Classification, batched, label_metrics
from aisle.learn.adapt.tune import tune
from aisle.testing.classifier import TextClassifierContract


def adapted(labelled, source, run, method="full", **changed):
    recipe = Recipe.of(method, **{"epochs": 8, "batch": 16, "held": 0.2, "patience": 50, **changed})
    task = Classification(labelled, source, recipe)
    return task, tune(task, source, method, recipe, run=run)


@pytest.fixture(scope="module")
def full(labelled, source, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    task, found = adapted(labelled, source, run, learning_rate=3e-3, epochs=15)
    return task, found, run


@pytest.fixture(scope="module")
def folder(full, source, tmp_path_factory):
    task, found, _ = full
    work = tmp_path_factory.mktemp("made")
    fitted = export_classifier(found, task, source, work / "exported")
    write_model(fitted, work / "classifier")
    return work / "classifier"


class TestTuned(TextClassifierContract):
    @pytest.fixture
    def classifier(self, folder):
        return OnnxTextClassifier(folder, threads=1)


@pytest.fixture(scope="module")
def light(full, source, tmp_path_factory):
    """The same with weights of eight bits, which a model so small would not get."""
    task, found, _ = full
    work = tmp_path_factory.mktemp("light")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_HEAVY", 0)
        fitted = export_classifier(found, task, source, work / "exported")
    write_model(fitted, work / "classifier")
    return work / "classifier", fitted


class TestInEightBits(TextClassifierContract):
    @pytest.fixture
    def classifier(self, light):
        return OnnxTextClassifier(light[0], threads=1)


def test_eight_bits_serve_where_answers_stay_and_what_serves_is_what_was_measured(full, folder, light):
    _, found, _ = full
    place, fitted = light
    assert fitted.params["bits"] == 8
    assert (place / "model.onnx").stat().st_size < (folder / "model.onnx").stat().st_size
    held = found.held.data
    texts, whole, small = held.texts, OnnxTextClassifier(folder, threads=1), OnnxTextClassifier(place, threads=1)
    chances = small.classify(texts)
    assert (chances.argmax(1) == whole.classify(texts).argmax(1)).mean() >= 0.99
    assert not np.array_equal(chances, whole.classify(texts))
    right = float((chances.argmax(1) == held.labels).mean())
    assert fitted.metrics["accuracy_after"] == pytest.approx(right)
    loss = -float(np.log(chances[np.arange(len(chances)), held.labels]).mean())
    assert fitted.metrics["loss_after"] == pytest.approx(loss, abs=1e-4)
    assert fitted.metrics["loss_after"] != found.after["loss"]


def test_weights_keep_their_bits_where_answers_would_change(full, source, tmp_path, monkeypatch):
    task, found, _ = full
    monkeypatch.setattr(exporting, "_HEAVY", 0)
    monkeypatch.setattr(exporting, "_LEAST_SAME", 1.01)
    fitted = export_classifier(found, task, source, tmp_path / "out")
    assert fitted.params["bits"] == 32
    monkeypatch.setattr(exporting, "_LEAST_SAME", 0.0)
    monkeypatch.setattr(exporting, "_FEWEST", 10_000)  # too few texts to know
    assert export_classifier(found, task, source, tmp_path / "out").params["bits"] == 32
    assert fitted.metrics["loss_after"] == pytest.approx(found.after["loss"], abs=1e-4)
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"model.onnx", "tokenizer.json", "classifier.json"}


def test_what_is_tuned_beats_the_frozen_encoder_on_texts_it_never_saw(full, folder, unseen, source, tmp_path):
    task, found, _ = full
    _, frozen = adapted(task.data, source, tmp_path, "head")
    before = label_metrics(task.logits(frozen.network, task.read(unseen.texts)).argmax(1), unseen.labels, 3)
    classifier = OnnxTextClassifier(folder, threads=1)
    assert classifier.names == ("home", "tools", "wear")
    after = label_metrics(classifier.classify(unseen.texts).argmax(1), unseen.labels, 3)
    assert after["accuracy"] > 0.95
    assert after["accuracy"] > before["accuracy"] + 0.05
    assert found.after["accuracy"] >= found.before["accuracy"]


def test_the_files_hold_no_pickle_and_tell_of_themselves(folder):
    assert {f.name for f in folder.iterdir()} == {
        "model.onnx", "tokenizer.json", "classifier.json", "arrays.safetensors", "card.json",
    }  # fmt: skip
    card = orjson.loads((folder / "card.json").read_bytes())
    assert card["params"]["method"] == "full"
    assert card["metrics"]["parity"] < 1e-3


def test_a_changed_file_is_refused(folder, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes()[:-100])
    with pytest.raises(ModelDamaged, match=r"model\.onnx: truncated or altered"):
        OnnxTextClassifier(copy, threads=1)


def test_curves_are_kept_as_lines_and_for_tensorboard(full):
    _, _, run = full
    points = [orjson.loads(line) for line in (run / "curves.jsonl").read_bytes().splitlines()]
    assert {"train/loss", "train/rate", "held/accuracy", "held/macro_f1"} <= {p["name"] for p in points}
    held = [p for p in points if p["name"] == "held/accuracy"]
    assert [p["step"] for p in held] == sorted(p["step"] for p in held)
    assert len(held) == 16  # before, and after each epoch
    assert list((run / "tensorboard").glob("events.*"))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_its_own_weights_only_and_exports(method, few, source, tmp_path):
    import torch

    from aisle.models.text import read_transformer

    changed = {"rank": 4, "virtual": 4, "learning_rate": 1e-2, "max_tokens": 32}
    task, found = adapted(few, source, tmp_path / "run", method, epochs=2, held=0.0, **changed)
    assert 0 < found.share < {"full": 1.0, "top": 0.5, "head": 0.01}.get(method, 0.2)
    original = dict(read_transformer(source).named_parameters())
    now = {name.replace("base_model.model.", "").replace("base_layer.", ""): p
           for name, p in found.network.body.named_parameters()}  # fmt: skip
    moved = {name for name in original if name in now and not torch.equal(original[name], now[name])}
    if method == "full":
        assert any("encoder" in name for name in moved)
        assert not any("word_embeddings" in name for name in moved)
    elif method == "top":
        assert moved
        assert all("layer.1." in name for name in moved)
    else:
        assert moved == set()
    fitted = export_classifier(found, task, source, tmp_path / "out")
    chances = OnnxTextClassifier(tmp_path / "out", threads=1).classify(task.data.texts)
    with torch.no_grad():  # in full precision, as the exported graph counts
        wanted = found.network(*batched(task.tokens, found.network)).softmax(1).numpy()
    np.testing.assert_allclose(chances, wanted, atol=1e-4)
    assert fitted.metrics["trained_share"] == found.share


def test_a_text_longer_than_the_model_is_read_from_its_beginning(few, source, tmp_path):
    task, found = adapted(few, source, tmp_path / "run", epochs=0.1, max_tokens=500)
    assert task.max_tokens == 64
    assert task.logits(found.network, task.read(["red sofa " * 200])).shape == (1, 3)


def test_no_places_for_virtual_tokens_is_told(few, source, tmp_path):
    with pytest.raises(InvalidRequest, match="no places for 20 virtual tokens"):
        adapted(few, source, tmp_path, "prompt")


def test_one_class_is_told(source):
    data = Labelled.of(["red sofa", "blue sofa"], ["home", "home"])
    with pytest.raises(InvalidRequest, match="one class only"):
        Classification(data, source, Recipe())


def test_three_examples_are_learned_from_without_measuring(source, tmp_path, caplog):
    data = Labelled.of(["red sofa", "blue drill", "a cap"], ["home", "tools", "wear"])
    task, found = adapted(data, source, tmp_path)
    assert "too few to hold a part of them out" in caplog.text
    assert found.after == {}
    assert task.logits(found.network).argmax(1).tolist() == data.labels.tolist()


def test_rare_classes_count_more_where_the_recipe_says_so(source):
    data = Labelled.of(["red sofa"] * 90 + ["blue drill"] * 10, ["home"] * 90 + ["tools"] * 10)
    task = Classification(data, source, Recipe())
    np.testing.assert_allclose(task.class_weights(0.0), [1, 1])
    np.testing.assert_allclose(task.class_weights(1.0), [100 / 180, 5.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"epochs": 0}, "epochs"), ({"held": 0.9}, "held"), ({"dropout": 1.0}, "dropout"), ({"schedule": "x"}, "schedule"),
     ({"learning_rate": -1.0}, "learning_rate"), ({"optimizer": "adam"}, "optimizer")],
)  # fmt: skip
def test_a_recipe_nobody_can_follow_is_refused(changed, word):
    with pytest.raises(InvalidRequest, match=word):
        Recipe.of("full", **changed)


def test_metrics_are_what_they_say():
    predicted, labels = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0], np.int32)
    found = label_metrics(predicted, labels, 4)
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["macro_f1"] == pytest.approx((0.5 + 0.8 + 0.0) / 3)  # the fourth class never comes up
