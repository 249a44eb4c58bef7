"""A classifier tuned on a handful of examples, as the other methods leave one: measured, exported, kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aisle.learn.adapt.few_shot import Recipe, fit_few_shot, fit_with_unlabelled
from aisle.learn.adapt.recipe import Recipe as Tuning
from aisle.learn.adapt.tune import Adapted, fingerprint, parted
from aisle.learn.workbench import Workbench
from aisle.types import Progress

if TYPE_CHECKING:
    from aisle.learn.adapt.curves import Tracker
    from aisle.learn.adapt.few_shot import FewShot
    from aisle.learn.adapt.tasks import Classification
    from aisle.models.heads import TextNetwork

FEW: Final = "few"
"""What the method is called beside those of `recipe.METHODS`."""


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
    from aisle.learn.adapt.methods import share
    from aisle.learn.steady import steadily

    recipe, numbers = Recipe(max_tokens=task.max_tokens), Tuning(held=held, seed=seed, max_tokens=task.max_tokens)
    learned, kept = parted(task, numbers)
    about = {"task": task.name, "method": FEW, "recipe": asdict(recipe), "data": fingerprint(task), "seed": seed,
             "unlabelled": len(unlabelled), "held": held, "source": source.name, "release": release,
             "last_seq": 0}  # fmt: skip
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
            before = kept.metrics(_network(alone, learned, source))
            curves.add(0, {f"held/{name}": value for name, value in before.items()})
        model = fit_with_unlabelled(
            learned.data, unlabelled, source=source, work=bench.folder(task.name, FEW), recipe=recipe,
            threads=threads, seed=seed, progress=progress,
        )  # fmt: skip
        network = _network(model, learned, source)
        after = kept.metrics(network) if kept is not None else {}
        curves.add(1, {f"held/{name}": value for name, value in after.items()})
        bench.clear()
    told = {"learned": len(learned), "held": len(kept) if kept is not None else 0, "unlabelled": len(unlabelled)}
    seconds = time.monotonic() - begun
    return Adapted(network, learned, FEW, numbers, share(network), before, after, 0, seconds, kept, told)


def _network(model: FewShot, task: Classification, source: Path) -> TextNetwork:
    """Encoder and head as one network, which can be measured and exported as any other."""
    import torch

    from aisle.models.heads import Classes, TextNetwork
    from aisle.models.pooling import pooling_of

    body = model.encoder.network.network
    head = Classes(int(body.config.hidden_size), len(task.data.names), 0.0)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(model.head.weights.T.copy()))
        head.bias.copy_(torch.from_numpy(model.head.bias))
    return TextNetwork(body, head, pooling_of(source)[0], unit=True).eval()
