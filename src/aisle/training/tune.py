"""What a shop's `tune` does: read examples, adapt a model, keep a version, let it serve if it is no worse.

models/<task>/<version>/          the model, its card and its curves
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
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from aisle import __version__
from aisle.errors import InvalidRequest, ModelError, StorageError
from aisle.learn.adapt.labelled import read_names, read_texts
from aisle.learn.adapt.recipe import FEW, METHODS, NAMES, WITHOUT_LABELS, Method, Recipe
from aisle.learn.adapt.tables import Columns, repeated
from aisle.learn.fitted import Fitted
from aisle.ports import ModelStore
from aisle.represent.encoders import source_named, source_of
from aisle.serving.classifiers import TASK_NAME
from aisle.settings import Settings
from aisle.training.labelling import unlabelled
from aisle.types import ModelVersion, Progress

if TYPE_CHECKING:
    from aisle.learn.adapt.tune import Adapted
    from aisle.parts import Parts
    from aisle.training.kinds import Kind

log = logging.getLogger("aisle.tuning")

RUNS: Final = ".runs"
CURVES: Final = "curves.jsonl"
_CHANGED: Final = {FEW: {"held", "seed", "max_tokens"}, NAMES: {"max_tokens"}}
"""What may be changed of methods that have a recipe of their own, or none."""
_RESERVED: Final = ("encoder", "image-encoder", "audio-encoder")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to tune for: a task's name, its examples, the method, and what to change in the method's recipe.

    `text`, `label` and `query` name columns that have no usual name. `minutes`
    bounds everything, trials too (0: no limit). `test` is measured on at the
    end, never learned from. `kind` is one of `kinds.KINDS` ("": by the file's
    columns), `loss` that of relevance, `model` what learns ("": the shop's encoder).
    A task without a name gets its kind's. `unlabelled` are texts that methods few
    and names learn from (None: the shop's own that nobody labelled). Of names, `data` has labels and, if it likes,
    descriptions; texts are not read.
    """

    task: str
    data: Path
    method: Method | Literal["few", "names"] = "lora"
    text: str = ""
    label: str = ""
    test: Path | None = None
    trials: int = 0
    minutes: float = 0.0
    out: Path | None = None
    changed: Mapping[str, Any] | None = None
    kind: str = ""
    loss: str = ""
    model: str = ""
    query: str = ""
    unlabelled: Path | None = None

    @property
    def columns(self) -> Columns:
        return Columns(self.text, self.label, self.query)


