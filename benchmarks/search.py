r"""Search, trained on judgements and measured on others, through the product's own path.

    python benchmarks/search.py --products products.csv \
        --train-queries queries.csv --train-qrels train.txt \
        --test-queries queries.csv --test-qrels test.txt --run-out run.txt [--ablate]
    python benchmarks/search.py --products products.csv --train-queries queries.csv \
        --train-qrels qrels.txt --halves --run-out run.txt

Products and queries are CSV (id and title; query_id and text), judgements and
the run TREC files. A shop is made of the products, trained on the judgements,
and asked every test query for a hundred products; without training judgements
it is measured as it comes. nDCG@10 has gain grade - 1 (`--irrelevant`) and 0
for what nobody judged. Queries of the test file without any judgement are
answered, and not measured. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from rich.progress import track

from aisle import Settings, Shop
from aisle.evaluate.ranked import ndcg_of
from aisle.training.search import SEARCH_MODELS
from searching import WARM
from searching import measure as measure_speed

DEPTH = 100
TIMED = 300
Qrels = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the judged queries."""

    ndcg10: float
    recall100: float
    mrr: float
    n_queries: int
    ndcg10_interval95: tuple[float, float]


def read_queries(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["query_id"]: row["text"] for row in csv.DictReader(lines)}


def read_qrels(file: Path, irrelevant: float) -> Qrels:
    """Gains by query and item: what is up to `irrelevant` is 0."""
    found: dict[str, dict[str, float]] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            query_id, _, item_id, grade = line.split()
            found.setdefault(query_id, {})[item_id] = max(0.0, float(grade) - irrelevant)
    return found


def ask(shop: Shop, queries: Mapping[str, str], ignore: Sequence[str] = ()) -> dict[str, list[tuple[str, float]]]:
    """A hundred products for each query, with their scores, from a shop that has taken up all its models."""
    taken_up(shop)
    found = {}
    for query_id, text in track(queries.items(), "searching", disable=not sys.stderr.isatty()):
        hits = shop.search(text, hits_per_page=DEPTH, ignore=ignore, record=False).hits
        found[query_id] = [(hit.item_id, hit.score) for hit in hits]
    return found


