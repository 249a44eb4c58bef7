"""One million products in one shop: how long it takes to build, what it needs, how fast it answers.

    python benchmarks/million.py [--n 1000000] [--small 45000] [--work DIR]

Two shops of the demo's catalogue (each group's first variant, so that every product is a hit of its own), imported
from a feed by the product's own intake. The small one's texts are encoded; the large one's vectors are perturbed
copies of those (cosine .9, of the same category), put into the vector store before the import under the hashes of the
products' texts, where the product looks before it encodes. Then both are opened in one process and asked the same
distinct queries in turn, never asked before, with facets and slate recording on; a process of its own opens the large
one alone to say what memory that takes. With --work the shops stay in that folder and are taken from there the next
time. The last line is JSON: seconds, bytes and milliseconds, and

    search_ratio    p50 of a search among n products / among the small number
    without_encode  the same, less the p50 of encoding a query
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.vectors import SqliteVectorStore
from aisle.demo.catalogue import group_products
from aisle.demo.files import FEED_COLUMNS, feed_row
from aisle.demo.world import World, WorldConfig
from aisle.represent.texts import hash_of, text_of
from aisle.shop import Shop
from aisle.types import Group, Product, Vectors
from aisle.wiring import create_shop
from serving import catalogue, distinct_queries, mistyped, ms_since, p50, p99, resident_mb, say

ALIKE = 0.9
"""Cosine of a perturbed copy with its original."""

FIGURES, STAGES = "build.json", "stages.json"
"""What a build took, and what it took so far."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=45_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--work", type=Path, help="where the shops stay; otherwise a temporary folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="aisle-million-"))
    try:
        print(json.dumps(measure(work, options)))
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)