def tune_shop(parts: Parts, wanted: Wanted, progress: Progress | None = None) -> ModelVersion:
    """Adapt a model to the examples in a file; the version serves unless one that does better is there.

    Raises InvalidRequest for a wrong name, method, recipe or file, EncoderMissing,
    ShopBusy while another process tunes for this task, TrainingFailed,
    ModelError, StorageError; what serves is untouched then.
    """
    if wanted.method not in (*METHODS, *WITHOUT_LABELS):
        raise InvalidRequest(f"method is one of {', '.join((*METHODS, *WITHOUT_LABELS))}", field="method")
    if wanted.trials < 0 or wanted.minutes < 0:
        raise InvalidRequest("trials and minutes cannot be negative", field="trials")
    _check_name(wanted.task)
    models, settings = parts.stores.models, parts.settings
    from aisle.learn.adapt.exporting import write_model
    from aisle.learn.adapt.tune import tune, tune_few, tune_names
    from aisle.training.kinds import kind_of

    said = wanted.kind or ("labels" if wanted.method == NAMES else "")
    kind = kind_of(wanted.data, said, wanted.columns, writes=bool(wanted.model))
    name = wanted.task or kind.task_name
    _check_kind(models, name, kind, wanted)
    names = wanted.method == NAMES
    data, described = (
        read_names(wanted.data, label=wanted.label) if names else (kind.read(wanted.data, wanted.columns, None), {})
    )
    test = _test(kind, wanted, data)
    source = _source(settings, kind, wanted)
    run = parts.path / "models" / RUNS / f"{name}-{wanted.method}"
    numbers = {"seed": settings.train.seed, **kind.changed, **(wanted.changed or {})}
    threads = settings.train.threads or os.cpu_count() or 1
    common: dict[str, Any] = {"run": run, "threads": threads, "tracker": settings.train.tracker,
                              "release": __version__, "progress": progress}  # fmt: skip
    task: Any
    if wanted.method in WITHOUT_LABELS:
        others = read_texts(wanted.unlabelled, text=wanted.text) if wanted.unlabelled else unlabelled(parts, name)
        recipe = replace(Recipe(**numbers), held=(wanted.changed or {}).get("held", 0.0))
        task = kind.task(data, source, recipe, name, "")
        if names:
            adapted = tune_names(task, source, others, described, threads=threads, progress=progress)
        else:
            adapted = tune_few(task, source, others, held=recipe.held, seed=recipe.seed, **common)
    else:
        method = cast(Method, wanted.method)
        recipe = Recipe.of(method, **numbers)
        if wanted.trials:
            recipe = _tried(kind, data, source, recipe, name, wanted, run, threads, progress)
        recipe = replace(recipe, seconds=30.0 * wanted.minutes if wanted.trials else 60.0 * wanted.minutes)
        task = kind.task(data, source, recipe, name, wanted.loss)
        adapted = tune(task, source, method, recipe, name=name, **common)
    with _making(run) as folder:
        fitted = kind.export(adapted, task, source, Path(folder) / "exported")
        about = {**fitted.params, "task": name, "kind": kind.name, "units": kind.units, "measure": task.measure}
        if wanted.model and not Path(wanted.model).expanduser().is_dir():
            about["base"] = wanted.model  # the folder of a downloaded model is called by a hash
        fitted = Fitted(name, fitted.arrays, fitted.files, about, fitted.metrics)
        if test is not None:
            write_model(fitted, Path(folder) / "model")
            found = kind.measured(Path(folder) / "model", test)
            tested = {f"{measure}_test": value for measure, value in found.items()}
            fitted = replace(fitted, metrics={**fitted.metrics, **tested})
        if wanted.out is not None:
            write_model(fitted, wanted.out)
        return _kept(models, kind, fitted, adapted, test, task.measure, run / CURVES)


def _tried(
    kind: Kind, data: Any, source: Path, recipe: Recipe, name: str, wanted: Wanted, run: Path, threads: int,
    progress: Progress | None,
) -> Recipe:  # fmt: skip
    """The best recipe of the trials, which get half of the time."""
    from aisle.learn.adapt.trials import search

    each = replace(recipe, seconds=30.0 * wanted.minutes / wanted.trials)
    method = cast(Method, wanted.method)
    task = kind.task(data, source, each, name, wanted.loss)
    return search(
        task,
        source,
        method,
        each,
        n_trials=wanted.trials,
        run=run,
        threads=threads,
        progress=progress,
    )


def _check_name(task: str) -> None:
    if task and (not TASK_NAME.fullmatch(task) or task in _taken()):
        raise InvalidRequest(f"task {task[:40]!r}: a name of a-z, 0-9, - and _ that no model has", field="task")


def _check_kind(models: ModelStore, name: str, kind: Kind, wanted: Wanted) -> None:
    """Raises InvalidRequest for what does not go with the kind."""
    if wanted.loss and wanted.loss not in kind.losses:
        known = f"one of {', '.join(kind.losses)}" if kind.losses else f"not chosen for {kind.name}"
        raise InvalidRequest(f"the loss is {known}", field="loss")
    if kind.name == "text" and not wanted.model:
        raise InvalidRequest(
            "the shop's encoder reads, but cannot write: name a causal or a sequence-to-sequence model "
            "(a folder, or a Hugging Face name that is on this machine) with --model",
            field="model",
        )
    if wanted.method in WITHOUT_LABELS:
        if kind.name != "labels":
            raise InvalidRequest(f"method {wanted.method} learns labels, not {kind.name}", field="method")
        odd = sorted({*(wanted.changed or {})} - _CHANGED[wanted.method]) + ["trials"] * bool(wanted.trials)
        if odd or wanted.minutes:
            raise InvalidRequest(
                f"method {wanted.method} goes its own way in its own time: leave out {', '.join(odd) or 'minutes'}",
                field=(odd or ["minutes"])[0],
            )
    elif wanted.unlabelled:
        raise InvalidRequest(f"texts without labels are for methods {' and '.join(WITHOUT_LABELS)}", field="unlabelled")
    for version in models.versions(name)[:1]:
        theirs = version.params.get("kind", "labels")
        if theirs != kind.name:
            raise InvalidRequest(
                f"{name} is a task of {theirs}, and these are {kind.name}: name another with --task", field="task"
            )


