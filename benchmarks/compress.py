"""The text encoder made lighter: what each way saves and what it costs.

    python benchmarks/compress.py --products F --queries F --qrels F --train F --test F --out FOLDER
        [--minutes 15] [--layers 3] [--heads 8] [--neurons 768] [--threads 1] [--titles N] [--choose]

Everything is taught on the product titles, pieces of them, one half of the
queries (a hash of their ids) and the texts of --train without their labels.
Measured are, for the encoder in fp32, in int8, pruned, distilled, distilled in
int8, and as a table of tokens: megabytes; speed in batches and for one query
against fp32 in turns of the same run, on one thread and on as many as there are
cores; nDCG@10 by cosines over the whole catalogue, on the other half of the
queries (gain = grade - 1, unjudged = 0); the same with the teacher's vectors of
the products; accuracy on --test of logistic regression on frozen vectors, its
strength chosen on a fold of --train. With `--choose` nothing of --test and of
the other half is touched: figures are of a tenth of the training queries and a
fifth of --train, for choosing sizes and recipes. FOLDER keeps checkpoints and
models: the same command goes on where it was stopped. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.adapters.numpy.static_encoder import StaticTextEncoder
from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.learn.adapt.distil import Recipe, pieces, write_pruned
from aisle.learn.adapt.labelled import Labelled, read_labelled
from aisle.learn.adapt.linear import fit_linear
from aisle.learn.adapt.prune import Size
from aisle.ports import TextEncoder
from aisle.represent.card import STATIC_FILE, text_card
from aisle.represent.encoders import ensure_encoder, source_of
from aisle.represent.export import export_encoder
from aisle.settings import EncoderSettings
from aisle.training.lighter import Plan, Teacher, compress
from aisle.training.lighter_table import FULL, timed
from aisle.types import Vectors

_DISCOUNT = 1 / np.log2(np.arange(2, 12))
"""Of the regression: how much the errors count beside half the squared weights."""
_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries with what was judged of them: (rows of the catalogue, gains) each."""

    texts: tuple[str, ...]
    judged: tuple[tuple[NDArray[np.intp], NDArray[np.float32]], ...]


def read_shop(products: Path, queries: Path, qrels: Path, n_titles: int) -> tuple[list[str], dict[str, str], Any]:
    """Titles, query id -> text, and query id -> {row: gain}."""
    with products.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    gains: dict[str, dict[str, float]] = {}
    for line in qrels.read_text("utf-8").splitlines():
        query, _, item, grade = line.split()
        gains.setdefault(query, {})[item] = max(0.0, float(grade) - 1.0)
    if n_titles:  # a smaller catalogue keeps what was judged, whole queries at a time
        kept: dict[str, None] = {}
        for query in sorted(gains, key=_half_and_more):
            if len(kept) >= n_titles:
                break
            kept.update(dict.fromkeys(gains[query]))
        rows = [row for row in rows if row["id"] in kept]
    place = {row["id"]: number for number, row in enumerate(rows)}
    with queries.open(encoding="utf-8", newline="") as file:
        texts = {row["query_id"]: row["text"] for row in csv.DictReader(file)}
    known = {
        query: {place[item]: gain for item, gain in of_query.items()}
        for query, of_query in gains.items()
        if query in texts and all(item in place for item in of_query)
    }
    return [row["title"] for row in rows], texts, known


def _half_and_more(query: str) -> bytes:
    return hashlib.sha256(query.encode()).digest()


def asked_of(ids: Sequence[str], texts: dict[str, str], known: dict[str, dict[int, float]]) -> Asked:
    good = [query for query in ids if any(gain > 0 for gain in known.get(query, {}).values())]
    judged = tuple(
        (np.array(list(known[query]), np.intp), np.array(list(known[query].values()), np.float32)) for query in good
    )
    return Asked(tuple(texts[query] for query in good), judged)


