"""What reviews tell: sentiment and category, by adapted encoders beside TF-IDF.

    python benchmarks/reviews.py --data DIR --task zh-sentiment --method words --minutes 8 --out F
    python benchmarks/reviews.py --data DIR --task zh-sentiment --method tfidf

Tasks: zh-sentiment and zh-category (`reviews_zh`, 62,774 Chinese reviews of ten categories), en-sentiment (the reviews
of `luma`, 4 and 5 stars against 1 to 3). A fifth of the texts, none of which is learned from, is the test; of `luma`,
which has 500, each fifth in turn. Methods: tfidf (one and two characters or words, logistic regression, its strength
chosen by cross-validation), the methods of `aisle tune`, and words: what the encoder does not know is added, learned
for `--reading` minutes by guessing hidden words, and then all of it is tuned. `--minutes` bounds the tuning.
`--encoder` names any encoder; the one at hand without a download is all-MiniLM-L6-v2, which knows 488 Chinese
characters. `--out` gets the test's texts and labels with a `prediction`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.pretraining import MaskedWords, write_encoder
from aisle.learn.adapt.recipe import METHODS, Recipe
from aisle.learn.adapt.tasks import Classification, label_metrics
from aisle.learn.adapt.tune import tune
from aisle.learn.adapt.vocabulary import add_words, unknown_words
from aisle.represent.encoders import source_of
from aisle.settings import EncoderSettings

FOLDS: Final = 5
_WHOLE: Final = 5000
"""With fewer texts every fold is the test once: one of them would say little."""

Labels = NDArray[np.int64]
Method = Callable[[Labelled, Sequence[str], argparse.Namespace, Path], Labels]
"""Learn from labelled texts in a folder of one's own, and predict the labels of others."""


def chinese(column: str) -> Callable[[Path], Labelled]:
    def read(data: Path) -> Labelled:
        frame = pl.read_parquet(data / "reviews_zh" / "online_shopping_10_cats.parquet").drop_nulls("review")
        frame = frame.unique("review", keep="none", maintain_order=True)  # else a test text may have been learned from
        return Labelled.of(frame["review"].to_list(), frame[column].cast(pl.String).to_list())

    return read


def luma(data: Path) -> Labelled:
    frame = pl.read_csv(data / "luma" / "reviews.csv")
    frame = frame.with_columns(said=pl.concat_str("title", pl.lit(". "), "text")).unique("said", maintain_order=True)
    good = ["good" if stars >= 4 else "bad" for stars in frame["rating"].to_list()]
    return Labelled.of(frame["said"].to_list(), good)


TASK: Final = {"zh-sentiment": chinese("label"), "zh-category": chinese("cat"), "en-sentiment": luma}


def tfidf(train: Labelled, texts: Sequence[str], given: argparse.Namespace, work: Path) -> Labels:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegressionCV

    pieces = "char" if given.task.startswith("zh") else "word"
    read = TfidfVectorizer(analyzer=pieces, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    head = LogisticRegressionCV(
        Cs=[1.0, 4.0, 16.0], l1_ratios=(0,), cv=3, max_iter=300, scoring="accuracy", use_legacy_attributes=False
    )
    head.fit(read.fit_transform(train.texts), train.labels)
    return np.asarray(head.predict(read.transform(texts)), np.int64)


def tuned(method: str, *, words: bool = False) -> Method:
    def predict(train: Labelled, texts: Sequence[str], given: argparse.Namespace, work: Path) -> Labels:
        source = source_of(EncoderSettings(model=given.encoder))
        if words and given.reading:
            source = reading(source, train.texts, given, work)
        recipe = Recipe.of(
            method, held=0.0, words=words, seconds=60 * given.minutes, batch=given.batch, max_tokens=given.max_tokens,
            learning_rate=given.learning_rate, epochs=given.epochs,
        )  # fmt: skip
        task = Classification(train, source, recipe)
        adapted = tune(task, source, method, recipe, run=work / "tuned", threads=given.threads, progress=told)
        return np.asarray(task.logits(adapted.network, task.read(texts)).argmax(1), np.int64)

    return predict


def reading(source: Path, texts: Sequence[str], given: argparse.Namespace, work: Path) -> Path:
    """The encoder that has read the texts, with the characters that it did not know."""
    new = unknown_words(source, texts)
    print(f"{len(new)} words are added", file=sys.stderr)
    add_words(source, new, work / "more")
    recipe = Recipe.of(
        "full", held=0.02, words=True, seconds=60 * given.reading, learning_rate=5e-4, epochs=20.0,
        max_tokens=given.max_tokens,
    )  # fmt: skip
    task = MaskedWords(texts, work / "more", recipe)
    read = tune(task, work / "more", "full", recipe, run=work / "read", threads=given.threads, progress=told)
    before, after = read.before["perplexity"], read.after["perplexity"]
    print(f"\nperplexity of a hidden word {before:.0f} -> {after:.0f} in {read.steps} steps", file=sys.stderr)
    folder: Path = given.keep or work / "reads"
    write_encoder(read, work / "more", folder)
    return folder


METHOD: Final[dict[str, Method]] = {
    "tfidf": tfidf, "words": tuned("full", words=True), **{method: tuned(method) for method in METHODS}
}  # fmt: skip
"""Name to function; a new method is one more entry."""


def told(stage: str, done: int, total: int) -> None:
    print(f"\r{stage}: {done} of {total} ", end="", file=sys.stderr, flush=True)


def folds(data: Labelled) -> Iterator[tuple[Labelled, Labelled]]:
    """What is learned from and tested on: one fold of many texts, each fold of few."""
    order = np.random.default_rng(0).permutation(len(data))
    for number in range(1 if len(data) > _WHOLE else FOLDS):
        held = np.zeros(len(data), bool)
        held[order[number::FOLDS]] = True
        yield data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", choices=sorted(TASK), required=True)
    parser.add_argument("--method", choices=sorted(METHOD), required=True)
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--minutes", type=float, default=8.0, help="of tuning, a fold; 0: no limit")
    parser.add_argument("--reading", type=float, default=10.0, help="minutes of guessing hidden words; 0: none")
    parser.add_argument("--keep", type=Path, help="keep the encoder that has read the texts in this folder")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    data = TASK[given.task](given.data)
    tests, predicted, n_train, begun = [], [], 0, time.perf_counter()
    for train, test in folds(data):
        with tempfile.TemporaryDirectory() as work:
            predicted.append(METHOD[given.method](train, test.texts, given, Path(work)))
        tests.append(test)
        n_train = len(train)
    labels = np.concatenate([test.labels for test in tests])
    found = np.concatenate(predicted)
    if given.out is not None:
        named = {"text": [text for test in tests for text in test.texts]}
        named |= {key: [data.names[place] for place in of] for key, of in (("label", labels), ("prediction", found))}
        pl.DataFrame(named).write_csv(given.out)
    metrics = {name: round(value, 5) for name, value in label_metrics(found, labels, len(data.names)).items()}
    largest = round(float(np.bincount(labels).max() / len(labels)), 5)
    print(json.dumps({"task": given.task, "method": given.method, "train": n_train, "test": len(labels), **metrics,
                      "largest_label": largest, "seconds": round(time.perf_counter() - begun)}))  # fmt: skip


if __name__ == "__main__":
    main()
