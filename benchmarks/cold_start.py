"""Products that nobody has touched: are they found from their content alone?

    python benchmarks/cold_start.py [--groups 1500] [--shoppers 3000] [--photos] [--seed 7] [--work DIR]

A demo shop (`aisle.demo`, catalogue and a month of traffic). A tenth of the
products is taken out of every training event, and the newest fifth of the
sessions is not learned from. A case is a step in those sessions to a product
taken out; its history is what the shopper did before, without those products.
The source `content`, made from the trainer's arrays as a shop makes it, ranks
the whole catalogue; popularity ranks by training events. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.demo import World, WorldConfig, write_demo_files
from aisle.learn.fusion import WAYS, fit_fusion
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.pairs import Cases, cases_of
from aisle.learn.tower import behaviour_of
from aisle.ports import Recommender, Shopper
from aisle.retrieve.content import Content
from aisle.retrieve.similar import Similar
from aisle.shop import Shop
from aisle.types import Ords, Vectors
from aisle.wiring import create_shop

TOP_K = 50
NONE = np.empty(0, np.int32)


def built(folder: Path, config: WorldConfig, photos: bool) -> tuple[ItemTable, Interactions]:
    """The demo shop's products and everything its shoppers did, through the shop's own intake."""
    feed = folder / "feed"
    if not (folder / "shop" / "aisle.db").exists():
        write_demo_files(feed, World(config), images=photos)
        create_shop(folder / "shop")
        with Shop.open(folder / "shop") as shop:
            shop.import_products(feed / "feed.tsv", full=True)
            shop.import_events(feed / "events.jsonl")
            shop.wait_indexed()
    with Shop.open(folder / "shop") as shop:
        parts = shop._parts
        groups = parts.stores.catalog.changed(0, 10**6)
        n = max(group.ord for group in groups) + 1
        dense = parts.indexes.dense
        text = dense.dense.vectors(np.arange(n, dtype=np.int32)) if dense else None
        image = None
        if photos and parts.indexes.photos is not None:
            parts.indexes.photos.learn(groups, work=folder / "photos")
            image = parts.indexes.photos.rows(groups, n)

        def events():
            seq = 0
            while logged := parts.stores.events.read(seq, 20_000):
                yield from logged
                seq = logged[-1].seq

        return ItemTable.of(groups, text, image), Interactions.read(events(), parts.ord_of)


def split(whole: Interactions, items: ItemTable, share: float, seed: int) -> tuple[Interactions, Cases, Ords]:
    """What is learned from, the cases, and the products taken out."""
    before, after = whole.split(0.2)
    rng = np.random.default_rng([seed, 77])
    alive = np.flatnonzero(items.alive)
    cold = np.sort(rng.choice(alive, round(share * len(alive)), replace=False)).astype(np.int32)
    is_cold = np.zeros(max(len(items), whole.n_ords), bool)
    is_cold[cold] = True
    past = before.take(np.flatnonzero(~is_cold[before.ords]))
    _, cases = cases_of(whole, after, is_cold, items.alive, seed)
    return past, cases, cold


def found_by(source: Recommender, cases: Cases) -> np.ndarray:
    """bool[c]: whether the next product is among the source's TOP_K."""
    found = np.zeros(len(cases), bool)
    for row, (history, target) in enumerate(zip(cases.history, cases.target, strict=True)):
        shopper = Shopper.of_sequence(history[history >= 0][::-1])
        found[row] = target in source.recommend(shopper, NONE, TOP_K).ords
    return found


def found_by_score(scores: np.ndarray, cases: Cases) -> np.ndarray:
    """float[c]: chance that the next product is among the TOP_K best, ties in random order; histories are left out."""
    found = np.zeros(len(cases))
    for row, (history, target) in enumerate(zip(cases.history, cases.target, strict=True)):
        own = scores[row] if scores.ndim == 2 else scores
        open_to = cases.allowed.copy()
        open_to[history[history >= 0]] = False
        better = int((own[open_to] > own[target]).sum())
        equal = int((own[open_to] == own[target]).sum())
        found[row] = np.clip((TOP_K - better) / max(1, equal), 0, 1)
    return found


