"""The demo shop's home page against the truth, after a month of traffic; through the shop itself.

    python benchmarks/home.py [--seeds 1 2 3 4 5] [--shoppers 200] [--ceiling] [--out FILE]

For each seed a demo shop is made (3,000 product groups, 4,000 shoppers, 30 days), imported, trained and asked for the
home page of shoppers drawn by how often they come. The score is (expected clicks - popularity's) / (oracle's -
popularity's), with popularity and oracle as the simulator's truth has them: popularity is what pleases most on average
in truth, not what was clicked most; `over_clicked` is the same score with what was clicked most in the last days, which
a shop can know, in its place. Each source is also asked alone. Exploration is off, since it pays later.

With --ceiling, what could be known: the score of whoever knew the truth of every product and the distribution that
shoppers' tastes are drawn from, and had only each shopper's own month to learn the rest from (a Bayesian posterior;
Jaakkola and Jordan's bound, a mixture of Gaussians fitted to the true tastes). No recommender knows that much.

Numbers of the product were chosen on seed 101. The last line is JSON, which also goes to --out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aisle import Shop
from aisle.demo import World, WorldConfig, score_slates, write_demo_files
from aisle.demo.traffic import simulate
from aisle.demo.world import examination
from aisle.settings import Settings
from aisle.types import now_ms

TOP_K = 12


def score_shop(world: World, shop: Shop, n_shoppers: int) -> dict[str, Any]:
    """The home page's score, and that of each source alone."""

    def home(visitor_id: str) -> list[str]:
        return [hit.item_id for hit in shop.recommend("home", visitor_id=visitor_id, record=False).hits]

    whole = score_slates(world, home, n_shoppers=n_shoppers)
    parts = shop._parts
    leads = [group.lead.item_id for group in parts.stores.catalog.groups(parts.popular()[0].tolist()) if group]
    clicked = score_slates(world, lambda _visitor: leads[:TOP_K], n_shoppers=n_shoppers)
    facts, none = parts.columns.facts, np.empty(0, np.int32)
    ids = {}

    def alone(source: Any) -> Callable[[str], list[str]]:
        def slate(visitor_id: str) -> list[str]:
            shopper = parts.shoppers.view(visitor_id, now_ms())
            ords = source.recommend(shopper, none, 300).ords
            if len(ords) < TOP_K:  # what a shop would fill up with
                ords = np.concatenate([ords, np.setdiff1d(popular, ords, assume_unique=True)])
            ords = ords[facts.in_stock[ords] & ~np.isin(ords, shopper.purchased)][:TOP_K]
            for ord_, group in zip(ords.tolist(), parts.stores.catalog.groups(ords.tolist()), strict=True):
                ids[ord_] = group.lead.item_id if group else ""
            return [ids[ord_] for ord_ in ords.tolist()]

        popular = parts.popular()[0]
        return slate

    singles = {
        name: round(score_slates(world, alone(source), n_shoppers=n_shoppers).score, 4)
        for name, source in sorted(parts.models.now.sources.items())
    }
    return {
        "score": round(whole.score, 4),
        "over_clicked": round((whole.model - clicked.model) / (whole.oracle - clicked.model), 4),
        "standard_error": round(whole.standard_error, 4),
        "clicks": round(whole.model, 3),
        "popularity": round(whole.popularity, 3),
        "oracle": round(whole.oracle, 3),
        "single": singles,
    }


def run(seed: int, n_shoppers: int, folder: Path, minutes: float, only: Sequence[str] = ()) -> dict[str, Any]:
    """One demo shop from its files to its scores."""
    world = World(WorldConfig(seed=seed, end_ms=now_ms()))
    started = time.monotonic()
    write_demo_files(folder / "files", world, images=False)
    wanted = {"recommend": {"exploration": 0.0}, "train": {"max_minutes": minutes}}
    settings = Settings.checked(wanted, "benchmark")
    with Shop.open(folder / "shop", settings=settings) as shop:
        shop.import_products(folder / "files" / "feed.tsv")
        shop.import_events(folder / "files" / "events.jsonl")
        shop.wait_indexed()
        imported = time.monotonic()
        versions = shop.train(only=only)
        trained = time.monotonic()
        shop._parts.models.follow()
        found = score_shop(world, shop, n_shoppers)
        found["serving"] = [version.name for version in versions if version.active]
    found["seconds"] = {"import": round(imported - started), "train": round(trained - imported)}
    return found


# ----------------------------------------------------------- what could be known


