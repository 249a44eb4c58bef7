"""`aisle tune`: from a file of labels to a version that serves."""

import dataclasses
import shutil
from functools import partial

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from aisle import Settings, Shop
from aisle.cli import app
from aisle.errors import InvalidRequest, NotFound, StorageError
from aisle.learn.adapt import few_shot
from aisle.learn.adapt import tune as tuning
from aisle.learn.adapt.label_names import fit_names
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.sentences import Sentences
from aisle.learn.checkpoints import Checkpoints
from aisle.training.tune import Wanted

from .conftest import QUICK_FULL, THINGS, Killed, texts_of


def test_a_version_serves_and_answers(shop, labels_file, tmp_path):
    with pytest.raises(NotFound, match="aisle tune"):
        shop.classify(["red sofa"])
    texts, labels = texts_of(100, 2)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "test.csv")
    wanted = Wanted(
        "intent", labels_file, "full", test=tmp_path / "test.csv", out=tmp_path / "made", changed=QUICK_FULL
    )
    version = shop.tune(wanted)
    assert version.active
    assert version.metrics["accuracy_after"] >= version.metrics["accuracy_before"]
    assert version.metrics["accuracy_test"] > 0.9
    assert shop.models()[0].name == "intent"
    (answer,) = shop.classify(["gold drill"])
    assert max(answer, key=answer.__getitem__) == "tools"
    assert (shop.path / "models" / "intent" / version.version / "curves.jsonl").stat().st_size > 0
    assert list((shop.path / "models" / ".runs" / "intent-full" / "tensorboard").iterdir())
    assert not list((shop.path / "models" / ".runs" / "intent-full").glob("exported-*"))
    assert (tmp_path / "made" / "model.onnx").exists()

    worse = shop.tune(Wanted("intent", labels_file, "head", changed={"held": 0.2}))
    assert not worse.active
    assert "which serves, has accuracy" in worse.note
    assert shop.classify(["gold drill"]) == [answer]


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"task": "bi_encoder"}, "task"), ({"task": "../x"}, "task"), ({"method": "magic"}, "method"),
     ({"trials": -1}, "trials"), ({"label": "nothing"}, "data")],
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_is_read(shop, labels_file, changed, field):
    with pytest.raises(InvalidRequest) as raised:
        shop.tune(Wanted(**{"task": "intent", "data": labels_file, **changed}))
    assert raised.value.field == field
    assert not (shop.path / "models" / "intent").exists()


def test_test_rows_with_unknown_labels_or_rows_learned_from_are_told(shop, labels_file, tmp_path, caplog):
    pl.DataFrame({"text": ["red sofa"], "label": ["garden"]}).write_csv(tmp_path / "odd.csv")
    with pytest.raises(InvalidRequest, match="garden"):
        shop.tune(Wanted("intent", labels_file, "head", test=tmp_path / "odd.csv"))
    shutil.copyfile(labels_file, tmp_path / "same.csv")
    shop.tune(Wanted("intent", labels_file, "head", test=tmp_path / "same.csv"))
    assert "400 of the 400 texts in same.csv are also in labels.csv" in caplog.text


def test_the_command_prints_what_was_gained(source, labels_file, tmp_path):
    Shop.open(tmp_path / "shop", create=True, settings=Settings(encoder={"model": ""})).close()
    (tmp_path / "shop" / "aisle.toml").write_text(f'[encoder]\nmodel = "{source}"\n[train]\nthreads = 1\n')
    command = ["tune", str(tmp_path / "shop"), "--task", "kind", "--data", str(labels_file), "--method", "lora",
               "--epochs", "2", "--rank", "4", "--trials", "1", "--seed", "3"]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "accuracy (held out: " in done.output
    assert "trained weights" in done.output
    with Shop.open(tmp_path / "shop") as shop:
        (version,) = [m for m in shop.models() if m.name == "kind"]
        assert version.params["recipe"]["seed"] == 3


