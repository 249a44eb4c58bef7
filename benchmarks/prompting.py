"""A language model asked by prompts: how well it sorts texts, and what its order of products is worth.

    python benchmarks/prompting.py --model FOLDER classify --train train.csv --test test.csv [--labels 10] [--texts 200]
    python benchmarks/prompting.py --endpoint http://localhost:8000/v1 --model NAME rank --data ../shared/data

`classify` reads files of labelled texts and measures accuracy with the labels'
names alone and with examples near to each text, as said and with the model's
prejudice taken out, beside what the shop's encoder does with the same training
texts and no language model (the nearest mean of a label). The labels measured
are the first by name, the test texts drawn by --seed. `rank` fits the product's
own models and combination on the orders of a gift shop (online_retail: each
customer's last product is foretold) or reads --moments, JSON lines of `history`
and `candidates` (titles) and `taken` (the place of the one that was), and
measures MRR and nDCG at 20 of the order that was given and of the prompted one,
on the same candidates. A key for the endpoint is taken from AISLE_LANGUAGE_KEY.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.errors import AisleError, LanguageFailed
from aisle.evaluate.next_item import Gain
from aisle.learn.adapt.labelled import Labelled, read_labelled
from aisle.learn.adapt.prompting import Examples, PromptClassifier, Sorted
from aisle.learn.adapt.templates import LANGUAGES, RankPrompt, classify_template
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.ports import LanguageModel
from aisle.rank.prompted import PromptedOrder
from aisle.represent.encoders import ensure_encoder
from aisle.settings import EncoderSettings, LanguageSettings
from aisle.wiring import open_language_model
from next_item import System, Vocabulary, cases_of, say

RANKED = 20
FEWEST, MOST = 4, 50
"""Different products of a customer for the last one to be foretold, and the last ones that are read."""

Moment = tuple[list[str], list[str], int]
"""Titles of a history and of candidates, and the place of the one that was taken, -1 for none of them."""


# ------------------------------------------------------------- classification


def first_labels(labelled: Labelled, n: int, texts: int, seed: int) -> Labelled:
    """Of the first `n` labels by name, at most so many texts, drawn (0: all of either)."""
    rows = np.flatnonzero(labelled.labels < (n or len(labelled.names)))
    if texts:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:texts])
    return Labelled(labelled.take(rows).texts, labelled.labels[rows], labelled.names[: n or None])


def nearest_means(encoder: OnnxTextEncoder, train: Labelled) -> Any:
    """Texts to probabilities by the mean vector of each label: what answers without a language model."""
    vectors = encoder.encode(train.texts)
    means = np.stack([vectors[train.labels == label].mean(0) for label in range(len(train.names))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)

    def plain(texts: Sequence[str]) -> np.ndarray:
        scores = np.exp(20 * encoder.encode(texts) @ means.T)
        return (scores / scores.sum(1, keepdims=True)).astype(np.float32)

    return plain


def classify(model: LanguageModel, given: argparse.Namespace) -> dict[str, Any]:
    train = read_labelled(given.train)
    test = first_labels(read_labelled(given.test, names=train.names), given.labels, given.texts, given.seed)
    train = first_labels(train, given.labels, 0, given.seed)
    with tempfile.TemporaryDirectory() as work:
        encoder = OnnxTextEncoder(ensure_encoder(EncoderSettings(), Path(work)), threads=given.threads)
        plain = nearest_means(encoder, train)
        found: dict[str, Any] = {
            "n_labels": len(train.names), "n_texts": len(test),
            "chance": round(float(np.bincount(test.labels).max() / len(test)), 4),
            "plain_encoder": round(float((plain(test.texts).argmax(1) == test.labels).mean()), 4),
        }  # fmt: skip
        for shots in given.shots:
            for calibrate in (False, True):
                name = f"{shots}_shots{'_calibrated' if calibrate else ''}"
                say(name)
                classifier = PromptClassifier(
                    model, train.names,
                    template=classify_template(given.language),
                    examples=Examples(train, shots, embed=encoder.encode) if shots else None,
                    calibrate=calibrate,
                    plain=plain,
                    at_once=given.at_once,
                )  # fmt: skip
                began = time.perf_counter()
                answered = classifier.classify(test.texts)
                found[name] = told(answered, test, time.perf_counter() - began)
    return found


def told(answered: Sorted, test: Labelled, seconds: float) -> dict[str, Any]:
    right = answered.labels == test.labels
    by_model = ~answered.by_plain
    return {
        "accuracy_of_the_model": round(float(right[by_model].mean()), 4) if by_model.any() else None,
        "answered_by_the_model": round(float(by_model.mean()), 4),
        "accuracy_with_plain": round(float(right.mean()), 4),
        "graded": answered.n_graded,
        "seconds_a_text": round(seconds / len(test), 3),
        "faults": dict(Counter(answered.faults).most_common(3)),
    }


# -------------------------------------------------------------------- ranking


def read_moments(file: Path) -> list[Moment]:
    found = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            found.append((list(row["history"]), list(row["candidates"])[:RANKED], int(row["taken"])))
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f"{file}, line {number}: not {{history, candidates, taken}} ({error})")
    return found


def retail(folder: Path, given: argparse.Namespace) -> list[Moment]:
    """Each customer's last product, among what the product's own combination proposes."""
    import polars as pl

    lines = (
        pl.read_parquet(folder / "online_retail" / "online_retail.parquet")
        .filter((pl.col("Quantity") > 0) & pl.col("CustomerID").is_not_null())
        .with_columns(pl.col("Description").str.strip_chars())
        .filter(pl.col("Description") != "")
        .sort("InvoiceDate", maintain_order=True)
    )
    vocabulary, sequences = Vocabulary(), []
    for (_,), bought in lines.group_by(["CustomerID"], maintain_order=True):
        steps = list(dict.fromkeys(bought["Description"].to_list()))[-MOST:]
        if len(steps) >= FEWEST:
            sequences.append(np.array([vocabulary.ord(title.title()) for title in steps], np.int32))
    say(f"{len(sequences):,} customers, {len(vocabulary.ords):,} products")
    system = System(
        Interactions.of_sequences([s[:-2] for s in sequences]), ItemTable.blank(len(vocabulary.ords)),
        models=["covisitation", "neighbours"], threads=given.threads, seconds=60 * given.minutes, seed=given.seed,
    )  # fmt: skip
    rng = np.random.default_rng(given.seed)
    valid = np.sort(rng.permutation(len(sequences))[: given.cases]).tolist()
    system.fit(cases_of([sequences[n][:-2] for n in valid], [int(sequences[n][-2]) for n in valid], valid))
    system.finish(Interactions.of_sequences([s[:-1] for s in sequences]))
    names, found = vocabulary.names(), []
    for number in np.sort(rng.permutation(len(sequences))[: given.tests]).tolist():
        history, target = sequences[number][:-1], int(sequences[number][-1])
        (case,) = cases_of([history], [target], [0]).shoppers
        ords = system.rank(system.propose(case), case)
        ords = ords[~np.isin(ords, history)][:RANKED].tolist()
        taken = ords.index(target) if target in ords else -1
        found.append(([names[o] for o in history.tolist()], [names[o] for o in ords], taken))
    system.close()
    return found


def rank(model: LanguageModel, given: argparse.Namespace) -> dict[str, Any]:
    moments = read_moments(given.moments) if given.moments else retail(given.data, given)
    asked = [moment for moment in moments if 0 <= moment[2] < len(moment[1])]
    say(f"{len(moments):,} moments; in {len(asked):,} what was taken is among the candidates, and an order matters")
    before, after, taken_s, faults = [], [], [], Counter[str]()
    for number, (history, candidates, taken) in enumerate(asked):
        titles = [*history, *candidates]
        ordered = PromptedOrder(model, RankPrompt.of(given.language), lambda o, t=titles: [t[n] for n in o.tolist()])
        n = len(history)
        began = time.perf_counter()
        try:
            order = ordered.order(np.arange(n, dtype=np.int32), (), np.arange(n, n + len(candidates), dtype=np.int32))
        except LanguageFailed as error:
            faults[f"{type(error).__name__}: {error}"[:100]] += 1
            order = np.arange(len(candidates))
        taken_s.append(time.perf_counter() - began)
        before.append(taken)
        after.append(int(np.flatnonzero(order == taken)[0]))
        if number % 50 == 49:
            say(f"{number + 1:,} of {len(asked):,} ordered")
    if not asked:
        return {"n_moments": len(moments), "n_ordered": 0}
    places = {"given": np.array(before), "prompted": np.array(after)}
    gain = Gain.of(1 / (places["prompted"] + 1.0), 1 / (places["given"] + 1.0), np.arange(len(asked)))
    return {
        "n_moments": len(moments), "n_ordered": len(asked), "n_failed": sum(faults.values()),
        **{f"{name}_mrr": mean(1 / (at + 1.0), moments) for name, at in places.items()},
        **{f"{name}_ndcg": mean(1 / np.log2(at + 2.0), moments) for name, at in places.items()},
        "gain_in_mrr_where_ordered": [round(x, 4) for x in (gain.mean, gain.low, gain.high)],
        "p50_s": round(float(np.median(taken_s)), 3), "p95_s": round(float(np.quantile(taken_s, 0.95)), 3),
        "faults": dict(faults.most_common(3)),
    }  # fmt: skip


def mean(worth: np.ndarray, moments: Sequence[Moment]) -> float:
    """Over all moments: where what was taken is no candidate, any order is worth nothing."""
    return round(float(worth.sum() / len(moments)), 4)


# ------------------------------------------------------------------------ all


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder or, with --endpoint, the model's name there")
    parser.add_argument("--endpoint", default="", help="where OpenAI's protocol is spoken")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds an answer may take")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the templates")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    tasks = parser.add_subparsers(dest="task", required=True)
    sorting = tasks.add_parser("classify")
    sorting.add_argument("--train", type=Path, required=True)
    sorting.add_argument("--test", type=Path, required=True)
    sorting.add_argument("--labels", type=int, default=0, help="only so many labels, the first by name; 0: all")
    sorting.add_argument("--texts", type=int, default=200, help="only so many test texts; 0: all")
    sorting.add_argument("--shots", type=int, nargs="+", default=[0, 8])
    sorting.add_argument("--at-once", type=int, default=1, help="texts asked about together")
    ranking = tasks.add_parser("rank")
    ranking.add_argument("--data", type=Path, default=os.environ.get("AISLE_DATA"), help="folder of online_retail")
    ranking.add_argument("--moments", type=Path, help="JSON lines of one's own instead")
    ranking.add_argument("--tests", type=int, default=500)
    ranking.add_argument("--cases", type=int, default=2000, help="customers that the combination is fitted on")
    ranking.add_argument("--minutes", type=float, default=5.0, help="the time that fitting may take")
    given = parser.parse_args()
    if given.task == "rank" and not given.moments and not (given.data and (given.data / "online_retail").is_dir()):
        print("no data: give --data a folder with online_retail, or --moments a file", file=sys.stderr)
        return 2
    settings = LanguageSettings(endpoint=given.endpoint, model=given.model, timeout_s=given.timeout)
    try:
        model = open_language_model(settings)
        assert model is not None
        found = classify(model, given) if given.task == "classify" else rank(model, given)
        model.close()
    except AisleError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"benchmark": "prompting", "task": given.task, "model": model.name, **found}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
