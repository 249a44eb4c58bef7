"""A training that is killed ends as it would have; two at once, a full disk and lost numbers are told."""

import errno
import subprocess
import sys
import time

import numpy as np
import pytest

from aisle.errors import SettingsError, ShopBusy, StorageError, TrainingFailed
from aisle.learn.adapt.curves import Curves
from aisle.learn.adapt.fitting import Plan
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import Classification
from aisle.learn.adapt.tune import tune
from aisle.learn.checkpoints import Checkpoints

from .conftest import Killed

QUICK = {"epochs": 4, "batch": 16, "held": 0.2, "rank": 4, "virtual": 4}


@pytest.mark.parametrize("method", ["full", "lora", "adalora"])
@pytest.mark.parametrize("dies_at", [9, 28])
def test_a_killed_training_goes_on_to_the_same_weights(method, dies_at, few, source, steps, tmp_path):
    recipe = Recipe.of(method, **QUICK)
    task = Classification(few, source, recipe)
    whole = tune(task, source, method, recipe, run=tmp_path / "whole")
    assert whole.steps == 32
    steps.dies_at = dies_at
    with pytest.raises(Killed):
        tune(task, source, method, recipe, run=tmp_path / "killed")
    before = len(steps.begun)
    again = tune(task, source, method, recipe, run=tmp_path / "killed")
    assert steps.begun[before] == dies_at
    np.testing.assert_array_equal(task.logits(whole.network), task.logits(again.network))
    assert again.after == whole.after
    lines = [(tmp_path / name / "curves.jsonl").read_text() for name in ("whole", "killed")]
    assert lines[0] == lines[1]


def test_other_numbers_begin_anew(few, source, steps, tmp_path):
    first = Recipe.of("full", **QUICK)
    steps.dies_at = 4
    with pytest.raises(Killed):
        tune(Classification(few, source, first), source, "full", first, run=tmp_path)
    other = Recipe.of("full", **{**QUICK, "learning_rate": 5e-4})
    tune(Classification(few, source, other), source, "full", other, run=tmp_path)
    assert steps.begun[5] == 0


def test_two_at_once_are_refused(few, source, tmp_path):
    code = (
        "import sys, time, pathlib; from aisle.learn.workbench import Workbench\n"
        "with Workbench(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        recipe = Recipe.of("full", **QUICK)
        with pytest.raises(ShopBusy, match=f"process {other.pid}"):
            tune(Classification(few, source, recipe), source, "full", recipe, run=tmp_path)
    finally:
        other.kill()
        other.communicate()


def test_a_full_disk_is_told(few, source, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Checkpoints, "_save", full)
    recipe = Recipe.of("full", **QUICK)
    with pytest.raises(StorageError, match=r"No space left on device.*Make room"):
        tune(Classification(few, source, recipe), source, "full", recipe, run=tmp_path)


def test_a_loss_that_is_no_number_ends_it(few, source, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(Classification, "loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    recipe = Recipe.of("full", **QUICK)
    with pytest.raises(TrainingFailed, match="lower the learning rate"):
        tune(Classification(few, source, recipe), source, "full", recipe, run=tmp_path)


def test_it_stops_when_nothing_is_gained(few, source, tmp_path):
    recipe = Recipe.of("full", **{**QUICK, "epochs": 40, "patience": 2, "learning_rate": 1e-9, "head_rate": 0.01})
    found = tune(Classification(few, source, recipe), source, "full", recipe, run=tmp_path)
    assert found.steps == 16  # two epochs
    assert found.after == found.before


def test_it_keeps_to_its_time(few, source, tmp_path):
    recipe = Recipe.of("full", **{**QUICK, "epochs": 100_000, "patience": 1_000_000, "seconds": 2.0})
    begun = time.monotonic()
    found = tune(Classification(few, source, recipe), source, "full", recipe, run=tmp_path)
    assert 0 < found.steps < 100_000
    assert time.monotonic() - begun < 120


def learned(labelled, source, run, **more):
    recipe = Recipe.of("full", **{**QUICK, "learning_rate": 3e-3, "epochs": 10, "held": 0.0, **more})
    task = Classification(labelled, source, recipe)
    return task.logits(tune(task, source, "full", recipe, run=run).network)


@pytest.fixture(scope="module")
def plain(labelled, source, tmp_path_factory):
    return learned(labelled, source, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "sgd", "learning_rate": 0.05},
        {"schedule": "linear"},
        {"accumulate": 2, "batch": 8},
        {"contrast": 0.5},
        {"average": 0.0},
        {"layer_decay": 0.8},
        {"smoothing": 0.0, "balance": 0.0},
    ],
)
def test_each_number_of_the_recipe_changes_the_weights_and_learns(changed, plain, labelled, source, tmp_path):
    found = learned(labelled, source, tmp_path, **changed)
    assert not np.array_equal(found, plain)
    assert (found.argmax(1) == labelled.labels).mean() > 0.85


def test_an_epoch_reads_everything_once_in_batches_of_like_length():
    lengths = np.random.default_rng(0).integers(3, 60, 1000)
    plan = Plan(lengths, Recipe(batch=10, accumulate=2, epochs=2))
    assert plan.n_steps == 100
    for epoch in range(2):
        batches = [b for step in range(50) for b in plan.batches(epoch * 50 + step)]
        assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
        assert np.mean([np.ptp(lengths[b]) for b in batches]) < 5
    assert plan.batches(0)[0].tolist() != plan.batches(50)[0].tolist()


def test_a_tracker_that_is_not_installed_is_told(tmp_path):
    with pytest.raises(SettingsError, match="pip install wandb"):
        Curves(tmp_path, name="x", about={}, tracker="wandb")


def test_a_tracker_gets_what_the_lines_get(tmp_path, monkeypatch):
    import types

    told = []
    mlflow = types.ModuleType("mlflow")
    mlflow.start_run = lambda run_name: told.append(run_name)
    mlflow.log_params = told.append
    mlflow.log_metrics = lambda values, step: told.append((step, values))
    mlflow.end_run = lambda: told.append("end")
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    with Curves(tmp_path, name="intent", about={"seed": 1}, tracker="mlflow") as curves:
        curves.add(3, {"loss": 0.5, "odd": float("nan")})
    assert told == ["intent", {"seed": 1}, (3, {"loss": 0.5}), "end"]
    assert (tmp_path / "curves.jsonl").read_text() == '{"step":3,"name":"loss","value":0.5}\n'
