"""Any encoder, any task, any method: one call that trains, measures before and after, and survives a kill."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aisle.errors import InvalidRequest
from aisle.learn.adapt.recipe import FEW, NAMES, FewRecipe, Method, Recipe
from aisle.learn.workbench import Workbench
from aisle.types import Progress

if TYPE_CHECKING:
    from torch import nn

    from aisle.learn.adapt.curves import Tracker
    from aisle.learn.adapt.linear import Floats, Linear
    from aisle.learn.adapt.sentences import Sentences
    from aisle.learn.adapt.tasks import AnyTask, Classification, Task
    from aisle.models.heads import TextNetwork

log = logging.getLogger("aisle.learn")

_NAMES_READ: Final = 10_000
"""Texts without labels that names learn from: the middle of a label does not move with more."""
LEAST_HELD: Final = 20
"""Held-out units below which measurements mean nothing: then nothing is held out."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A trained `network` and what is known of it: `before` and `after` are empty where nothing was held out.

    `share` is that of the trained weights among all; `held` what was held out, `held_out` by which share and seed
    (`tables.held_out`). `unlabelled` are texts that were read without their labels.
    """

    network: nn.Module
    task: Task
    method: str
    recipe: Recipe | FewRecipe | None
    share: float
    before: dict[str, float]
    after: dict[str, float]
    steps: int
    seconds: float
    held: Task | None = None
    held_out: tuple[float, int] = (0.0, 0)
    params: dict[str, Any] = field(default_factory=dict)
    unlabelled: Sequence[str] = ()


def tune(
    task: AnyTask,
    source: Path,
    method: Method,
    recipe: Recipe,
    *,
    run: Path,
    name: str = "",
    threads: int = 1,
    tracker: Tracker = "",
    release: str = "",
    progress: Progress | None = None,
    look: Callable[[int, float], None] = lambda _step, _value: None,
) -> Adapted:
    """Adapt the model in folder `source` (Hugging Face's format) to the task.

    `run` is the training's own folder: checkpoints while it lasts, `curves.jsonl`
    and TensorBoard's files for good. A call that was killed goes on when it is made again,
    unless `release` (of this program) has changed.

    Raises ShopBusy while another process trains there, InvalidRequest,
    ModelError for a model that the method does not fit, TrainingFailed,
    StorageError when the disk is full.
    """
    import torch

    from aisle.learn.adapt import methods
    from aisle.learn.adapt.curves import Curves
    from aisle.learn.adapt.fitting import Happened, Plan, fit
    from aisle.learn.steady import steadily

    learned, held = parted(task, recipe)
    if method == "head" and task.kind != "encoder":
        raise InvalidRequest("a language model has no head of its own to train: use another method", field="method")
    about = {"task": task.name, "method": method, "recipe": asdict(recipe), "data": fingerprint(task.content()),
             "source": weights_of(source), "release": release, "last_seq": 0}  # fmt: skip
    tell = progress or (lambda _stage, _done, _of: None)
    with ExitStack() as stack:
        bench = stack.enter_context(Workbench(run))
        bench.begin(about)
        curves = stack.enter_context(Curves(run, name=name or task.name, about=about, tracker=tracker))
        stack.enter_context(steadily(recipe.seed, threads))
        tell("reading the model", 0, 1)
        network = learned.network(source, recipe)
        tell("reading the model", 1, 1)
        n_steps = Plan(learned.lengths(), recipe).n_steps
        methods.put_on(network, method, recipe, n_steps, task.kind)
        if torch.cuda.is_available():
            network.to("cuda")
        share = methods.share(network)
        if method == "head" and getattr(learned, "begins_fitted", False):
            network.eval()
            found = held.metrics(network) if held is not None else {}
            curves.begin_at(0)
            curves.add(0, {f"held/{key}": value for key, value in found.items()})
            happened = Happened(found, found, 0, 0, 0.0)
            for parameter in network.parameters():
                parameter.requires_grad_(False)
        else:
            happened = fit(
                network, learned, held, recipe, work=bench.folder(_plain(task.name), method), curves=curves,
                tell=lambda done, of: tell(f"tuning ({method})", done, of), look=look,
            )  # fmt: skip
        bench.clear()
    return Adapted(
        network.to("cpu"), learned, method, recipe, share, happened.before, happened.best, happened.steps,
        happened.seconds, held, *_parts(learned, held, recipe),
    )  # fmt: skip


def tune_few(
    task: Classification,
    source: Path,
    unlabelled: Sequence[str],
    *,
    run: Path,
    held: float = 0.0,
    seed: int = 0,
    threads: int = 1,
    tracker: Tracker = "",
    release: str = "",
    progress: Progress | None = None,
) -> Adapted:
    """Tune the encoder in `source` on the task's examples, and on `unlabelled` texts where there are enough.

    Nothing is `held` out unless that share is said: of a handful, each example counts. Resumed, and errors, as in
    `tune`.
    """
    from aisle.learn.adapt.curves import Curves
    from aisle.learn.adapt.few_shot import fit_few_shot, fit_with_unlabelled
    from aisle.learn.adapt.methods import share
    from aisle.learn.steady import steadily

    recipe = FewRecipe(max_tokens=task.max_tokens)
    by = Recipe(held=held, seed=seed)
    learned, kept = parted(task, by)
    if kept is not None:  # what is measured on must not teach, without its label neither
        held_texts = {text.casefold() for text in kept.examples().texts}
        unlabelled = [text for text in unlabelled if text.casefold() not in held_texts]
    about = {"task": task.name, "method": FEW, "recipe": asdict(recipe), "data": fingerprint(task.content()),
             "unlabelled": fingerprint(unlabelled), "seed": seed, "held": held, "source": weights_of(source),
             "release": release, "last_seq": 0}  # fmt: skip
    begun = time.monotonic()
    with ExitStack() as stack:
        bench = stack.enter_context(Workbench(run))
        bench.begin(about)
        curves = stack.enter_context(Curves(run, name=task.name, about=about, tracker=tracker))
        curves.begin_at(0)
        stack.enter_context(steadily(seed, threads))
        before: dict[str, float] = {}
        if kept is not None:
            alone = fit_few_shot(learned.data, source=source, tune=False, recipe=recipe, threads=threads, seed=seed)
            before = kept.metrics(_network(alone.encoder, alone.head, alone.names))
            curves.add(0, {f"held/{name}": value for name, value in before.items()})
        model = fit_with_unlabelled(
            learned.data, unlabelled, source=source, work=bench.folder(task.name, FEW), recipe=recipe,
            threads=threads, seed=seed, progress=progress,
        )  # fmt: skip
        network = _network(model.encoder, model.head, model.names)
        after = kept.metrics(network) if kept is not None else {}
        curves.add(model.steps, {f"held/{name}": value for name, value in after.items()})
        bench.clear()
    held_out, told = _parts(learned, kept, by)
    return Adapted(
        network, learned, FEW, recipe, share(network), before, after, model.steps, time.monotonic() - begun, kept,
        held_out, {**told, "unlabelled": len(unlabelled), "seed": seed}, unlabelled,
    )  # fmt: skip


def tune_names(
    task: Classification,
    source: Path,
    unlabelled: Sequence[str],
    described: Mapping[str, str],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Adapted:
    """A classifier of labels that have no example, of the task's names alone, or with what is `described`.

    `unlabelled` texts help where there are enough: a draw of ten thousand of them is read. The encoder in `source`
    stays as it is. A matter of seconds, so nothing is kept that a killed one would go on from.
    """
    from aisle.learn.adapt.label_names import fit_names
    from aisle.learn.adapt.methods import share
    from aisle.learn.adapt.sentences import Sentences
    from aisle.learn.steady import steadily

    begun = time.monotonic()
    tell = partial(progress, "reading texts without labels") if progress is not None else None
    with steadily(0, threads):
        encoder = Sentences.read(source, task.max_tokens)
        texts = tuple(dict.fromkeys(text for text in unlabelled if text.strip()))
        drawn = np.sort(np.random.default_rng(0).permutation(len(texts))[:_NAMES_READ])
        texts = tuple(texts[row] for row in drawn.tolist())
        vectors = encoder.encode(texts, tell) if texts else None
        found = fit_names(task.data.names, encoder.encode, unlabelled=vectors, descriptions=described)
        network = _network(encoder, found.head, task.data.names, found.centre)
    network.body.requires_grad_(False)
    told = {"learned": 0, "held": 0, "unlabelled": found.n_unlabelled, "taken": found.n_taken,
            "described": len(described)}  # fmt: skip
    seconds = time.monotonic() - begun
    return Adapted(network, task, NAMES, None, share(network), {}, {}, 0, seconds, params=told, unlabelled=texts)


def parted(task: AnyTask, recipe: Recipe) -> tuple[AnyTask, AnyTask | None]:
    """What is learned from, and what is held out to measure by: None where that would be too little to say anything."""
    if not recipe.held:
        return task, None
    learned, held = task.split(recipe.held, recipe.seed)
    too_few = len(held) < LEAST_HELD
    if too_few or not getattr(held, "telling", True):
        log.warning(
            "%s: %d examples are %s to hold a part of them out; nothing is measured while training",
            task.name, len(task), "too few" if too_few else "too alike",
        )  # fmt: skip
        return task, None
    return learned, held


def _parts(learned: Task, held: Task | None, recipe: Recipe) -> tuple[tuple[float, int], dict[str, Any]]:
    """By which share and seed examples are held out, and how many there are of both."""
    counts = {"learned": len(learned), "held": len(held) if held is not None else 0}
    return (recipe.held if held is not None else 0.0, recipe.seed), counts


def fingerprint(texts: Iterable[str]) -> str:
    """Of the examples: a training is taken up again only with the same ones."""
    digest = hashlib.sha256()
    for part in texts:
        digest.update(part.encode("utf-8", "replace"))
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def weights_of(source: Path) -> str:
    """The model's identity without reading all of it: its configuration and the size and time of its weights."""
    digest = hashlib.sha256()
    for file in sorted(source.glob("*.json")):
        digest.update(file.read_bytes())
    for file in sorted(source.glob("*.safetensors")):
        digest.update(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60] or "task"


def _network(encoder: Sentences, fitted: Linear, names: Sequence[str], centre: Floats | None = None) -> TextNetwork:
    """Encoder and head as one network, which can be measured and exported as any other."""
    import torch

    from aisle.models.heads import CentredClasses, Classes, TextNetwork
    from aisle.models.pooling import pooling_of

    body = encoder.network.network
    dim = int(body.config.hidden_size)
    head = Classes(dim, len(names), 0.0) if centre is None else CentredClasses(dim, len(names))
    given = {"weight": fitted.weights.T, "bias": fitted.bias, **({} if centre is None else {"centre": centre})}
    head.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in given.items()})
    return TextNetwork(body, head, pooling_of(encoder.source)[0], unit=True).eval()