def measure(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    small, large = work / f"shop-{options.small}", work / f"shop-{options.n}"
    built_small = built(small, options.small, None)
    built_large = built(large, options.n, small)
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        memory = alone.apply(memory_of, (large, options.queries, options.seed))
    say(f"memory: {memory}")
    figures = speeds(small, large, options)
    return {
        "benchmark": "million",
        "n_products": options.n,
        "n_small": options.small,
        "build": built_large,
        "build_small": built_small,
        "disk_mb": {part: megabytes(large / part) for part in ("aisle.db", "indexes")},
        **memory,
        **figures,
    }


# --------------------------------------------------------------------- build


def built(folder: Path, n: int, copied_from: Path | None) -> dict[str, float]:
    """Seconds that a shop of `n` products took to build, which is done unless it is there."""
    if (folder / FIGURES).exists():
        return read(folder / FIGURES)
    feed = folder / "feed.tsv"
    if not (folder / STAGES).exists():
        shutil.rmtree(folder, ignore_errors=True)
        create_shop(folder)
        world = World(WorldConfig(n_groups=n))
        n_vectors = write(feed, world, None if copied_from is None else Copies(folder, copied_from, world.config.seed))
        say(f"{n:,} products written, {n_vectors:,} vectors put into the store")
        (folder / STAGES).write_text(json.dumps({"n_vectors_copied": n_vectors}))
    # A build that was killed is taken up where it was: what it took until then counts.
    figures = read(folder / STAGES)
    started, cpu = (
        time.perf_counter() - figures.get("spent_s", 0.0),
        time.process_time() - figures.get("spent_cpu_s", 0.0),
    )

    def reached(stage: str) -> None:
        spent = {f"{stage}_s": time.perf_counter() - started, f"{stage}_cpu_s": time.process_time() - cpu}
        figures.update({name: round(value, 1) for name, value in spent.items()})
        figures.update(spent_s=spent[f"{stage}_s"], spent_cpu_s=spent[f"{stage}_cpu_s"])
        (folder / STAGES).write_text(json.dumps(figures))
        say(f"{n:,} products: {stage} after {spent[f'{stage}_s']:.0f} s; {resident_mb(os.getpid()):.0f} MB")

    with Shop.open(folder, create=False) as shop:
        if "stored_s" not in figures:
            summary = shop.import_products(feed)
            if summary.n_rejected or shop.status()["products"] != n:
                raise RuntimeError(f"of {n} products came in: {summary}")
            reached("stored")
        while shop.health()["index_lag"]:
            time.sleep(0.05)
        reached("words")
        shop.wait_indexed()
        reached("meaning")
        figures["peak_mb"] = round(peak_mb())
    reached("closed")
    feed.unlink()
    figures = {name: value for name, value in figures.items() if not name.startswith("spent")}
    (folder / FIGURES).write_text(json.dumps(figures))
    return figures


def read(file: Path) -> dict[str, float]:
    figures: dict[str, float] = json.loads(file.read_text())
    return figures


def products(world: World) -> Iterator[Product]:
    """The first variant of each group, its photo elsewhere: files are looked for beside the feed."""
    for number in range(len(world.goods)):
        first = group_products(world, number)[0]
        photo = f"https://shop.example/{first.image_link}"
        yield replace(first, group_id="", image_link=photo, additional_image_links=())


def write(feed: Path, world: World, copies: Copies | None) -> int:
    """The feed and, beside it, the vectors of its products; how many those are."""
    with feed.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(FEED_COLUMNS)
        for product in products(world):
            table.writerow(feed_row(product))
            if copies is not None:
                copies.add(product)
    return 0 if copies is None else copies.done()


class Copies:
    """Perturbed copies of the vectors of another shop, stored for the texts of this shop's products."""

    def __init__(self, folder: Path, source: Path, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        with Shop.open(source, create=False) as shop:
            facts, dense = shop._parts.columns.facts, shop._parts.indexes.dense
            assert dense is not None
            shop.wait_indexed()
            self._encoder = shop._parts.encoder_name
            alive = np.flatnonzero(facts.alive).astype(np.int32)
            self._originals = dense.dense.vectors(alive)
            codes = facts.category[alive]
            self._rows_of = {path: np.flatnonzero(codes == code) for code, path in enumerate(facts.categories)}
        self._database = Database(folder / "aisle.db")
        self._store = SqliteVectorStore(self._database)
        self._rows: dict[str, int] = {}

    def add(self, product: Product) -> None:
        key = hash_of(text_of(Group(0, product.item_id, (product,))))
        alike = self._rows_of[product.product_type]
        self._rows.setdefault(key, int(alike[self._rng.integers(len(alike))]))

    def done(self) -> int:
        """Store them, in the order of their hashes, which is the store's own."""
        hashes = sorted(self._rows)
        for start in range(0, len(hashes), 8192):
            part = hashes[start : start + 8192]
            originals = self._originals[[self._rows[key] for key in part]]
            self._store.put(part, self._encoder, perturbed(originals, self._rng))
        self._database.close()
        return len(hashes)


def perturbed(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    noise = rng.standard_normal(vectors.shape, np.float32)
    noise -= (noise * vectors).sum(1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    mixed: Vectors = (ALIKE * vectors + np.sqrt(1 - ALIKE**2) * noise).astype(np.float32)
    return mixed


# ------------------------------------------------------------------- measure


def memory_of(folder: Path, n_queries: int, seed: int) -> dict[str, float]:
    """In a process of its own: seconds to open, resident memory then, and after searches."""
    started = time.perf_counter()
    with Shop.open(folder, create=False) as shop:
        shop.wait_indexed()
        opened_s = time.perf_counter() - started
        ready(shop)
        ready_s = time.perf_counter() - started
        opened_mb = resident_mb(os.getpid())
        rng = random.Random(seed + 1)
        for query in distinct_queries(catalogue(shop, rng), rng, n_queries):
            shop.search(query)
            shop.suggest(query[:8])
        figures = {
            "open_s": opened_s, "ready_s": ready_s, "open_mb": opened_mb, "load_mb": resident_mb(os.getpid()),
            "open_peak_mb": peak_mb(),
        }  # fmt: skip
    return {name: round(value, 1) for name, value in figures.items()}


def ready(shop: Shop) -> None:
    """Until suggestions know the catalogue, which a large shop takes up after it answers already."""
    n_products = int(shop._parts.columns.facts.alive.sum())
    while len(shop._parts.suggester) < n_products // 2 or shop._parts.suggester.stale:
        time.sleep(0.1)


def speeds(small: Path, large: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both shops in turn, over the same queries."""
    rng = random.Random(options.seed)
    with Shop.open(small, create=False) as few, Shop.open(large, create=False) as many:
        ready(few)
        ready(many)
        sold = catalogue(few, rng)
        queries = distinct_queries(sold, rng, options.queries + 60)
        encoder = few._parts.indexes.encoder
        assert encoder is not None
        took: dict[str, list[float]] = {name: [] for name in ("encode", "few", "many", "few_suggest", "many_suggest")}
        n_hits: dict[str, list[int]] = {"few": [], "many": []}
        for number, query in enumerate(queries):
            started = time.perf_counter()
            encoder.encode([few._parts.understander.understand(query).semantic_text or query])
            encode = ms_since(started)
            typed = query[: rng.randint(2, 20)]
            typed = mistyped(typed, rng) if rng.random() < 0.3 else typed
            for name, shop in (("few", few), ("many", many)):
                started = time.perf_counter()
                slate = shop.search(query)
                whole = ms_since(started)
                started = time.perf_counter()
                shop.suggest(typed)
                suggested = ms_since(started)
                if slate.degraded:
                    raise RuntimeError(f"{query}: degraded: {slate.degraded}")
                if number >= 60:
                    took[name].append(whole)
                    took[f"{name}_suggest"].append(suggested)
                    n_hits[name].append(slate.n_hits)
            if number >= 60:
                took["encode"].append(encode)
        recalls = recall_of(few, queries[:100]), recall_of(many, queries[:100])
    encode, few_p50, many_p50 = p50(took["encode"]), p50(took["few"]), p50(took["many"])
    say(f"search p50 {many_p50:.2f} ms against {few_p50:.2f}, encoding {encode:.2f}; p99 {p99(took['many']):.1f} ms")
    return {
        "encode_p50": encode,
        "search_p50_small": few_p50,
        "search_p99_small": p99(took["few"]),
        "search_p50": many_p50,
        "search_p99": p99(took["many"]),
        "search_ratio": round(many_p50 / few_p50, 3),
        "without_encode": round((many_p50 - encode) / (few_p50 - encode), 3),
        "suggest_p50_small": p50(took["few_suggest"]),
        "suggest_p50": p50(took["many_suggest"]),
        "suggest_p99": p99(took["many_suggest"]),
        "hits_p50_small": p50(n_hits["few"]),
        "hits_p50": p50(n_hits["many"]),
        "neighbours_recall_small": recalls[0],
        "neighbours_recall": recalls[1],
    }


def recall_of(shop: Shop, queries: Sequence[str]) -> float:
    """Share of the truly nearest products that the graph finds."""
    parts, top_k = shop._parts, shop.settings.search.neighbours
    dense, encoder = parts.indexes.dense, parts.indexes.encoder
    assert dense is not None
    assert encoder is not None
    wanted = encoder.encode(list(queries))
    ords = np.flatnonzero(parts.columns.facts.alive).astype(np.int32)
    least = np.full((len(queries), top_k), -np.inf, np.float32)  # the best cosines so far
    for start in range(0, len(ords), 65_536):
        cosines = wanted @ dense.dense.vectors(ords[start : start + 65_536]).T
        least = -np.partition(-np.concatenate([least, cosines], axis=1), top_k - 1, axis=1)[:, :top_k]
    found = 0
    for vector, bound in zip(wanted, least.min(1), strict=True):
        found += int((dense.dense.search(vector, top_k)[1] >= bound - 1e-6).sum())
    return round(found / (len(queries) * top_k), 4)


def megabytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return round(sum(f.stat().st_size for f in files if f.is_file()) / 1e6)


def peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