def ndcg(asked: Asked, queries: Vectors, products: Vectors) -> NDArray[np.float64]:
    """nDCG@10 of each query over the whole catalogue, by cosines."""
    found = np.empty(len(asked.texts))
    for begin in range(0, len(queries), 256):
        scores = queries[begin : begin + 256] @ products.T
        top = np.argpartition(-scores, 10, axis=1)[:, :10]
        for line, row in enumerate(range(begin, min(begin + 256, len(queries)))):
            order = top[line][np.argsort(-scores[line, top[line]], kind="stable")]
            rows, gain = asked.judged[row]
            gains = dict(zip(rows.tolist(), gain.tolist(), strict=True))
            got = sum(gains.get(int(o), 0.0) * d for o, d in zip(order, _DISCOUNT, strict=True))
            best = np.sort(gain)[::-1][:10]
            found[row] = got / float(best @ _DISCOUNT[: len(best)])
    return found


def accuracy(train: Labelled, test: Labelled, encode: Callable[[Sequence[str]], Vectors]) -> float:
    """Share told right; the strength is chosen by cross-validation on the training texts."""
    fitted = fit_linear(encode(train.texts), train.labels, len(train.names))
    return float((fitted.predict(encode(test.texts)) == test.labels).mean())


class Vectored:
    """Vectors of a model's texts, each computed once, also over several calls of this benchmark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str, encoder: TextEncoder, texts: Sequence[str], told: str) -> Vectors:
        digest = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:16]
        file = self._folder / f"{encoder.name}-{digest}.npy"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            parts = []
            for begin in range(0, len(texts), _CHUNK):
                parts.append(encoder.encode(texts[begin : begin + _CHUNK]))
                say(f"{name}: {told} {min(begin + _CHUNK, len(texts))} of {len(texts)}")
            making = file.with_suffix(".new")
            with making.open("wb") as handle:
                np.save(handle, np.concatenate(parts))
            making.replace(file)
        return np.load(file)


def interval(first: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """The 95% interval of other's share of first, over resampled queries."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(first), (2000, len(first)))
    shares = other[rows].mean(1) / first[rows].mean(1)
    return float(np.quantile(shares, 0.025)), float(np.quantile(shares, 0.975))


def say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


def opened(folder: Path, threads: int) -> TextEncoder:
    if (folder / STATIC_FILE).exists():
        return StaticTextEncoder(folder)
    return OnnxTextEncoder(folder, threads=threads)