def test_a_handful_of_examples_and_texts_without_labels_make_a_version(shop, tmp_path, monkeypatch):
    # A random model has to learn more in its few steps than a pretrained one.
    much = partial(tuning.FewRecipe, learning_rate=3e-3, epochs=30, batch=12, kept=0.0)
    monkeypatch.setattr(tuning, "FewRecipe", much)
    texts, labels = texts_of(90, 3)
    others, _ = texts_of(120, 4)
    asked, right = texts_of(100, 5)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "few.csv")
    pl.DataFrame({"text": others}).write_csv(tmp_path / "more.csv")
    pl.DataFrame({"text": asked, "label": right}).write_csv(tmp_path / "test.csv")
    wanted = Wanted("intent", tmp_path / "few.csv", "few", test=tmp_path / "test.csv", unlabelled=tmp_path / "more.csv")
    version = shop.tune(wanted)
    assert version.active
    assert version.params["unlabelled"] == 120
    assert version.params["recipe"] == dataclasses.asdict(much(max_tokens=64))
    assert version.params["steps"] > 225  # thirty epochs of 90 examples, then those with guesses
    assert version.metrics["accuracy_test"] > 0.5  # a third by chance
    (answer,) = shop.classify(["gold drill"])
    assert sum(answer.values()) == pytest.approx(1.0, abs=1e-4)


def test_what_is_held_out_stays_so_when_texts_are_added():
    texts, labels = texts_of(400, 3)

    def parts(n):
        learned, held = Labelled.of(texts[:n], labels[:n]).split(0.2, 0)
        return set(learned.texts), set(held.texts)

    (learned, held), (_, later) = parts(200), parts(400)
    assert 20 < len(held) < 60
    assert held < later
    assert not learned & later


def test_what_serves_is_measured_on_what_neither_version_learned(shop, tmp_path, caplog):
    def tuned(n, method, test=0, **changed):
        frames = {"few.csv": texts_of(n, 3), "test.csv": texts_of(test, 5)}
        for name, (texts, labels) in frames.items():
            pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / name)
        wanted = Wanted("intent", tmp_path / "few.csv", method, test=tmp_path / "test.csv" if test else None)
        return shop.tune(dataclasses.replace(wanted, changed={"held": 0.2, **changed}))

    first = tuned(200, "full", **{**QUICK_FULL, "held": 0.2})
    assert first.params["held_out"] == [0.2, 0]
    more = tuned(400, "head")  # twice the examples: what the first one learned is not held out now
    assert "which serves, has accuracy" in more.note
    assert not tuned(200, "head", test=100, seed=1).active  # by another seed others are held out: the test decides
    assert tuned(200, "head", seed=1).active
    assert "without --test it gives way" in caplog.text


def test_names_alone_make_a_classifier_that_gives_way_to_examples(shop, source, labels_file, tmp_path):
    pl.DataFrame(
        {"label": list(THINGS), "description": ["sweater robe trousers cap", "sofa lamp rug cup", ""]}
    ).write_csv(tmp_path / "names.csv")
    texts, labels = texts_of(60, 4)
    pl.DataFrame({"text": texts}).write_csv(tmp_path / "more.csv")
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "test.csv")
    wanted = Wanted(
        "intent", tmp_path / "names.csv", "names", unlabelled=tmp_path / "more.csv", test=tmp_path / "test.csv"
    )
    stages = set()
    version = shop.tune(wanted, progress=lambda stage, _done, _of: stages.add(stage))
    assert version.active
    assert {name: version.params[name] for name in ("learned", "unlabelled", "described", "recipe", "steps")} == {
        "learned": 0, "unlabelled": len(set(texts)), "described": 2, "recipe": {}, "steps": 0,
    }  # fmt: skip
    assert stages == {"reading texts without labels"}
    encoder = Sentences.read(source)
    found = fit_names(
        ("home", "tools", "wear"), encoder.encode, unlabelled=encoder.encode(tuple(dict.fromkeys(texts))),
        descriptions={"home": "sofa lamp rug cup", "wear": "sweater robe trousers cap"},
    )  # fmt: skip
    answers = shop.classify(texts[:5])
    told = np.array([[answer[name] for name in found.names] for answer in answers])
    np.testing.assert_allclose(told, found.chances(encoder.encode(texts[:5])), atol=2e-3)

    bad = tmp_path / "bad.csv"
    pl.DataFrame({"text": texts_of(200, 6)[0], "label": sorted(texts_of(200, 6)[1])}).write_csv(bad)
    assert "which serves, has accuracy" in shop.tune(Wanted("intent", bad, "head", changed={"held": 0.3})).note
    assert shop.tune(Wanted("intent", labels_file, "head", changed={"held": 0.2})).active  # it has learned more
    assert "learned from examples" in shop.tune(dataclasses.replace(wanted, test=None)).note
    assert not shop.tune(wanted).active  # the test says so
    pl.DataFrame({"label": [*THINGS, "garden"]}).write_csv(tmp_path / "names.csv")
    assert "learned other labels from examples" in shop.tune(wanted).note


