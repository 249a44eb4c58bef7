"""Trying recipes: Optuna over the numbers that matter, measured on the held-out part of the training data.

Trials are kept in the run's folder, one line each; a search that was killed goes on with the next trial.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aisle.errors import AisleError, InvalidRequest, ModelError, StorageError, TrainingFailed
from aisle.learn.adapt.recipe import Method, Recipe
from aisle.learn.adapt.tune import fingerprint, parted, tune
from aisle.learn.workbench import Workbench
from aisle.types import Progress

if TYPE_CHECKING:
    from aisle.learn.adapt.tasks import AnyTask

log = logging.getLogger("aisle.learn")

_FILE: Final = "trials.log"
_RANKS: Final = (4, 8, 16, 32)
_RANKED: Final = ("lora", "adalora")


def search(
    task: AnyTask,
    source: Path,
    method: Method,
    recipe: Recipe,
    *,
    n_trials: int,
    run: Path,
    threads: int = 1,
    progress: Progress | None = None,
) -> Recipe:
    """The best recipe of `n_trials` by the task's measure on what is held out; the first trial is `recipe` itself.

    Learning rate (a quarter to four times), epochs (half to twice), dropout
    and, with LoRA and AdaLoRA, rank are tried; a trial that falls behind the
    median of those before it is ended early. `run` keeps the trials, also after a kill.

    Raises InvalidRequest where nothing can be held out to measure by, ShopBusy
    while another process searches there, StorageError; ModelError when every trial failed.
    """
    if method == "head":
        raise InvalidRequest("method head has nothing to try: its head is fitted to the end", field="trials")
    if parted(task, recipe)[1] is None:
        raise InvalidRequest(
            f"of {len(task)} examples too few are held out to try recipes on (held is {recipe.held:g}): "
            "raise it, or try none",
            field="trials",
        )
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tell = progress or (lambda _stage, _done, _of: None)
    folder = run / "trials"
    with Workbench(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = f"{task.name}-{method}-{fingerprint(task.content())}-{abs(hash_of(recipe)):x}"
        try:
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(folder / _FILE))),
                study_name=name,
                load_if_exists=True,
                direction="maximize",
            )
        except (OSError, ValueError) as error:
            raise StorageError(f"{folder / _FILE} cannot be used: {error}; delete it to begin anew") from error
        over = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL)
        done = len(study.get_trials(deepcopy=False, states=over))
        # What a sampler draws depends on its seed, so a search taken up again must not draw the same once more.
        study.sampler = optuna.samplers.TPESampler(seed=recipe.seed * 1000 + done, n_startup_trials=5)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(_as_drawn(recipe, method))
        for number in range(done, n_trials):
            tell("trials", number, n_trials)
            study.optimize(
                _objective(task, source, method, recipe, folder / f"run-{number}", threads, progress),
                n_trials=1,
                catch=(TrainingFailed,),
            )
        tell("trials", n_trials, n_trials)
        finished = [t for t in study.get_trials(deepcopy=False) if t.value is not None and t.state in over[:2]]
    if not finished:
        raise ModelError(f"{task.name}: none of the trials came to an end; try a lower learning rate")
    best = study.best_trial
    log.info("%s: the best of %d trials: %.4f with %s", task.name, n_trials, best.value, best.params)
    return _drawn(recipe, method, best.params)


def hash_of(recipe: Recipe) -> int:
    """The same number for the same recipe in every process (Python's own hash of text is not)."""
    import zlib

    return zlib.crc32(repr(sorted(asdict(recipe).items())).encode())


def _objective(
    task: AnyTask, source: Path, method: Method, recipe: Recipe, run: Path, threads: int, progress: Progress | None
) -> Callable[[Any], float]:
    def objective(trial: Any) -> float:
        import optuna

        trial.suggest_float("learning_rate", recipe.learning_rate / 4, recipe.learning_rate * 4, log=True)
        trial.suggest_float("epochs", recipe.epochs / 2, recipe.epochs * 2)
        trial.suggest_float("dropout", 0.0, 0.3)
        if method in _RANKED:
            trial.suggest_categorical("rank", sorted({*_RANKS, recipe.rank}))
        looks = 0

        def look(_step: int, value: float) -> None:
            nonlocal looks
            looks += 1
            trial.report(value, looks)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            adapted = tune(
                task, source, method, _drawn(recipe, method, trial.params), run=run, threads=threads,
                progress=progress, look=look,
            )  # fmt: skip
            return float(adapted.after[task.measure])
        except AisleError as error:
            log.info("%s: trial %d failed: %s", task.name, trial.number, error)
            raise
        finally:
            shutil.rmtree(run, ignore_errors=True)

    return objective


def _as_drawn(recipe: Recipe, method: Method) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "learning_rate": recipe.learning_rate, "epochs": recipe.epochs, "dropout": min(0.3, recipe.dropout)
    }  # fmt: skip
    return drawn | ({"rank": recipe.rank} if method in _RANKED else {})


def _drawn(recipe: Recipe, method: Method, params: dict[str, Any]) -> Recipe:
    """The recipe with what a trial drew; alpha stays in proportion to the rank."""
    changed = dict(params)
    if "rank" in changed:
        changed["alpha"] = recipe.alpha * changed["rank"] / recipe.rank
    return replace(recipe, **changed)
