"""What search learns from clicks alone: the demo shop's shoppers search, click as they truly would, and search again.

    python benchmarks/clicks.py [--seeds 1 2] [--searches 6000] [--tests 1000] [--promote] [--out FILE]

For each seed a demo shop is made and imported with its month of events. Then simulated shoppers ask the shop itself:
what they click on the first page follows the world's true probabilities for who they are, what they need and where a
product stands, and is recorded through the one event path. Before and after `shop.train` on those clicks other
searches, with needs drawn anew, are answered with nothing recorded, and the true expected clicks of their first twelve
hits are added up. The score is (after - before) / (best - before): `best` is the most that twelve of the shop's
products could have got from that shopper. `cleared` leaves out what the shop knows of its shoppers (an unknown visitor
asks), so that it tells what was learned about queries and products only. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from rich.progress import track

from aisle import Event, Settings, Shop
from aisle.demo import World, WorldConfig, write_demo_files
from aisle.demo.queries import write_query
from aisle.demo.traffic import Traffic
from aisle.demo.world import Need
from aisle.training.search import RANKING, SEARCH_MODELS
from aisle.types import EventItem, now_ms
from search import taken_up

TOP_K = 12
PAGE = 24


@dataclass(frozen=True, slots=True)
class Asked:
    """One search that a shopper makes."""

    visitor: int
    need: Need
    query: str


def drawn(world: World, n: int, seed: int) -> list[Asked]:
    rng, traffic = Random(seed), Traffic(world, seed=0)
    weights = np.cumsum(world.shoppers.activity).tolist()
    found = []
    for visitor in rng.choices(range(len(weights)), cum_weights=weights, k=n):
        need = traffic.need(visitor, now_ms(), rng)
        found.append(Asked(visitor, need, write_query(world, need, int(world.shoppers.gender[visitor]), rng)))
    return found


def click(world: World, shop: Shop, searches: list[Asked], seed: int) -> int:
    """The searches, with what is clicked on their first page; returns how many clicks there were."""
    rng, n_clicks = np.random.default_rng(seed), 0
    for number, asked in enumerate(track(searches, "searching and clicking", disable=not sys.stderr.isatty())):
        who = {"visitor_id": world.visitor_ids[asked.visitor], "session_id": f"clicks-{number}"}
        slate = shop.search(asked.query, hits_per_page=PAGE, **who)
        ids = [hit.item_id for hit in slate.hits]
        if not ids:
            continue
        p = world.p_click(asked.visitor, ids, now_ms(), np.arange(len(ids)), asked.need)
        items = [EventItem(item_id, index=place, item_list_id="search_results") for place, item_id in enumerate(ids)]
        told = {**who, "list_id": slate.list_id, "query": asked.query}
        events = [Event("view_item_list", time_ms=now_ms(), items=tuple(items), **told)]
        for place in np.flatnonzero(rng.random(len(ids)) < p).tolist():
            events.append(Event("select_item", time_ms=now_ms(), items=(items[place],), **told))
            n_clicks += 1
        for event in events:
            shop.record(event)
    return n_clicks


def value(world: World, shop: Shop, searches: list[Asked], known: bool) -> tuple[np.ndarray, np.ndarray]:
    """Expected clicks on the first twelve hits of each search, and the most that there could be."""
    taken_up(shop)
    buyable = world.goods.stock > 0
    found, best = [], []
    for asked in track(searches, "measuring", disable=not sys.stderr.isatty()):
        who = {"visitor_id": world.visitor_ids[asked.visitor]} if known else {}
        hits = shop.search(asked.query, hits_per_page=TOP_K, record=False, **who).hits
        found.append(world.slate_value(asked.visitor, [hit.item_id for hit in hits], now_ms(), asked.need))
        p = world.p_click(asked.visitor, np.arange(len(buyable)), now_ms(), None, asked.need)
        top = np.argsort(-np.where(buyable, p, -1.0))[:TOP_K]
        best.append(world.slate_value(asked.visitor, top, now_ms(), asked.need))
    return np.array(found), np.array(best)


def compared(before: np.ndarray, after: np.ndarray, best: np.ndarray) -> dict[str, Any]:
    draws = np.random.default_rng(0).integers(0, len(before), (2000, len(before)))
    gains = (after - before)[draws].mean(1) / (best - before)[draws].mean(1)
    low, high = np.percentile(gains, (2.5, 97.5))
    return {
        "clicks_before": round(float(before.mean()), 4),
        "clicks_after": round(float(after.mean()), 4),
        "clicks_best": round(float(best.mean()), 4),
        "score": round(float((after - before).mean() / (best - before).mean()), 4),
        "interval95": [round(float(low), 4), round(float(high), 4)],
        "more_clicks": round(float(after.mean() / before.mean() - 1), 4),
    }


def run(seed: int, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    world = World(WorldConfig(seed=seed, end_ms=now_ms()))
    write_demo_files(folder / "files", world, images=False)
    settings = Settings.checked(
        {"search": {"cache_size": 0}, "train": {"max_minutes": given.minutes, "threads": given.threads}}, "benchmark"
    )
    tests = drawn(world, given.tests, seed * 7919 + 1)
    with Shop.open(folder / "shop", settings=settings) as shop:
        shop.import_products(folder / "files" / "feed.tsv")
        shop.import_events(folder / "files" / "events.jsonl")
        shop.wait_indexed()
        before = {known: value(world, shop, tests, known)[0] for known in (True, False)}
        n_clicks = click(world, shop, drawn(world, given.searches, seed * 7919 + 2), seed)
        aware = {known: value(world, shop, tests, known)[0] for known in (True, False)}
        started = time.perf_counter()
        versions = shop.train(only=given.only or SEARCH_MODELS)
        seconds = time.perf_counter() - started
        for version in versions:
            print(f"{version.name}: {version.note or 'serves'} {dict(version.metrics)}", flush=True)
            if given.promote and version.version and not version.active:
                shop._parts.stores.models.promote(version.name, version.version)
        after = {known: value(world, shop, tests, known) for known in (True, False)}
    found: dict[str, Any] = {"seed": seed, "clicks": n_clicks, "training_seconds": round(seconds, 1)}
    found["serves"] = [version.name for version in versions if version.active]
    for name, known in (("known", True), ("cleared", False)):
        found[name] = compared(before[known], *after[known])
        found[name]["before_training"] = round(float(aware[known].mean()), 4)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--searches", type=int, default=6000, help="searches that are learned from")
    parser.add_argument("--tests", type=int, default=1000, help="searches that are measured")
    parser.add_argument("--only", nargs="*", default=[RANKING], choices=SEARCH_MODELS, help="models to train")
    parser.add_argument("--promote", action="store_true", help="measure also what the shop itself would not serve")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a file for the figures, JSON")
    given = parser.parse_args()
    each = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory(prefix="aisle-benchmark-") as temporary:
            each.append(run(seed, given, Path(temporary)))
            print(json.dumps(each[-1]), flush=True)
    figures = {"benchmark": "clicks", "searches": given.searches, "tests": given.tests, "seeds": each}
    print(json.dumps(figures))
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