def test_a_text_or_two_do_not_move_names(shop, tmp_path):
    pl.DataFrame({"label": list(THINGS)}).write_csv(tmp_path / "names.csv")
    pl.DataFrame({"said": ["wear"]}).write_csv(tmp_path / "more.csv")
    wanted = Wanted("intent", tmp_path / "names.csv", "names")
    assert shop.tune(wanted).active
    alone = shop.classify(["red cap", "wear"])
    told = shop.tune(dataclasses.replace(wanted, unlabelled=tmp_path / "more.csv", text="said"))
    assert told.params["unlabelled"] == 0
    assert shop.classify(["red cap", "wear"]) == alone


def test_names_that_cannot_be_read_are_told(shop, tmp_path):
    def refused(content, method="names", **changed):
        (tmp_path / "names.csv").write_text(content)
        with pytest.raises(InvalidRequest) as raised:
            shop.tune(Wanted("intent", tmp_path / "names.csv", method, **changed))
        return str(raised.value)

    assert "no column label" in refused("name\na\n")
    assert "there is one class only" in refused("label\na\na\n")
    assert "describes 'a' in two ways" in refused("label,description\na,x\na,y\nb,z\n")
    assert "learns labels, not clicks" in refused("label\na\nb\n", kind="clicks")
    assert "leave out epochs" in refused("label\na\nb\n", changed={"epochs": 3})
    assert "leave out held" in refused("label\na\nb\n", changed={"held": 0.1})


def test_what_a_handful_is_measured_on_teaches_nothing(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "FewRecipe", partial(tuning.FewRecipe, epochs=1, batch=12))
    texts, labels = texts_of(120, 3)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "few.csv")
    pl.DataFrame({"text": [*(text.upper() for text in texts), "gold lamp"]}).write_csv(tmp_path / "more.csv")
    wanted = Wanted(
        "intent", tmp_path / "few.csv", "few", unlabelled=tmp_path / "more.csv", changed={"held": 0.3, "seed": 1}
    )
    version = shop.tune(wanted)
    assert version.params["held"] >= 20
    assert version.params["unlabelled"] == 121 - version.params["held"]
    with pytest.raises(InvalidRequest, match="seed must be below"):
        shop.tune(dataclasses.replace(wanted, changed={"seed": 1 << 32}))
    monkeypatch.setattr(few_shot, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(Checkpoints, "_save", no_room)
    with pytest.raises(StorageError, match="Make room on the disk"):
        shop.tune(dataclasses.replace(wanted, changed={"held": 0.3, "seed": 2}))
    assert [one.active for one in shop.models()] == [True]


def no_room(*_):
    raise OSError(28, "No space left on device")


def test_a_handful_that_was_killed_goes_on_unless_something_is_another(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "FewRecipe", partial(tuning.FewRecipe, epochs=6, batch=12))
    monkeypatch.setattr(few_shot, "SAVE_EVERY_S", -1.0)
    texts, labels = texts_of(30, 3)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "few.csv")
    wanted = Wanted("intent", tmp_path / "few.csv", "few", unlabelled=tmp_path / "more.csv")
    second = "tuning the encoder on examples and guesses (2 of 2)"

    def tuned(others, dies_at=-1):
        pl.DataFrame({"text": others}).write_csv(tmp_path / "more.csv")
        begun = {}

        def tell(stage, done, _of):
            begun.setdefault(stage, done)
            if stage == second and done == dies_at:
                raise Killed

        version = shop.tune(wanted, progress=tell)
        assert version.active
        return begun

    others, _ = texts_of(60, 4)
    with pytest.raises(Killed):
        tuned(others, 5)
    assert not shop.models()
    assert tuned(others)[second] == 5  # the step whose end was not saved
    with pytest.raises(Killed):
        tuned(others, 5)
    assert tuned([*others[:-1], "a gold lamp please"])[second] == 1  # as many texts, but one is another


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"trials": 2}, "trials"), ({"minutes": 1.0}, "minutes"), ({"changed": {"rank": 4}}, "rank"),
     ({"method": "lora", "unlabelled": "more.csv"}, "unlabelled")],
)  # fmt: skip
def test_what_does_not_go_with_a_handful_is_told(shop, labels_file, changed, field):
    with pytest.raises(InvalidRequest) as raised:
        shop.tune(Wanted(**{"task": "intent", "data": labels_file, "method": "few", **changed}))
    assert raised.value.field == field
