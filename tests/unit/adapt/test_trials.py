"""Recipes are tried on what is held out; a search that was killed does not begin anew."""

import pytest

from aisle.errors import InvalidRequest
from aisle.learn.adapt import trials
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import Classification
from aisle.learn.adapt.trials import search
from aisle.learn.adapt.tune import tune

from .conftest import Killed


@pytest.fixture
def tried(monkeypatch):
    """The recipes of the trials, which end at once with a measure that likes a rate of 2e-3."""
    seen = []

    def measured(task, source, method, recipe, *, look, **_):
        seen.append(recipe)
        if len(seen) == 4 and getattr(measured, "dies", False):
            raise Killed
        value = 1.0 - abs(recipe.learning_rate - 2e-3) * 100
        look(1, value)
        return type("Adapted", (), {"after": {"accuracy": value}})()

    monkeypatch.setattr(trials, "tune", measured)
    return seen, measured


def test_the_first_trial_is_the_recipe_itself_and_the_best_wins(few, source, tmp_path, tried):
    seen, _ = tried
    recipe = Recipe.of("lora", held=0.2)
    best = search(Classification(few, source, recipe), source, "lora", recipe, n_trials=12, run=tmp_path)
    assert seen[0] == recipe
    assert len(seen) == 12
    assert len({r.learning_rate for r in seen}) == 12
    assert best in seen
    assert abs(best.learning_rate - 2e-3) == min(abs(r.learning_rate - 2e-3) for r in seen)
    assert {r.alpha / r.rank for r in seen} == {recipe.alpha / recipe.rank}


def test_a_killed_search_goes_on_with_the_next_trial(few, source, tmp_path, tried):
    seen, measured = tried
    recipe = Recipe.of("full", held=0.2)
    task = Classification(few, source, recipe)
    measured.dies = True
    with pytest.raises(Killed):
        search(task, source, "full", recipe, n_trials=6, run=tmp_path)
    assert len(seen) == 4
    best = search(task, source, "full", recipe, n_trials=6, run=tmp_path)
    assert 7 <= len(seen) <= 8  # the one that was under way is made again
    assert best in seen
    search(task, source, "full", recipe, n_trials=6, run=tmp_path)
    assert 7 <= len(seen) <= 8


def test_real_trials_leave_a_recipe_that_can_be_tuned(few, source, tmp_path):
    recipe = Recipe.of("full", held=0.2, epochs=2, batch=16)
    task = Classification(few, source, recipe)
    best = search(task, source, "full", recipe, n_trials=2, run=tmp_path)
    found = tune(task, source, "full", best, run=tmp_path)
    assert found.after["accuracy"] > 0
    assert not list((tmp_path / "trials").glob("run-*"))


def test_too_few_examples_to_try_on(source, tmp_path):
    data = Labelled.of(["red sofa", "blue drill"] * 10, ["home", "tools"] * 10)
    recipe = Recipe.of("full")
    with pytest.raises(InvalidRequest, match="too few are held out to try"):
        search(Classification(data, source, recipe), source, "full", recipe, n_trials=2, run=tmp_path)