def ceiling(world: World, n_shoppers: int) -> float:
    """The score of the posterior mean under the true products and the true distribution of tastes."""
    goods, who = world.goods, world.shoppers
    one_hot = lambda codes, n: np.eye(n)[codes]  # noqa: E731
    dear = np.maximum(np.log(world.prices) - world._usual_log_price[goods.kind], 0)
    features = np.concatenate(
        [
            one_hot(goods.kind, who.kinds.shape[1]), goods.styles, goods.vibes,
            one_hot(goods.colours[:, 0], who.colours.shape[1]), one_hot(goods.brand, who.brands.shape[1]),
            dear[:, None], (goods.gender == 1)[:, None], (goods.gender == 2)[:, None],
        ],
        axis=1,
    )  # fmt: skip
    tastes = np.concatenate(
        [
            who.kinds, who.styles + 0.5 * who.style_drift, who.vibes, who.colours, who.brands,
            -0.5 * who.thrift[:, None], -2.5 * (who.gender == 2)[:, None], -2.5 * (who.gender == 1)[:, None],
        ],
        axis=1,
    )  # fmt: skip
    season = world.season(world.config.end_ms)
    same = 0.35 * goods.quality + 1.2 * goods.discount + season[goods.kind]
    cluster = who.persona * 2 + who.gender - 1
    means = np.stack([tastes[cluster == c].mean(0) for c in np.unique(cluster)])
    share = np.log([np.mean(cluster == c) for c in np.unique(cluster)])
    within = tastes - means[np.unique(cluster, return_inverse=True)[1]]
    precision = np.linalg.inv(np.cov(within.T) + 1e-4 * np.eye(tastes.shape[1]))
    log = _trials(world)

    def slate(visitor_id: str) -> list[str]:
        number = world.visitor_number(visitor_id)
        item, scale, offset, yes = log["rows"].get(number, (np.empty(0, int),) + (np.empty(0),) * 3)
        x, o = features[item] * scale[:, None], offset + scale * same[item]
        asked = log["asked"].get(number, np.zeros(len(season)))
        n_kinds, pulled = len(season), means @ precision
        mean, covariance = means.mean(0), np.linalg.inv(precision)
        for _ in range(6):
            logit = x @ mean + o
            xi = np.sqrt(logit**2 + np.einsum("ij,jk,ik->i", x, covariance, x)) + 1e-9
            weight = np.tanh(xi / 2) / (2 * xi)
            information, right = x.T @ (x * weight[:, None]), x.T @ (yes - 0.5 - weight * o)
            if asked.sum():  # which kinds a shopper looks for is a choice by the same tastes
                p = np.exp(1.3 * (mean[:n_kinds] + season))
                p /= p.sum()
                curve = 1.69 * asked.sum() * (np.diag(p) - np.outer(p, p))
                information[:n_kinds, :n_kinds] += curve
                right[:n_kinds] += 1.3 * (asked - asked.sum() * p) + curve @ mean[:n_kinds]
            covariance = np.linalg.inv(information + precision)
            h = right + pulled
            found = h @ covariance
            evidence = share + 0.5 * (h * found).sum(1) - 0.5 * (pulled * means).sum(1)
            belief = np.exp(evidence - evidence.max())
            mean = belief @ found / belief.sum()
        score = np.where(goods.stock > 0, features @ mean + same, -np.inf)
        return [world.group_id(int(n)) for n in np.argsort(-score)[:TOP_K]]

    return score_slates(world, slate, n_shoppers=n_shoppers).score


def _trials(world: World) -> dict[str, Any]:
    """By shopper: what was shown with its true circumstances and whether it was taken, and the kinds asked for."""
    lift = {"home": 0.0, "search_results": 2.2, "similar": 2.0, "together": 1.2}
    rows: dict[int, list[list[float]]] = {}
    asked: dict[int, np.ndarray] = {}
    place: dict[tuple[str, str, int], list[float]] = {}
    came: set[str] = set()
    for event in simulate(world):
        number = world.visitor_number(event.visitor_id)
        items = world.numbers([item.item_id for item in event.items]).tolist()
        name = event.items[0].item_list_id if event.items else ""
        mine = rows.setdefault(number, [])
        if event.name == "view_item_list":
            seen = np.log(examination(np.arange(len(items)))) + lift.get(name, 2.0) - 3.2
            for item, at in zip(items, seen.tolist(), strict=True):
                mine.append([item, 1.0, at, 0.0])
                place[event.session_id, name, item] = mine[-1]
            if name not in ("home", "similar", "together") and event.session_id not in came:
                came.add(event.session_id)
                kinds = asked.setdefault(number, np.zeros(world.shoppers.kinds.shape[1]))
                kinds[world.goods.kind[items[0]]] += 1
        elif event.name == "select_item":
            place[event.session_id, name, items[0]][3] = 1.0
        elif event.name == "view_item":
            mine.append([items[0], 0.75, 0.75 * (lift.get(name, 2.0) if name != "together" else 0.0) - 4.3, 0.0])
            place[event.session_id, "", items[0]] = mine[-1]
        elif event.name == "add_to_cart":
            place[event.session_id, "", items[0]][3] = 1.0
    columns = {number: np.array(mine).T for number, mine in rows.items() if mine}
    return {"rows": {n: (c[0].astype(int), c[1], c[2], c[3]) for n, c in columns.items()}, "asked": asked}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=15.0, help="for each training")
    parser.add_argument("--only", nargs="+", default=[], help="models to train; none: all")
    parser.add_argument("--ceiling", action="store_true", help="only what could be known at best")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    for seed in options.seeds:
        if options.ceiling:
            found[str(seed)] = {"score": round(ceiling(World(WorldConfig(seed=seed)), options.shoppers), 4)}
        else:
            with tempfile.TemporaryDirectory() as folder:
                found[str(seed)] = run(seed, options.shoppers, Path(folder), options.minutes, options.only)
        print(seed, json.dumps(found[str(seed)]), flush=True)
    scores = np.array([one["score"] for one in found.values()])
    names = sorted({name for one in found.values() for name in one.get("single", {})})
    over = [one["over_clicked"] for one in found.values() if "over_clicked" in one]
    result = {
        "benchmark": "home" + ("_ceiling" if options.ceiling else ""),
        "score": round(float(scores.mean()), 4),
        "over_clicked": round(float(np.mean(over)), 4) if over else None,
        "standard_error": round(float(scores.std(ddof=1) / np.sqrt(len(scores))), 4) if len(scores) > 1 else None,
        "single": {
            name: round(float(np.mean([one["single"][name] for one in found.values() if name in one["single"]])), 4)
            for name in names
        },
        "seeds": found,
    }
    line = json.dumps(result)
    print(line)
    if options.out:
        options.out.write_text(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