def halve(given: argparse.Namespace, folder: Path) -> None:
    """Write the two halves and put them in the place of the files that were given."""

    def learned(query_id: str) -> bool:
        return sha256(query_id.encode()).digest()[0] % 2 == 0

    parts = {True: folder / "train.txt", False: folder / "test.txt"}
    with given.train_qrels.open(encoding="utf-8") as lines:
        judged = [line for line in lines if line.strip()]
    for half, file in parts.items():
        file.write_text("".join(line for line in judged if learned(line.split()[0]) is half), "utf-8")
    queries = read_queries(given.train_queries)
    with (folder / "queries.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("query_id", "text"))
        writer.writerows((query_id, text) for query_id, text in queries.items() if not learned(query_id))
    given.train_qrels, given.test_qrels, given.test_queries = parts[True], parts[False], folder / "queries.csv"


def taken_up(shop: Shop) -> None:
    """Wait until the shop serves with all its models, and knows its words."""
    parts = shop._parts
    parts.vocabulary.follow()
    while parts.meaning.behind:
        time.sleep(0.1)
    parts.ranking.catch_up()


def measure(run: Mapping[str, Sequence[tuple[str, float]]], qrels: Qrels) -> Figures:
    ndcg, recall, mrr = [], [], []
    for query_id, gains in qrels.items():
        best = ndcg_of(np.array(sorted(gains.values(), reverse=True)))
        if query_id not in run or best <= 0:
            continue
        shown = [item_id for item_id, _ in run[query_id]]
        ndcg.append(ndcg_of(np.array([gains.get(item_id, 0.0) for item_id in shown])) / best)
        relevant = {item_id for item_id, gain in gains.items() if gain > 0}
        recall.append(len(relevant.intersection(shown[:100])) / len(relevant))
        mrr.append(next((1 / place for place, item_id in enumerate(shown, 1) if item_id in relevant), 0.0))
    each = np.array(ndcg)
    draws = np.random.default_rng(0).integers(0, len(each), (2000, len(each)))
    low, high = np.percentile(each[draws].mean(1), (2.5, 97.5))
    return Figures(
        round(float(each.mean()), 4), round(float(np.mean(recall)), 4), round(float(np.mean(mrr)), 4), len(each),
        (round(float(low), 4), round(float(high), 4)),
    )  # fmt: skip


def write_run(file: Path, run: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    with file.open("w", encoding="utf-8") as out:
        for query_id, hits in run.items():
            # The order is the answer's; scores fall with it, as readers of such files expect.
            for place, (item_id, _) in enumerate(hits, start=1):
                out.write(f"{query_id} Q0 {item_id} {place} {1 / place:.6f} aisle\n")


def speed(place: Path, given: argparse.Namespace, queries: Sequence[str]) -> dict[str, object]:
    """A page as a storefront asks for it, facets and slate recording on, beside its ingredients: searching.py says how.

    Without the network that reads the best candidates, and with it.
    """
    found: dict[str, object] = {}
    asked = list(dict.fromkeys(queries))[: 2 * TIMED + WARM]
    for name, search in (("without reading", {"reading_ms": 0}), ("with reading", {})):
        with Shop.open(place, settings=settings_of(given, search=search)) as shop:
            taken_up(shop)
            found[name] = measure_speed(shop, asked[:WARM], asked[WARM::2], asked[WARM + 1 :: 2])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, required=True)
    parser.add_argument("--train-queries", type=Path)
    parser.add_argument("--train-qrels", type=Path)
    parser.add_argument("--test-queries", type=Path)
    parser.add_argument("--test-qrels", type=Path)
    parser.add_argument("--run-out", type=Path, required=True)
    parser.add_argument(
        "--halves",
        action="store_true",
        help="learn from one half of the training queries, by a hash of their ids, and measure on the other",
    )
    parser.add_argument("--irrelevant", type=float, default=1.0, help="the highest grade that means irrelevant")
    parser.add_argument("--shop", type=Path, help="make the shop here, or use the one that is here")
    parser.add_argument("--only", nargs="*", default=None, help="models of search to train (all)")
    parser.add_argument("--minutes", type=float, default=30.0, help="what the training may take")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--ablate", action="store_true", help="a row for each ingredient")
    parser.add_argument("--out", type=Path, help="a file for the figures, JSON")
    given = parser.parse_args()
    if (given.train_qrels is None) != (given.train_queries is None):
        parser.error("training needs both --train-queries and --train-qrels")
    if given.halves is (given.test_queries is not None) or (given.halves and given.train_qrels is None):
        parser.error("name --test-queries, or --halves with files to train on")
    with tempfile.TemporaryDirectory(prefix="aisle-benchmark-") as temporary:
        if given.halves:
            halve(given, Path(temporary))
        place = given.shop or Path(temporary) / "shop"
        figures = run(place, given)
    print(json.dumps(figures))
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


def run(place: Path, given: argparse.Namespace) -> dict[str, object]:
    queries = read_queries(given.test_queries)
    qrels = read_qrels(given.test_qrels, given.irrelevant) if given.test_qrels else {}
    figures: dict[str, object] = {"benchmark": "search"}
    fresh = not (place / "aisle.db").exists()
    with Shop.open(place, settings=settings_of(given)) as shop:
        if fresh:
            shop.import_products(given.products)
            shop.wait_indexed()
        if given.train_qrels:
            judged = shop.import_judgements(given.train_qrels, queries=given.train_queries, irrelevant=given.irrelevant)
            print(f"{judged.n_read - judged.n_rejected:,} judgements to learn from", flush=True)
        if given.train_qrels and qrels:
            figures["zero_shot"] = told(ask(shop, queries), qrels, "as it comes")
    if given.ablate and qrels:
        figures["ablation"] = ablate(place, given, queries, qrels)
    with Shop.open(place, settings=settings_of(given)) as shop:
        if given.train_qrels:
            figures |= train(shop, given.only or SEARCH_MODELS)
        answered = ask(shop, queries)
        write_run(given.run_out, answered)
        if qrels:
            figures["search"] = told(answered, qrels, "everything")
        figures["queries"] = len(queries)
    figures["speed"] = speed(place, given, list(queries.values()))
    if given.ablate and qrels and given.train_qrels:
        figures["ablation"] |= ablate_trained(place, given, queries, qrels)  # type: ignore[operator]
    return figures


def settings_of(given: argparse.Namespace, **more: dict[str, object]) -> Settings:
    """The defaults, without a cache of answers; `more` by section."""
    values: dict[str, dict[str, object]] = {
        "train": {"max_minutes": given.minutes, "threads": given.threads},
        "search": {"cache_size": 0},
    }
    for section, changes in more.items():
        values[section] = {**values.get(section, {}), **changes}
    return Settings.checked(values, "benchmark")


def train(shop: Shop, only: Sequence[str]) -> dict[str, object]:
    started = time.perf_counter()
    versions = shop.train(only=only)
    for version in versions:
        metrics = {k: round(v, 4) for k, v in version.metrics.items()}
        print(f"{version.name} {version.version or 'none'}: {version.note or 'serves'} {metrics}", flush=True)
    return {
        "training_seconds": round(time.perf_counter() - started, 1),
        "models": {v.name: {"serves": v.active, "note": v.note, **v.metrics} for v in versions},
    }


def ablate(place: Path, given: argparse.Namespace, queries: Mapping[str, str], qrels: Qrels) -> dict[str, object]:
    """Before the training: words alone, as typed and mended; and what trees alone would learn, on a copy."""
    rows: dict[str, object] = {}
    with Shop.open(place, settings=settings_of(given, encoder={"model": ""})) as shop:
        rows["words as typed"] = told(ask(shop, queries, ("spelling",)), qrels, "words as typed")
        rows["words"] = told(ask(shop, queries), qrels, "words")
    with Shop.open(place, settings=settings_of(given)) as shop:
        rows["words as typed and meaning"] = told(ask(shop, queries, ("spelling",)), qrels, "words as typed, meaning")
    if given.train_qrels:
        with tempfile.TemporaryDirectory(prefix="aisle-benchmark-") as temporary:
            copy = Path(temporary) / "shop"
            shutil.copytree(place, copy)
            with Shop.open(copy, settings=settings_of(given)) as shop:
                train(shop, ["ranking"])
                rows["trees, encoder as it comes"] = told(ask(shop, queries), qrels, "trees, encoder as it comes")
    return rows


def ablate_trained(
    place: Path, given: argparse.Namespace, queries: Mapping[str, str], qrels: Qrels
) -> dict[str, object]:
    """After the training, without one part or the other."""
    rows: dict[str, object] = {}
    without: dict[str, dict[str, object]] = {
        "tuned encoder alone": {"ranked": 0, "reading_ms": 0},
        "tuned encoder and trees": {"reading_ms": 0},
    }
    for name, search in without.items():
        with Shop.open(place, settings=settings_of(given, search=search)) as shop:
            rows[name] = told(ask(shop, queries), qrels, name)
    return rows


def told(answered: Mapping[str, Sequence[tuple[str, float]]], qrels: Qrels, name: str) -> dict[str, object]:
    found = measure(answered, qrels)
    print(
        f"{name:24} ndcg@10 {found.ndcg10:.4f} {found.ndcg10_interval95}  recall@100 {found.recall100:.4f}  "
        f"mrr {found.mrr:.4f}  ({found.n_queries} queries)",
        flush=True,
    )
    return {
        "ndcg@10": found.ndcg10, "interval95": found.ndcg10_interval95, "recall@100": found.recall100,
        "mrr": found.mrr, "judged_queries": found.n_queries,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
