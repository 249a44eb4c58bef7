"""Few labels or none: how many test texts get the right one.

    python benchmarks/few_shot.py --train banking77_train.csv --test banking77_test.csv \
        --shots 10 --draws 5 --method setfit --out few_shot.csv
    python benchmarks/few_shot.py --train banking77_train.csv --test banking77_test.csv --method names
    python benchmarks/few_shot.py --train banking77_train.csv --test banking77_test.csv --active --draws 5

`--shots` texts of each label are drawn from the training file (0: all of them), `--draws` times; the rest of that
file are texts without labels for the methods that use such. Without `--test`, 30% of each label of the training file
are the test. `--dev` draws the test from the training file also where there is one: what is chosen is chosen there.
With `--active`, labels are asked for `--batch` at a time up to `--labels`, of the texts most worth one and at random,
beginning with the same `--batch` random ones. `--out` gets the first draw's predictions, a row a test text in order.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.learn.adapt.few_shot import fit_few_shot, fit_with_unlabelled
from aisle.learn.adapt.label_names import fit_names, read_descriptions
from aisle.learn.adapt.labelled import Labelled, read_labelled, shared
from aisle.learn.adapt.linear import Floats, fit_linear
from aisle.learn.adapt.recipe import FewRecipe
from aisle.learn.adapt.self_training import fit_self_training
from aisle.learn.adapt.sentences import Sentences
from aisle.learn.adapt.worth_labelling import worth_labelling
from aisle.represent.encoders import source_of
from aisle.settings import EncoderSettings


@dataclass
class Given:
    """What a method may use beside the labelled texts. Each text is encoded once, whatever method asks."""

    source: Path
    unlabelled: Sequence[str] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    recipe: FewRecipe = field(default_factory=FewRecipe)
    threads: int = 1
    notes: list[str] = field(default_factory=list)
    _encoder: Sentences | None = None
    _known: dict[str, Floats] = field(default_factory=dict)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors float32[n, dim] of the encoder as it was published."""
        if self._encoder is None:
            self._encoder = Sentences.read(self.source)
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


Method = Callable[[Labelled, Sequence[str], Given], NDArray[np.int32]]
"""Learn from labelled texts, and predict the labels of others: places in `names`."""