def pruned_of(out: Path, teacher: Teacher, size: Size, texts: Sequence[str]) -> Path:
    """The student as it is before it learns anything, exported: what distilling is worth beside pruning."""
    folder = out / f"pruned-{size.layers}-{size.heads}-{size.neurons}"
    if not (folder / "card.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        few = texts[:: -(-len(texts) // 256)]
        write_pruned(
            few, opened(teacher.exported, 1).encode(few), source=teacher.source, out=folder / "source", size=size
        )
        named = {"name": "pruned", "model": "pruned", "source_hash": f"{size.layers}-{size.heads}-{size.neurons}"}
        export_encoder(folder / "source", folder, **named, made="pruned", made_of="source")
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, what in (("products", "id, title"), ("queries", "query_id, text"), ("qrels", "TREC judgements"),
                       ("train", "labelled texts"), ("test", "labelled texts")):  # fmt: skip
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints and models are kept")
    parser.add_argument("--minutes", type=float, default=15.0, help="that the student may learn for")
    for name in ("layers", "heads", "neurons"):
        parser.add_argument(f"--{name}", type=int, default=None, help="0: all; default: as aisle compress")
    parser.add_argument("--learning-rate", type=float, default=Recipe().learning_rate)
    parser.add_argument("--alike", type=float, default=Recipe().alike)
    parser.add_argument("--threads", type=int, default=1, help="for teaching")
    parser.add_argument("--titles", type=int, default=0, help="a smaller catalogue of about so many; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--choose", action="store_true", help="measure on folds of what may be learned from")
    given = parser.parse_args()
    missing = [str(f) for f in (given.products, given.queries, given.qrels, given.train, given.test) if not f.exists()]
    if missing:
        print(f"no data: {', '.join(missing)} is not there", file=sys.stderr)
        return 2
    titles, texts, known = read_shop(given.products, given.queries, given.qrels, given.titles)
    ids = sorted(known)
    learned = [query for query in ids if hashlib.sha256(query.encode()).digest()[0] % 2 == 0]
    train = read_labelled(given.train)
    if given.choose:
        held = {query for query in learned if hashlib.sha256(query.encode()).digest()[1] % 10 == 0}
        asked = asked_of([query for query in learned if query in held], texts, known)
        learned = [query for query in learned if query not in held]
        train, test = train.split(0.2, given.seed)
    else:
        among = set(learned)
        asked = asked_of([query for query in ids if query not in among], texts, known)
        test = read_labelled(given.test, names=train.names)
    say(f"{len(titles)} products, {len(asked.texts)} queries, {len(train)} and {len(test)} labelled texts")

    settings = EncoderSettings(threads=given.threads)
    exported = ensure_encoder(settings, given.out / "models")
    teacher = Teacher(exported, source_of(settings), lambda folder: opened(folder, given.threads))
    size = Size(given.layers, given.heads, given.neurons)
    recipe = Recipe(learning_rate=given.learning_rate, alike=given.alike)
    read = [*titles, *pieces(titles), *(texts[query] for query in learned), *train.texts]
    plan = Plan(size=size, minutes=given.minutes, recipe=recipe)
    told: dict[str, float] = {}

    def progress(stage: str, done: int, of: int) -> None:
        if done >= of or time.monotonic() - told.get(stage, 0.0) > 15:
            told[stage] = time.monotonic()
            say(f"{stage}: {done} of {of}")

    rows = compress(
        read, teacher, given.out / "lighter", plan, threads=given.threads, seed=given.seed, progress=progress
    )
    folders = {row.name: row.folder for row in rows}
    folders["pruned"] = pruned_of(given.out, teacher, size, read)
    by_row = {row.name: row for row in rows}

    cores = os.cpu_count() or 1
    found: dict[str, dict[str, Any]] = {name: {"folder": folder.name} for name, folder in folders.items()}
    for threads in sorted({1, cores}):
        encoders = {name: opened(folder, threads) for name, folder in folders.items()}
        rng = np.random.default_rng(given.seed)
        batch = [titles[row] for row in rng.choice(len(titles), min(512, len(titles)), replace=False)]
        whole, single = timed(encoders, batch, asked.texts[:50], lambda n, of: say(f"speed: turn {n} of {of}"))
        for name in folders:
            found[name][f"speed, {threads} thread"] = round(whole[FULL] / whole[name], 2)
            found[name][f"one query, {threads} thread"] = round(single[FULL] / single[name], 2)
            found[name][f"one query, {threads} thread, ms"] = round(1000 * single[name], 3)
    kept = Vectored(given.out / "vectors")
    each: dict[str, NDArray[np.float64]] = {}
    full_products: Vectors | None = None
    for name in (FULL, *(one for one in folders if one != FULL)):
        encoder = opened(folders[name], cores)
        products = kept.of(name, encoder, titles, "products")
        full_products = products if full_products is None else full_products
        queries = kept.of(name, encoder, asked.texts, "queries")
        each[name] = ndcg(asked, queries, products)
        low, high = interval(each[FULL], each[name])
        mixed = ndcg(asked, queries, full_products)
        card = text_card(folders[name])
        right = accuracy(train, test, lambda some, n=name, e=encoder: kept.of(n, e, some, "labelled texts"))
        found[name] |= {
            "MB": round(sum((folders[name] / file).stat().st_size for file in card.files) / 1e6, 1),
            "ndcg@10": round(float(each[name].mean()), 4),
            "share": round(float(each[name].mean() / each[FULL].mean()), 4),
            "share low": round(low, 4),
            "share high": round(high, 4),
            "ndcg@10 in the teacher's index": round(float(mixed.mean()), 4),
            "accuracy": round(right, 4),
            "accuracy share": round(right / found[FULL].get("accuracy", right), 4),
            "cosine of products": round(float((products * full_products).sum(1).mean()), 4),
            "cosine held out": round(by_row[name].cosine, 4) if name in by_row else None,
            "made": card.made,
        }
        print(name, json.dumps(found[name]), flush=True)
    summary = {
        "benchmark": "compress", "products": len(titles), "queries": len(asked.texts), "train": len(train),
        "test": len(test), "chosen on folds": given.choose, "cores": cores, "minutes": given.minutes,
        "size": [size.layers, size.heads, size.neurons], "models": found,
    }  # fmt: skip
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
