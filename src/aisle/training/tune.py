"""What a shop's `tune` does: read the labels, adapt the encoder, keep a version, let it serve if it is no worse.

models/<task>/<version>/          the classifier, its card and its curves
models/.runs/<task>-<method>/     curves, TensorBoard's files and trials of the last training; checkpoints meanwhile
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aisle import __version__
from aisle.errors import InvalidRequest, ModelDamaged, StorageError
from aisle.learn.adapt.labelled import Labelled, read_labelled, shared
from aisle.learn.adapt.recipe import METHODS, Method, Recipe
from aisle.learn.fitted import Fitted
from aisle.ports import ModelStore, TextClassifier
from aisle.represent.encoders import source_of
from aisle.serving.classifiers import TASK_NAME, OpenClassifier
from aisle.settings import Settings
from aisle.types import ModelVersion, Progress

if TYPE_CHECKING:
    from aisle.learn.adapt.tune import Adapted

log = logging.getLogger("aisle.tuning")

RUNS: Final = ".runs"
CURVES: Final = "curves.jsonl"
_RESERVED: Final = ("encoder", "image-encoder", "audio-encoder")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to tune for: a task's name, its labels, the method, and what to change in the method's recipe.

    `minutes` bounds everything, trials too (0: no limit). `test` is measured on at the end, never learned from.
    """

    task: str
    data: Path
    method: Method = "lora"
    text: str = ""
    label: str = ""
    test: Path | None = None
    trials: int = 0
    minutes: float = 0.0
    out: Path | None = None
    changed: Mapping[str, Any] | None = None


def tune_shop(
    models_folder: Path,
    models: ModelStore,
    settings: Settings,
    wanted: Wanted,
    open_classifier: OpenClassifier,
    progress: Progress | None = None,
) -> ModelVersion:
    """Adapt the shop's encoder to the labels in a file; the version serves unless one that does better is there.

    Raises InvalidRequest for a wrong name, method, recipe or file, EncoderMissing,
    ShopBusy while another process tunes for this task, TrainingFailed,
    ModelError, StorageError; what serves is untouched then.
    """
    if not TASK_NAME.fullmatch(wanted.task) or wanted.task in _taken():
        raise InvalidRequest(f"task {wanted.task[:40]!r}: a name of a-z, 0-9, - and _ that no model has", field="task")
    if wanted.method not in METHODS:
        raise InvalidRequest(f"method is one of {', '.join(METHODS)}", field="method")
    if wanted.trials < 0 or wanted.minutes < 0:
        raise InvalidRequest("trials and minutes cannot be negative", field="trials")
    from aisle.learn.adapt.exporting import export_classifier, write_classifier
    from aisle.learn.adapt.tasks import Classification
    from aisle.learn.adapt.trials import search
    from aisle.learn.adapt.tune import tune

    data = read_labelled(wanted.data, text=wanted.text, label=wanted.label)
    test = _test(wanted, data)
    source = source_of(settings.encoder)
    recipe = Recipe.of(wanted.method, **{"seed": settings.train.seed, **(wanted.changed or {})})
    threads = settings.train.threads or os.cpu_count() or 1
    run = models_folder / RUNS / f"{wanted.task}-{wanted.method}"
    seconds = 60.0 * wanted.minutes
    if wanted.trials:  # half of the time is for the trials
        each = replace(recipe, seconds=seconds / 2 / wanted.trials)
        task = Classification(data, source, each, name=wanted.task)
        found = search(
            task, source, wanted.method, each, n_trials=wanted.trials, run=run, threads=threads, progress=progress
        )
        recipe, seconds = found, seconds / 2
    recipe = replace(recipe, seconds=seconds)
    task = Classification(data, source, recipe, name=wanted.task)
    adapted = tune(
        task, source, wanted.method, recipe, run=run, threads=threads, tracker=settings.train.tracker,
        release=__version__,
        progress=progress, name=wanted.task,
    )  # fmt: skip
    with _making(run) as folder:
        fitted = export_classifier(adapted, task, source, Path(folder))
        metrics = dict(fitted.metrics)
        if test is not None:
            metrics |= _measured(open_classifier(Path(folder)), test, "test")
        if wanted.out is not None:
            write_classifier(replace_metrics(fitted, metrics), wanted.out)
        return _kept(models, wanted.task, replace_metrics(fitted, metrics), adapted, run / CURVES, open_classifier)


def replace_metrics(fitted: Fitted, metrics: Mapping[str, float]) -> Fitted:
    return Fitted(fitted.name, fitted.arrays, fitted.files, fitted.params, metrics)


def _taken() -> frozenset[str]:
    """Names that other models have."""
    from aisle.serving.models_in_use import COMBINATION
    from aisle.shelf import SHELF
    from aisle.training.search import SEARCH_MODELS

    return frozenset({*(model.name for model in SHELF), *SEARCH_MODELS, COMBINATION, *_RESERVED})


def _test(wanted: Wanted, data: Labelled) -> Labelled | None:
    if wanted.test is None:
        return None
    test = read_labelled(wanted.test, text=wanted.text, label=wanted.label, names=data.names)
    if same := shared(data, test):
        log.warning(
            "%d of the %d texts in %s are also in %s: what is measured on them flatters",
            same, len(test), wanted.test.name, wanted.data.name,
        )  # fmt: skip
    return test


def _measured(classifier: TextClassifier, test: Labelled, name: str) -> dict[str, float]:
    from aisle.learn.adapt.tasks import label_metrics

    predicted = classifier.classify(test.texts).argmax(1)
    return {f"{key}_{name}": value for key, value in label_metrics(predicted, test.labels, len(test.names)).items()}


def _making(run: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for what is exported, gone afterwards. Raises StorageError."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        for leftover in run.glob("exported-*"):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        return tempfile.TemporaryDirectory(prefix="exported-", dir=run)
    except OSError as error:
        raise StorageError(f"{run} cannot be written: {error.strerror}") from error


def _kept(
    models: ModelStore, name: str, fitted: Fitted, adapted: Adapted, curves: Path, open_classifier: OpenClassifier
) -> ModelVersion:
    """The version, serving unless the one that serves now does better on what was held out."""
    note = ""
    active = models.active(name)
    held: Any = adapted.held
    if active is not None and held is not None:
        try:
            models.arrays(name, active.version)
            now = open_classifier(models.folder(name, active.version))
            if now.names == held.data.names:
                theirs = _measured(now, held.data, "held")["accuracy_held"]
                if theirs > adapted.after["accuracy"]:
                    note = f"not promoted: version {active.version}, which serves, has accuracy {theirs:.4f} here"
        except ModelDamaged as error:
            log.warning("%s", error)
    files = dict(fitted.files) | ({CURVES: curves} if curves.exists() else {})
    version = models.create(name, fitted.arrays, files=files, params=fitted.params, metrics=fitted.metrics, note=note)
    if not note:
        models.promote(name, version.version)
    return replace(version, active=not note)


def opened_classifier(folder: Path) -> TextClassifier:
    """As `wiring.open_classifier`, which is imported only when a classifier is needed."""
    from aisle.wiring import open_classifier

    return open_classifier(folder)
