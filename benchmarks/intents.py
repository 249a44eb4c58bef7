"""What adapting the encoder to labelled texts is worth: accuracy and macro F1 on a test file, by method.

    python benchmarks/intents.py --train F --test F [--shots N] --method M [--seeds K] [--seed S] --out F
        [--encoder NAME] [--epochs E] [--learning-rate R] [--set NAME=VALUE]... [--choose] [--served]
        [--threads N] [--work FOLDER]

With `--shots` so many texts of each label are drawn from the training file, for
each seed anew. `--choose` leaves the test file alone: a fifth of the training
file is measured on instead, which is how recipes are chosen. OUT gets the test's
columns, in their order, with a `prediction` of the first seed. Rows of the test
that are also in the training are told aloud. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aisle.adapters.onnx.text_classifier import OnnxTextClassifier
from aisle.errors import AisleError
from aisle.learn.adapt.exporting import export_classifier
from aisle.learn.adapt.labelled import Labelled, read_labelled, shared
from aisle.learn.adapt.recipe import METHODS, Recipe
from aisle.learn.adapt.tasks import Classification, label_metrics
from aisle.learn.adapt.tune import tune
from aisle.represent.encoders import source_of
from aisle.settings import EncoderSettings


@dataclass(frozen=True, slots=True)
class Given:
    """What a method may use beside the training texts."""

    source: Path
    work: Path
    seed: int
    threads: int
    changed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`predicted` int64[n], the places of the labels; the share of the weights that were trained.

    `serve` writes what would serve into a folder.
    """

    predicted: np.ndarray
    share: float
    serve: Callable[[Path], object]


Adapt = Callable[[Labelled, Sequence[str], Given], Answer]


def tuned(method: str) -> Adapt:
    """Tune the encoder by one of its methods on all the training texts; nothing is held out, for nothing is chosen."""

    def answer(train: Labelled, texts: Sequence[str], given: Given) -> Answer:
        recipe = Recipe.of(method, seed=given.seed, **{"held": 0.0, **given.changed})
        task = Classification(train, given.source, recipe)
        adapted = tune(task, given.source, method, recipe, run=given.work, threads=given.threads, progress=told)
        print(file=sys.stderr)
        predicted = task.logits(adapted.network, task.read(texts)).argmax(1)
        return Answer(predicted, adapted.share, partial(export_classifier, adapted, task, given.source))

    return answer


METHOD: dict[str, Adapt] = {method: tuned(method) for method in METHODS}
"""Name to function; a new method is one more entry."""


def as_served(answer: Answer, files: Path, test: Labelled, threads: int) -> dict[str, float]:
    """Accuracy of what serves, and the bits of its weights."""
    answer.serve(files)
    predicted = OnnxTextClassifier(files, threads=threads).classify(test.texts).argmax(1)
    bits = json.loads((files / "classifier.json").read_text("utf-8"))["bits"]
    return {"served_accuracy": round(float((predicted == test.labels).mean()), 5), "served_bits": bits}


def told(stage: str, done: int, total: int) -> None:
    print(f"\r{stage}: {done} of {total} ", end="", file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--text-column", default="")
    parser.add_argument("--label-column", default="")
    parser.add_argument("--shots", type=int, default=0, help="texts of each label; 0: all")
    parser.add_argument("--method", choices=sorted(METHOD), required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many of them, one after the other")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any number of the recipe")
    parser.add_argument("--choose", action="store_true", help="measure on a fifth of the training file")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--served", action="store_true", help="measure what would serve, too")
    parser.add_argument("--work", type=Path, help="keeps checkpoints: the same command goes on from there")
    given = parser.parse_args(arguments)
    if not given.choose and given.test is None:
        parser.error("--test is needed, unless --choose")
    return given


def changes(given: argparse.Namespace) -> dict[str, Any]:
    kinds = {field.name: type(getattr(Recipe(), field.name)) for field in fields(Recipe) if field.name != "seed"}
    found = {"epochs": given.epochs, "learning_rate": given.learning_rate}
    for pair in given.set:
        name, _, value = pair.partition("=")
        if name not in kinds:
            sys.exit(f"the recipe has no {name!r}; it has {', '.join(kinds)}")
        found[name] = kinds[name](value)
    return {name: value for name, value in found.items() if value is not None}


def main(arguments: Sequence[str] | None = None) -> None:
    given = parse(arguments)
    train = read_labelled(given.train, text=given.text_column, label=given.label_column)
    if given.choose:
        train, test = train.split(0.2, 0)
    else:
        test = read_labelled(given.test, text=given.text_column, label=given.label_column, names=train.names)
    if same := shared(train, test):
        print(f"CAUTION: {same} of {len(test)} test texts are also in the training file; what follows flatters")
    rows = []
    first: np.ndarray | None = None
    for seed in range(given.seed, given.seed + given.seeds):
        drawn = train.drawn(given.shots, np.random.default_rng(seed)) if given.shots else train
        with tempfile.TemporaryDirectory() as temporary:
            work = (given.work or Path(temporary)) / f"{given.method}-{given.shots or 'all'}-{seed}"
            begun = time.perf_counter()
            use = Given(source_of(EncoderSettings(model=given.encoder)), work, seed, given.threads, changes(given))
            answer = METHOD[given.method](drawn, test.texts, use)
            took = time.perf_counter() - begun
            served = (
                as_served(answer, work.with_name(f"{work.name}-served"), test, given.threads) if given.served else {}
            )
        found = label_metrics(answer.predicted, test.labels, len(test.names))
        rows.append({**found, "share": answer.share, "s": took, **served})
        first = answer.predicted if first is None else first
        print(
            f"{given.method} seed {seed}: {len(drawn)} texts, {len(train.names)} labels: accuracy "
            f"{rows[-1]['accuracy']:.4f}, macro F1 {rows[-1]['macro_f1']:.4f}, trained {answer.share:.2%}, {took:.0f} s"
        )
    assert first is not None
    if given.out is not None:
        write(given, test, first)
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    means = {name: round(float(np.mean([row[name] for row in rows])), 5) for name in rows[0]}
    spread = round(float(np.std([row["accuracy"] for row in rows])), 5)
    print(json.dumps({"method": given.method, "shots": given.shots, "seeds": given.seeds, "train": len(train),
                      "test": len(test), **means, "accuracy_sd": spread, "peak_mb": round(mb)}))  # fmt: skip


def write(given: argparse.Namespace, test: Labelled, predicted: np.ndarray) -> None:
    """The test's own columns with a prediction; a row that could not be read as a test has none."""
    answers = [test.names[place] for place in predicted.tolist()]
    if given.choose:
        labels = [test.names[place] for place in test.labels.tolist()]
        pl.DataFrame({"text": test.texts, "label": labels, "prediction": answers}).write_csv(given.out)
        return
    readers = {".csv": pl.read_csv, ".tsv": lambda file, **more: pl.read_csv(file, separator="\t", **more)}
    read = readers.get(given.test.suffix.lower())
    frame = read(given.test, infer_schema=False) if read else pl.DataFrame({"text": test.texts})
    if len(frame) != len(test):
        sys.exit(f"{given.test.name} has rows without a text or a label: mend them, so that each gets a prediction")
    frame.with_columns(pl.Series("prediction", answers)).write_csv(given.out)


if __name__ == "__main__":
    try:
        main()
    except AisleError as error:
        sys.exit(f"aisle: {error}")