def frozen(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """Logistic regression on the vectors as they are."""
    head = fit_linear(given.encode(train.texts), train.labels, len(train.names), seed=given.seed)
    given.notes.append(f"strength {head.strength:g}")
    return head.predict(given.encode(texts))


def frozen_named(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """The same, and the label's name is one example more."""
    model = fit_few_shot(train, source=given.source, descriptions=given.descriptions, tune=False, seed=given.seed)
    return model.predict(texts)


def setfit(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """The encoder is tuned on the examples first."""
    model = fit_few_shot(
        train,
        source=given.source,
        recipe=given.recipe,
        descriptions=given.descriptions,
        threads=given.threads,
        seed=given.seed,
    )
    return model.predict(texts)


def setfit_more(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """The same, and texts without labels teach, too."""
    model = fit_with_unlabelled(
        train, given.unlabelled, source=given.source, recipe=given.recipe, descriptions=given.descriptions,
        threads=given.threads, seed=given.seed,
    )  # fmt: skip
    return model.predict(texts)


def nearest_name(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """No label, no unlabelled text: the nearest name."""
    return fit_names(train.names, given.encode, descriptions=given.descriptions).predict(given.encode(texts))


def names(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """No label: names, and texts without labels."""
    unlabelled = given.encode([*train.texts, *given.unlabelled])
    found = fit_names(train.names, given.encode, unlabelled=unlabelled, descriptions=given.descriptions)
    given.notes.append(f"{found.n_taken} of {found.n_unlabelled} unlabelled texts taken")
    return found.predict(given.encode(texts))


def self_training(train: Labelled, texts: Sequence[str], given: Given) -> NDArray[np.int32]:
    """Logistic regression, and texts without labels where they help."""
    if not given.unlabelled:
        return frozen(train, texts, given)
    vectors, labels = given.encode(train.texts), train.labels
    found = fit_self_training(vectors, labels, len(train.names), given.encode(given.unlabelled), seed=given.seed)
    given.notes.append(str(found))
    return found.head.predict(given.encode(texts))


METHODS: Mapping[str, Method] = {
    "frozen": frozen,
    "frozen_named": frozen_named,
    "setfit": setfit,
    "setfit_more": setfit_more,
    "nearest_name": nearest_name,
    "names": names,
    "self_training": self_training,
}


def macro_f1(found: NDArray[np.int32], labels: NDArray[np.int32], n_labels: int) -> float:
    """The mean F1 of the labels that the test has."""
    each = []
    for label in range(n_labels):
        right = int(((found == label) & (labels == label)).sum())
        of = int((found == label).sum()) + int((labels == label).sum())
        if (labels == label).any():
            each.append(2 * right / of)
    return float(np.mean(each))


def draws(train: Labelled, test: Labelled, method: Method, given: Given, args: argparse.Namespace) -> dict[str, Any]:
    accuracies, f1s, seconds, first = [], [], [], None
    for number in range(args.draws):
        seed = args.seed + number
        drawn = train.drawn(args.shots, np.random.default_rng(seed)) if args.shots else train
        known = set(drawn.texts)
        given.seed, given.unlabelled = seed, [text for text in train.texts if text not in known]
        begun = time.monotonic()
        found = method(drawn, test.texts, given)
        seconds.append(round(time.monotonic() - begun, 1))
        accuracies.append(round(float((found == test.labels).mean()), 4))
        f1s.append(round(macro_f1(found, test.labels, len(test.names)), 4))
        first = found if first is None else first
        note = f" ({given.notes[-1]})" if given.notes else ""
        print(f"draw {seed}: {len(drawn)} texts, {accuracies[-1]:.2%} right, {seconds[-1]} s{note}", flush=True)
    if args.out and first is not None:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "label", "prediction"])
            rows.writerows(
                (text, test.names[label], test.names[guess])
                for text, label, guess in zip(test.texts, test.labels, first, strict=True)
            )
    return {
        "method": args.method,
        "shots": args.shots,
        "test": len(test),
        "accuracy": round(float(np.mean(accuracies)), 4),
        "macro_f1": round(float(np.mean(f1s)), 4),
        "each": accuracies,
        "seconds": seconds,
    }


def active(train: Labelled, test: Labelled, given: Given, args: argparse.Namespace) -> dict[str, Any]:
    """Accuracy against the number of labels, ours and random, each a mean over the draws."""
    pool, asked = given.encode(train.texts), given.encode(test.texts)
    steps = list(range(args.batch, args.labels + 1, args.batch))
    curves: dict[str, list[list[float]]] = {"worth": [], "random": []}
    for number in range(args.draws):
        begun = np.random.default_rng(args.seed + number).permutation(len(train))
        for way, curve in curves.items():
            rows, line = begun[: args.batch], []
            for n_labels in steps:
                head = fit_linear(pool[rows], train.labels[rows], len(train.names), strengths=(30.0,))
                line.append(float((head.predict(asked) == test.labels).mean()))
                if n_labels == steps[-1]:
                    break
                if way == "random":
                    rows = begun[: n_labels + args.batch]
                    continue
                rest = np.setdiff1d(np.arange(len(train)), rows)
                queue = worth_labelling(
                    pool[rest],
                    chances=head.chances(pool[rest]),
                    names=train.names,
                    labelled=pool[rows],
                    top_k=args.batch,
                    seed=args.seed + number,
                )
                if number == 0 and n_labels == args.batch:
                    for worth in queue[:3]:
                        print(f"{train.texts[rest[worth.row]]!r}: {worth.reason}")
                rows = np.concatenate([rows, rest[[worth.row for worth in queue]]])
            curve.append(line)
    means = {way: np.mean(curve, axis=0) for way, curve in curves.items()}
    print("labels  worth  random")
    for place, n_labels in enumerate(steps):
        print(f"{n_labels:6d}  {means['worth'][place]:.4f}  {means['random'][place]:.4f}", flush=True)
    return {"labels": steps, **{way: [round(float(v), 4) for v in mean] for way, mean in means.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--dev", action="store_true", help="test on 30%% of the training file, which is left out of it")
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", choices=sorted(METHODS), default="frozen")
    parser.add_argument("--descriptions", type=Path, help="JSON: what each label's name means")
    parser.add_argument("--only", type=int, default=0, help="only so many of the labels, drawn at random")
    parser.add_argument("--recipe", default="{}", help="JSON: fields of the recipe of setfit")
    parser.add_argument("--encoder", default=EncoderSettings().model)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--active", action="store_true")
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    train = read_labelled(args.train)
    test = read_labelled(args.test, names=train.names) if args.test else None
    if args.dev or test is None:
        train, test = train.split(0.3, args.seed)
    if args.only:
        train, test = fewer(train, args.only), fewer(test, args.only)
    if both := shared(train, test):
        print(f"{both} texts of the test are also in the training file")
    descriptions = read_descriptions(args.descriptions, train.names) if args.descriptions else {}
    given = Given(
        source_of(EncoderSettings(model=args.encoder)),
        descriptions=descriptions,
        recipe=FewRecipe(**json.loads(args.recipe)),
        threads=args.threads,
    )
    result = active(train, test, given, args) if args.active else draws(train, test, METHODS[args.method], given, args)
    print(json.dumps(result))


def fewer(texts: Labelled, n: int) -> Labelled:
    """The texts of `n` of the labels; the same ones for the same names."""
    kept = np.sort(np.random.default_rng(0).permutation(len(texts.names))[:n])
    place = {int(label): number for number, label in enumerate(kept)}
    rows = np.flatnonzero(np.isin(texts.labels, kept))
    return Labelled(
        tuple(texts.texts[row] for row in rows.tolist()),
        np.array([place[int(label)] for label in texts.labels[rows]], np.int32),
        tuple(texts.names[label] for label in kept.tolist()),
    )


if __name__ == "__main__":
    main()
