"""How fast a shop recommends with every source on, in process: each surface, and each source alone.

    python benchmarks/recommending.py --shop DIR --sessions FILE [--n-sessions 40000] [--minutes 20] [--keep DIR]

DIR is a shop with products (`aisle import`); FILE has a line a session, `item item …`, and stands for its traffic: the
item that is taken most is the first product of the catalogue, and so on. Works on a copy of the shop, in which
every model is trained and promoted, deserved or not, and the combination weighs every source: what is timed is the
most that a shop can be asked for, not what would serve there. With --keep the copy stays in that folder, and is taken
from there the next time. Shoppers have the histories of the newest sessions, and come in turn, so that what a cache
holds of one is not what the next needs. The last line is JSON; times in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from aisle.rank.combine import OF_A_SOURCE, n_columns
from aisle.retrieve.combined import PROPOSED, Combined
from aisle.serving.models_in_use import COMBINATION
from aisle.settings import Settings
from aisle.shelf import PLAIN
from aisle.shop import Shop
from aisle.types import Event, EventItem, now_ms
from serving import copied, ms_since, p50, p99, say

SURFACES = (
    "home",
    "similar",
    "together",
    "viewed",
    "complementary",
    "cart",
    "after_purchase",
    "trending",
    "new_for_you",
)
NEEDS_SEEDS = frozenset({"similar", "together", "viewed", "complementary", "cart", "after_purchase"})
MINUTE_MS = 60_000
DAYS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shop", type=Path, required=True, help="a shop's folder, with products imported")
    parser.add_argument("--sessions", type=Path, required=True, help="a line a session: item item …")
    parser.add_argument("--n-sessions", type=int, default=40_000, help="of the newest; the last 2,000 are not learned")
    parser.add_argument("--minutes", type=float, default=20.0, help="for the training")
    parser.add_argument("--keep", type=Path, help="where the trained copy stays")
    parser.add_argument("--n", type=int, default=1500, help="answers timed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.shop / "aisle.db").exists():
        parser.error(f"{options.shop} is not a shop: make one with aisle init and aisle import")
    if not options.sessions.exists():
        parser.error(f"{options.sessions}: there is no such file")
    print(json.dumps(measure(options)))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    settings = Settings.checked({"train": {"max_minutes": options.minutes}}, "benchmark")
    with ExitStack() as stack:
        kept = options.keep is not None and (options.keep / "aisle.db").exists()
        folder = options.keep if kept else stack.enter_context(copied(options.shop))
        if options.keep is not None and not kept:
            folder = folder.rename(options.keep)
        shop = stack.enter_context(Shop.open(folder, create=False, settings=settings))
        shop.wait_indexed(timeout_s=180)
        sessions = sessions_of(shop, options.sessions, options.n_sessions)
        if not shop._parts.models.now.versions.get(COMBINATION):
            learn(shop, sessions[:-2000])
        shop._parts.models.follow()
        return figures(shop, sessions[-2000:], rng, options.n)


def sessions_of(shop: Shop, file: Path, n: int) -> list[list[str]]:
    """The newest sessions as ids of products."""
    catalog = shop._parts.stores.catalog
    ords = sorted({ord_ for _, ord_ in catalog.item_ords()})
    leads = [group.lead.item_id for group in catalog.groups(ords) if group is not None]
    lines = [line.split() for line in file.read_text("utf-8").splitlines() if line.strip()]
    counts: dict[str, int] = {}
    for line in lines:
        for item in line:
            counts[item] = counts.get(item, 0) + 1
    product = {item: leads[row % len(leads)] for row, item in enumerate(sorted(counts, key=lambda i: -counts[i]))}
    return [[product[item] for item in line] for line in lines[-n:]]


def events_of(session: Sequence[str], visitor: str, begin_ms: int) -> list[Event]:
    """Views, of which the last is bought now and then."""
    steps = [
        Event("view_item", visitor, (EventItem(item),), begin_ms + at * MINUTE_MS) for at, item in enumerate(session)
    ]
    if begin_ms % 10 == 0:
        steps.append(Event("purchase", visitor, (EventItem(session[-1]),), begin_ms + len(session) * MINUTE_MS))
    return steps


def learn(shop: Shop, sessions: Sequence[Sequence[str]]) -> None:
    """A month of traffic, every model, and a combination of all their sources."""
    say(f"{len(sessions):,} sessions as events")
    begin = now_ms() - DAYS * 86_400_000
    apart = DAYS * 86_400_000 // (len(sessions) + 1)
    pending: list[Event] = []
    for number, session in enumerate(sessions):
        pending += events_of(session, f"shopper-{number // 2}", begin + number * apart)
        if len(pending) >= 1000:
            shop.record_many(pending)
            pending = []
    shop.record_many(pending)
    say("training")
    for version in shop.train():
        say(f"{version.name} {version.version or 'none'} {version.note}")
        if version.version and not version.active:
            shop._parts.stores.models.promote(version.name, version.version)
    shop._parts.models.follow()
    now = shop._parts.models.now
    of_models = [source.name for sources in shop._parts.models._sources.values() for source in sources]
    sources = [name for name in (*of_models, *PLAIN) if name in now.sources and name not in (Combined.name, "in_group")]
    weights = np.zeros(n_columns(sources), np.float32)
    weights[1 : len(OF_A_SOURCE) * len(sources) : len(OF_A_SOURCE)] = 1.0
    popularity = np.zeros(len(shop._parts.columns.facts.alive), np.float32)
    store = shop._parts.stores.models
    made = store.create(COMBINATION, {"weights": weights, "popularity": popularity}, params={"sources": sources})
    store.promote(COMBINATION, made.version)


def figures(shop: Shop, sessions: Sequence[Sequence[str]], rng: random.Random, n: int) -> dict[str, Any]:
    parts = shop._parts
    begin = now_ms() - 30 * MINUTE_MS
    visitors = [f"bench-{number}" for number in range(len(sessions))]
    arriving = [e for v, session in zip(visitors, sessions, strict=True) for e in events_of(session, v, begin)]
    for start in range(0, len(arriving), 1000):
        shop.record_many(arriving[start : start + 1000])
    products = [item for session in sessions for item in session]
    by_surface: dict[str, list[float]] = {surface: [] for surface in SURFACES}
    for number in range(-60, n):
        surface = SURFACES[number % len(SURFACES)]
        seeds = [rng.choice(products)] if surface in NEEDS_SEEDS else []
        visitor = visitors[number % len(visitors)]
        started = time.perf_counter()
        shop.recommend(surface, visitor_id=visitor, item_ids=seeds)
        if number >= 0:
            by_surface[surface].append(ms_since(started))
    whole = [took for times in by_surface.values() for took in times]
    told = {surface: [p50(times), p99(times)] for surface, times in by_surface.items()}
    say(f"all surfaces: p50 {p50(whole):.2f} ms, p99 {p99(whole):.2f} ms; {told}")

    combination, none = parts.models.now.combination, np.empty(0, np.int32)
    combined = () if combination is None else combination.sources
    alone: dict[str, list[float]] = {name: [] for name in parts.models.now.sources}
    for visitor in visitors[-300:]:
        shopper = parts.shoppers.view(visitor, now_ms())
        for name, source in parts.models.now.sources.items():
            started = time.perf_counter()
            source.recommend(shopper, none, PROPOSED)
            alone[name].append(ms_since(started))
    each = {name: p50(times) for name, times in alone.items()}
    say(f"sources: {each}")
    return {
        "benchmark": "recommending",
        "n_products": int(parts.columns.facts.alive.sum()),
        "combined": list(combined),
        "recommend_p50": p50(whole),
        "recommend_p99": p99(whole),
        "p50_p99_by_surface": told,
        "p50_by_source": each,
    }


if __name__ == "__main__":
    main()
