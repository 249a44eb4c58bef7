"""Fit the sequence model: what a shopper takes next, from the steps so far.

Members of a small ensemble differ in seed and dropout, for how much dropout a
shop's data needs is not known before. Each begins from spectral vectors,
stops early on held-out steps, and leaves a checkpoint after every epoch.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.sequence_training import TOP_K, Held, Run, SequenceRecipe, Sequences, mrr, ranks
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    from aisle.models.sequence import NextItem, SequenceModel

log = logging.getLogger("aisle.learn")

NAME: Final = "sequence"
MODEL_FILE: Final = "model.onnx"
LEAST_STEPS: Final = 500
"""Steps with a step before them; fewer teach a transformer nothing that counting does not know."""
MOST_OF_ONE: Final = 2000
"""Newest steps of one visitor that are read: beyond that it is a robot, or a reseller."""
CASES: Final = 3000


def hold_out_last(past: Interactions, most: int = CASES, seed: int = 0) -> tuple[Interactions, Held]:
    """Take the last step of some visitors away, to stop by: at most `most`, and at most a tenth of the visitors."""
    starts = past.starts(past.visitor)
    sizes = np.diff(starts)
    able = np.flatnonzero(sizes >= 3)
    n = min(most, max(len(able) // 10, min(len(able), 50)))
    chosen = np.sort(np.random.default_rng(seed).choice(able, n, replace=False)) if n else able[:0]
    last = starts[chosen + 1] - 1
    histories = [
        past.ords[max(starts[v], e - MOST_OF_ONE) : e] for v, e in zip(chosen.tolist(), last.tolist(), strict=True)
    ]
    held = Held(histories, past.ords[last])
    kept = np.ones(len(past), bool)
    kept[last] = False
    return past.take(np.flatnonzero(kept)), held


def fit_sequence(
    past: Interactions,
    items: ItemTable,
    *,
    valid: Held | None = None,
    before: Fitted | None = None,
    recipe: SequenceRecipe | None = None,
    work: Path,
    progress: Progress,
    seconds: float = 0.0,
    threads: int = 2,
    seed: int = 0,
) -> Fitted | None:
    """Fit on `past`; None when it is too short. Stops by `valid` or by steps of its own that it sets aside.

    Arrays: `vectors` float32[n_ords, members * dim], unit length a member (what
    attributes and text say where nobody took the item yet; zeros where nothing
    is known), `scale` float32[1]; file model.onnx maps the vectors of the last
    steps to a state whose product with an item's vector, times `scale`, is its
    logit. `seconds` bounds the training (0: none).
    With `before`, a fit on a part of the same log, its members are fitted anew on
    all of it, for as many epochs as were best there.

    Raises TrainingFailed when the loss is no longer a number.
    """
    recipe = recipe or SequenceRecipe()
    if before is not None:
        return _fit_again(past, items, before, recipe, work, progress, seconds, threads, seed)
    if valid is None:
        past, valid = hold_out_last(past, seed=seed)
    valid = valid.of_new_items()
    n_items = max(len(items), past.n_ords, int(valid.targets.max(initial=-1)) + 1)
    sequences = _windows(past, recipe.max_length)
    if int(np.maximum(sequences.sizes - 1, 0).sum()) < LEAST_STEPS or len(valid) < 10:
        log.info("sequence: too few steps to learn from")
        return None
    import torch

    torch.set_num_threads(max(1, threads))
    started = time.monotonic()
    runs: list[Run] = []
    metrics: dict[str, float] = {}
    for number, dropout in enumerate(recipe.dropouts):
        share = (seconds - (time.monotonic() - started)) / (len(recipe.dropouts) - number) if seconds else 0.0
        if seconds and share <= 0 and runs:
            break
        run = Run(sequences, items, n_items, valid, recipe, dropout, seed + number, work / f"member-{number}")
        best = run.train(share, partial(progress, f"member {number + 1} of {len(recipe.dropouts)}"))
        metrics |= {f"member_{number}_mrr@20": best}
        runs.append(run)
    chosen = _choose([run.model for run in runs], valid, metrics)
    return _export([runs[number] for number in chosen], past, items, n_items, recipe, work, metrics)


def _fit_again(
    past: Interactions,
    items: ItemTable,
    before: Fitted,
    recipe: SequenceRecipe,
    work: Path,
    progress: Progress,
    seconds: float,
    threads: int,
    seed: int,
) -> Fitted:
    import torch

    torch.set_num_threads(max(1, threads))
    sequences, n_items = _windows(past, recipe.max_length), max(len(items), past.n_ords)
    nobody = Held([], np.empty(0, np.int32))
    runs = []
    chosen = list(zip(before.params["dropouts"], before.params["epochs"], strict=True))
    for number, (dropout, epochs) in enumerate(chosen):
        run = Run(sequences, items, n_items, nobody, recipe, dropout, seed + number, work / f"member-{number}")
        tell = partial(progress, f"member {number + 1} of {len(chosen)}")
        run.train_for((epochs[0], epochs[1]), seconds / len(chosen), tell)
        runs.append(run)
    return _export(runs, past, items, n_items, recipe, work, dict(before.metrics))


def _windows(past: Interactions, max_length: int) -> Sequences:
    """Every visitor's steps, cut into windows of at most max_length + 1 that share one step."""
    rows: list[np.ndarray] = []
    starts = past.starts(past.visitor)
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        begin = max(begin, end - MOST_OF_ONE)
        while end - begin > 1:
            low = max(begin, end - max_length - 1)
            rows.append(past.ords[low:end])
            end = low + 1 if low > begin else begin
    sizes = np.array([len(row) for row in rows], np.int64)
    flat = np.concatenate(rows).astype(np.int64) if rows else np.empty(0, np.int64)
    return Sequences(flat, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def _choose(members: list[SequenceModel], valid: Held, metrics: dict[str, float]) -> list[int]:
    """All members together, or the best alone when that is better on the validation steps."""
    alone = [ranks([member], valid) for member in members]
    best = int(np.argmax([mrr(found) for found in alone]))
    together = ranks(members, valid) if len(members) > 1 else alone[best]
    all_of_them = mrr(together) >= mrr(alone[best])
    found = together if all_of_them else alone[best]
    metrics |= {"valid_recall@20": float((found < TOP_K).mean()), "valid_mrr@20": mrr(found)}
    return list(range(len(members))) if all_of_them else [best]


# -------------------------------------------------------------------- export


def _export(
    runs: Sequence[Run],
    past: Interactions,
    items: ItemTable,
    n_items: int,
    recipe: SequenceRecipe,
    work: Path,
    metrics: dict[str, float],
) -> Fitted:
    import torch

    from aisle.models.sequence import NextItem

    members = [run.model for run in runs]
    has_history = torch.from_numpy(np.bincount(past.ords, minlength=n_items) > 0)[:, None]
    with torch.no_grad():
        tables = []
        for member in members:
            rows = torch.arange(n_items)
            content = torch.nn.functional.normalize(member.content(rows), dim=-1)  # [n, dim]; zeros where unknown
            tables.append(torch.where(has_history, member.items(rows), content))
        vectors = torch.cat(tables, 1).numpy()
    arrays = {
        "vectors": vectors.astype(np.float32),
        "scale": np.array([1.0 / (recipe.temperature * len(members))], np.float32),
    }
    work.mkdir(parents=True, exist_ok=True)
    file = work / MODEL_FILE
    network = NextItem(members).eval()
    example = torch.from_numpy(vectors[:3][None].copy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(file),
            input_names=["vectors"],
            output_names=["state"],
            dynamic_axes={"vectors": {0: "shoppers", 1: "steps"}, "state": {0: "shoppers"}},
            opset_version=17,
            dynamo=False,
        )
    _check(network, file, vectors, recipe)
    params = {
        "dropouts": [run.dropout for run in runs],
        "epochs": [list(run.epochs) for run in runs],
        "dim": recipe.dim,
        "max_length": recipe.max_length,
        "temperature": recipe.temperature,
    }
    return Fitted(NAME, arrays, {MODEL_FILE: file}, params, metrics)


def _check(network: NextItem, file: Path, vectors: Vectors, recipe: SequenceRecipe) -> None:
    """The exported model must say what the original says, however long the sequence."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for length in (1, 2, recipe.max_length):
        example = vectors[rng.integers(0, len(vectors), (1, length))]
        with torch.no_grad():
            wanted = network(torch.from_numpy(example)).numpy()
        (got,) = session.run(None, {"vectors": example})
        if not np.allclose(got, wanted, atol=1e-3):
            raise TrainingFailed(
                f"model {NAME}: its ONNX export differs from the model by {abs(got - wanted).max():.4f}"
            )