def _source(settings: Settings, kind: Kind, wanted: Wanted) -> Path:
    """The folder of the model that learns. Raises EncoderMissing, ModelError."""
    from aisle.models.language import PROMPTS_FILE

    if kind.name == "text":
        source = source_named(wanted.model)
    else:
        encoder = settings.encoder
        source = source_of(encoder.model_copy(update={"model": wanted.model}) if wanted.model else encoder)
    if not (source / "tokenizer.json").exists():
        raise ModelError(
            f"{source}: no tokenizer.json there; transformers writes one: "
            "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        )
    if (source / PROMPTS_FILE).exists():
        raise ModelError(f"{source} was tuned by prompts, which cannot be tuned further: name the model it was made of")
    return source


def _taken() -> frozenset[str]:
    """Names that other models have."""
    from aisle.serving.models_in_use import COMBINATION
    from aisle.shelf import SHELF
    from aisle.training.search import SEARCH_MODELS

    return frozenset({*(model.name for model in SHELF), *SEARCH_MODELS, COMBINATION, *_RESERVED})


def _test(kind: Kind, wanted: Wanted, data: Any) -> Any:
    """What to measure on at the end; what is also learned from is told in the log. None where nothing was named."""
    if wanted.test is None:
        return None
    test = kind.read(wanted.test, wanted.columns, data)
    keys = kind.keys(test)
    if same := repeated(kind.keys(data), keys):
        log.warning(
            "%d of the %d texts in %s are also in %s: what is measured on them flatters",
            same, len(keys), wanted.test.name, wanted.data.name,
        )  # fmt: skip
    return test


def _making(run: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for what is exported, gone afterwards. Raises StorageError."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        for leftover in run.glob("exported-*"):
            if not _runs(leftover.name.split("-")[1]):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
        return tempfile.TemporaryDirectory(prefix=f"exported-{os.getpid()}-", dir=run)
    except OSError as error:
        raise StorageError(f"{run} cannot be written: {error.strerror}") from error


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _kept(
    models: ModelStore, kind: Kind, fitted: Fitted, adapted: Adapted, test: Any, measure: str, curves: Path
) -> ModelVersion:
    """The version, serving unless the one that serves now is better."""
    name = fitted.name
    note = _refused(models, kind, fitted, adapted, test, measure)
    files = dict(fitted.files) | ({CURVES: curves} if curves.exists() else {})
    version = models.create(name, fitted.arrays, files=files, params=fitted.params, metrics=fitted.metrics, note=note)
    if not note:
        models.promote(name, version.version)
    return replace(version, active=not note)


def _refused(models: ModelStore, kind: Kind, fitted: Fitted, adapted: Adapted, test: Any, measure: str) -> str:
    """Why the version is not to serve, "" where it is.

    What is held out decides where the version that serves did not learn from it, then the test (nobody knows whether
    that one learned from it), then that the version is newer; but names alone never replace what learned from examples
    without being better.
    """
    active = models.active(fitted.name)
    if active is None or (kind.a_base and active.params["base"] != fitted.params["base"]):
        return ""
    serving, held = f"version {active.version}, which serves,", cast(Any, adapted.held)
    share, seed = adapted.held_out
    learned = active.params.get("learned", 1)
    least, theirs = active.params.get("held_out", (0.0, 0)) if learned else (1.0, seed)
    worse = bool(learned) and adapted.method == NAMES
    if held is not None and least >= share and theirs == seed:
        examples, ours = held.examples(), fitted.metrics[f"{measure}_after"]
    elif test is not None:
        examples, ours = test, fitted.metrics[f"{measure}_test"]
    elif worse:
        return f"not promoted: {serving} learned from examples; with --test both are measured"
    else:
        why = (
            "may have learned from what is held out" if held is not None else "is not measured, for nothing is held out"
        )
        log.warning("%s: %s %s; without --test it gives way", fitted.name, serving, why)
        return ""
    try:
        models.arrays(fitted.name, active.version)
        found = kind.measured(models.folder(fitted.name, active.version), examples).get(measure)
    except ModelError as error:
        log.warning("%s", error)
        return ""
    if found is None:
        return f"not promoted: {serving} learned other labels from examples" if worse else ""
    return f"not promoted: {serving} has {measure} {found:.4f} here" if found > ours else ""