def popularity(past: Interactions, items: ItemTable, cases: Cases) -> dict[str, np.ndarray]:
    """Three readings of popularity. Plain popularity puts what nobody touched last, so two more are given."""
    counts = np.bincount(past.ords, minlength=len(items)).astype(np.float64)[: len(items)]
    category = np.where(items.category >= 0, items.category, items.category.max() + 1)
    total = np.bincount(category, counts)
    size = np.bincount(category, items.alive)
    of_category = (total / np.maximum(size, 1))[category]
    own = np.zeros((len(cases), len(items)))
    for row, history in enumerate(cases.history):
        known = history[history >= 0]
        weights = np.exp2(-np.arange(len(known)) / 2)
        seen = np.zeros(int(category.max()) + 1)
        np.add.at(seen, category[known], weights)
        own[row] = seen[category] + 1e-6 * of_category
    return {
        "popularity": found_by_score(counts, cases),
        "category_popularity": found_by_score(of_category, cases),
        "own_categories": found_by_score(own, cases),
    }


def source_of(vectors: Vectors) -> Content:
    dense = FaissDenseIndex(vectors.shape[1])
    known = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
    dense.upsert(known, vectors[known])
    return Content(dense)


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% of the mean by bootstrap over cases."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(2000)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


class _Facts:
    """What the source `similar` asks of a catalogue."""

    def __init__(self, items: ItemTable) -> None:
        self.category, self.version = items.category, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=1500)
    parser.add_argument("--shoppers", type=int, default=3000)
    parser.add_argument("--share", type=float, default=0.1, help="of the products that are taken out")
    parser.add_argument("--photos", action="store_true", help="draw the pictures and learn from them (minutes more)")
    parser.add_argument("--ways", action="store_true", help="also each way of fusing by itself")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, help="a folder to build the shop in, and to find it again")
    args = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="aisle-cold-") as temporary:
        config = WorldConfig(n_groups=args.groups, n_shoppers=args.shoppers, seed=args.seed)
        items, whole = built(args.work or Path(temporary), config, args.photos)
    past, cases, cold = split(whole, items, args.share, args.seed)
    print(
        f"{len(items)} products, {len(cold)} taken out; {len(past)} steps to learn from, {len(cases)} cases", flush=True
    )
    fitted = fit_fusion(past, items, seed=0)
    assert fitted is not None
    assert not np.isin(cold, past.ords).any()
    behaviour = behaviour_of(fitted.arrays, cold)
    assert behaviour is None or not behaviour.any(), "what was taken out has no behaviour"
    found = {"content": found_by(source_of(fitted.arrays["vectors"]), cases).astype(float)}
    if args.ways:
        for way in WAYS:
            alone = fit_fusion(past, items, seed=0, ways=(way,))
            assert alone is not None
            found[way] = found_by(source_of(alone.arrays["vectors"]), cases).astype(float)
    if items.text.shape[1]:
        text = FaissDenseIndex(items.text.shape[1])
        text.upsert(np.arange(len(items), dtype=np.int32), items.text)
        found["similar"] = found_by(Similar(text, lambda: _Facts(items)), cases).astype(float)  # type: ignore[arg-type]
    found |= popularity(past, items, cases)
    recall = {name: float(values.mean()) for name, values in found.items()}
    for name, values in found.items():
        low, high = interval(values)
        print(f"{name:20} recall@{TOP_K} {recall[name]:.4f}  [{low:.4f}, {high:.4f}]", flush=True)
    fair = max(recall["popularity"], recall["category_popularity"])
    result = {
        "products": int(items.alive.sum()),
        "taken_out": len(cold),
        "cases": len(cases),
        "way": fitted.params["way"],
        "photos": bool(items.image.shape[1]),
        "recall@50": {name: round(value, 4) for name, value in recall.items()},
        "interval": [round(value, 4) for value in interval(found["content"])],
        "ratio_popularity": round(recall["content"] / recall["popularity"], 1) if recall["popularity"] else None,
        "ratio_category_popularity": round(recall["content"] / max(fair, 1e-9), 1),
        "ratio_own_categories": round(recall["content"] / max(recall["own_categories"], 1e-9), 2),
        "chance": round(TOP_K / int(items.alive.sum()), 4),
        "passes": recall["content"] >= 5 * fair,
        "seconds": round(time.perf_counter() - started, 1),
    }
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "cold_start.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
