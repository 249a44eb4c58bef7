"""Factorisation, link prediction and cold products, on real baskets, a shop's feed and simulated traffic.

    python benchmarks/graph.py --data ../shared/data [--only toys,retail,demo] [--users 6000] [--seed 1]

For each data set: the ways of `learn.factors` against popularity (recall@20 of
each shopper's last product, everything ranked, what was taken before left out);
the embeddings of `learn.graph` on held-out links between products (MRR,
hits@10, filtered); and products taken out of every event (recall@50 of the step
to one, the whole catalogue ranked) by GraphSAGE, by content alone and by
popularity. Choices within a way are made on other held-out products than those
reported. The last line is JSON, which also goes to --out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from aisle.demo import World, WorldConfig
from aisle.demo.catalogue import products
from aisle.demo.traffic import simulate
from aisle.learn.factors import WAYS, fit_factors
from aisle.learn.graph import fit_graph
from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.learn.links import KINDS
from aisle.learn.tower import words_of
from aisle.ports import Recommender, Shopper
from aisle.retrieve.factors import Factors
from aisle.retrieve.graph import Graph
from aisle.types import Event, EventItem, Group, LoggedEvent, Product

NONE = np.empty(0, np.int32)
MOST_CASES = 4000


@dataclass(frozen=True)
class Data:
    """One shop: who took what in order, and what its catalogue tells."""

    name: str
    log: Interactions
    items: ItemTable


# ---------------------------------------------------------------------- data


def toys(folder: Path, n_users: int) -> Data:
    """The first users of Amazon Toys, with the attributes of the products (numbers without names)."""
    lines = (folder / "amazon" / "Toys_and_Games.txt").read_text().splitlines()[:n_users]
    told = json.loads((folder / "amazon" / "Toys_and_Games_item2attributes.json").read_text())
    log = Interactions.of_sequences([int(item) for item in line.split()[1:]] for line in lines)
    n = log.n_ords
    attributes = [told.get(str(item), []) for item in range(n)]
    names = tuple(f"attribute: {code}" for code in range(max(max(of_one, default=0) for of_one in attributes) + 1))
    return Data("toys", log, ItemTable.blank(n, attributes=Codes.of(attributes), attribute_names=names))


def retail(folder: Path) -> Data:
    """Orders of known customers; the words of a title stand for attributes."""
    frame = (
        pl.read_parquet(folder / "online_retail" / "online_retail.parquet")
        .drop_nulls(["CustomerID", "Description"])
        .filter(pl.col("Quantity") > 0)
        .select(pl.col("Description").str.strip_chars(), pl.col("InvoiceDate").dt.epoch("ms"), "CustomerID")
    )
    ords: dict[str, int] = {}
    events = (
        LoggedEvent(seq, Event("purchase", str(customer), (EventItem(title),), time_ms, f"e{seq}"))
        for seq, (title, time_ms, customer) in enumerate(frame.iter_rows(), 1)
    )
    log = Interactions.read(events, lambda title: ords.setdefault(title, len(ords)))
    words: dict[str, int] = {}
    told = [[words.setdefault(word, len(words)) for word in dict.fromkeys(title.split())] for title in ords]
    names = tuple(f"word: {word}" for word in words)
    return Data("retail", log, ItemTable.blank(len(ords), attributes=Codes.of(told), attribute_names=names))


def demo(seed: int) -> Data:
    """The simulated shop's month; without text vectors, so that nothing need be encoded."""
    world = World(WorldConfig(n_groups=1000, n_shoppers=2500, days=30, seed=seed))
    variants: dict[str, list[Product]] = {}
    for product in products(world):
        variants.setdefault(product.key, []).append(product)
    groups = [Group(ord_, key, tuple(of_one)) for ord_, (key, of_one) in enumerate(variants.items())]
    of_item = {product.item_id: group.ord for group in groups for product in group.products}
    events = (LoggedEvent(seq, event) for seq, event in enumerate(simulate(world), 1))
    return Data("demo", Interactions.read(events, lambda item: of_item.get(item, -1)), ItemTable.of(groups))


# ----------------------------------------------------------------- measuring


def last_taken(log: Interactions) -> tuple[Interactions, list[tuple[np.ndarray, int]]]:
    """The log without each shopper's last new product and what came after, and those as cases."""
    starts = log.starts(log.visitor)
    kept = np.ones(len(log), bool)
    cases: list[tuple[np.ndarray, int]] = []
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        ords = log.ords[begin:end]
        _, first = np.unique(ords, return_index=True)
        at = int(first.max())
        if at > 0 and len(first) > 2:
            kept[begin + at : end] = False
            cases.append((ords[:at], int(ords[at])))
    chosen = np.random.default_rng(0).permutation(len(cases))[:MOST_CASES]
    return log.take(np.flatnonzero(kept)), [cases[at] for at in chosen]


def recall(source: Recommender, cases: list[tuple[np.ndarray, int]], top_k: int) -> float:
    hits = [target in source.recommend(Shopper.of_sequence(before), NONE, top_k).ords for before, target in cases]
    return float(np.mean(hits))


def popular_recall(counts: np.ndarray, cases: list[tuple[np.ndarray, int]], top_k: int) -> float:
    """Of equals a random order: the chance that the target is among the first."""
    found = []
    for before, target in cases:
        own = counts.copy()
        own[before] = -1
        better, equal = int((own > own[target]).sum()), int((own == own[target]).sum())
        found.append(np.clip((top_k - better) / equal, 0, 1))
    return float(np.mean(found))


def silent(stage: str, done: int, total: int) -> None:
    pass


def factors(data: Data, work: Path, seed: int) -> dict[str, object]:
    past, cases = last_taken(data.log)
    counts = np.bincount(past.ords, minlength=data.log.n_ords).astype(float)
    result: dict[str, object] = {"cases": len(cases), "popularity": round(popular_recall(counts, cases, 20), 4)}
    validation: dict[str, float] = {}
    for way in WAYS:
        started = time.process_time()
        fitted = fit_factors(past, data.items, work=work, progress=silent, seed=seed, ways=(way,))
        if fitted is None:
            result[way] = None
            continue
        chosen = fitted
        fitted = fit_factors(past, data.items, work=work, progress=silent, seed=seed, before=chosen)
        assert fitted is not None
        validation[way] = chosen.metrics[f"{way}.heldout_ndcg@20"]
        result[way] = {
            "recall@20": round(recall(Factors.of(fitted.arrays), cases, 20), 4),
            "validation_ndcg@20": round(validation[way], 4),
            "half": fitted.params["half"],
            "cpu_seconds": round(time.process_time() - started, 1),
        }
        print(data.name, way, json.dumps(result[way]), flush=True)
    result["chosen"] = max(validation, key=lambda way: validation[way]) if validation else None
    return result


def links(data: Data, work: Path, seed: int) -> dict[str, object]:
    started = time.process_time()
    fitted = fit_graph(data.log, data.items, work=work, progress=silent, seed=seed)
    if fitted is None:
        return {"links": None}
    told = {
        kind: {name: round(fitted.metrics[f"{kind}.heldout_{name}"], 4) for name in ("mrr", "hits@10")}
        for kind in (*KINDS, "sage")
    }
    seconds = round(time.process_time() - started, 1)
    found = {"chosen": fitted.params["kind"], "heldout": int(fitted.metrics["links.heldout"]), "cpu_seconds": seconds}
    print(data.name, json.dumps({**told, **found}), flush=True)
    return {**told, **found}


def cold(data: Data, work: Path, seed: int) -> dict[str, object]:
    """A tenth of the products is in no event that is learnt from; the step to one, from what came before."""
    rng = np.random.default_rng([seed, 5])
    n = len(data.items)
    is_cold = np.zeros(max(n, data.log.n_ords), bool)
    is_cold[rng.choice(n, n // 10, replace=False)] = True
    log = data.log
    rows = rng.permutation(np.flatnonzero(is_cold[log.ords]))
    cases = []
    for row in rows.tolist():
        begin = int(np.searchsorted(log.visitor, log.visitor[row]))
        before = log.ords[max(begin, row - 20) : row]
        before = before[~is_cold[before]]
        if len(before):
            cases.append((before, int(log.ords[row])))
        if len(cases) == 2000:
            break
    past = log.take(np.flatnonzero(~is_cold[log.ords]))
    fitted = fit_graph(past, data.items, work=work, progress=silent, seed=seed, kinds=("transe",))
    if fitted is None or not cases:
        return {"cold": None}
    counts = np.bincount(past.ords, minlength=n).astype(float)
    result: dict[str, object] = {
        "cases": len(cases),
        "graph, whole catalogue": round(recall(Graph(fitted.arrays), cases, 50), 4),
        "content cosine, whole catalogue": round(_by_score(_words(data.items), cases, None), 4),
        "popularity, whole catalogue": round(popular_recall(counts, cases, 50), 4),
        "graphsage, cold only": round(_by_score(fitted.arrays["vectors"], cases, is_cold[:n]), 4),
        "content cosine, cold only": round(_by_score(_words(data.items), cases, is_cold[:n]), 4),
        "chance, cold only": round(50 / max(1, int(is_cold[:n].sum())), 4),
    }
    print(data.name, "cold", json.dumps(result), flush=True)
    return result


def _words(items: ItemTable) -> np.ndarray:
    """Unit vectors of a product's names, the rare counting more: content alone, nothing learnt."""
    told = words_of(items)
    codes = {word: code for code, word in enumerate(dict.fromkeys(word for words in told for word in words))}
    vectors = np.zeros((len(items), max(1, len(codes))), np.float32)
    for row, words in enumerate(told):
        vectors[row, [codes[word] for word in words]] = 1
    vectors *= np.log(len(items) / np.maximum(1, vectors.sum(0)))
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _by_score(vectors: np.ndarray, cases: list[tuple[np.ndarray, int]], among: np.ndarray | None) -> float:
    """Recall@50 of the cosine with what was taken, the newest most; `among` bool[n] confines the candidates."""
    found = []
    for before, target in cases:
        newest = np.array(list(dict.fromkeys(before[::-1].tolist())))[:12]
        scores = vectors @ (np.exp2(-np.arange(len(newest)) / 2) @ vectors[newest])
        scores[newest] = -np.inf
        if among is not None:
            scores[~among] = -np.inf
        better, equal = int((scores > scores[target]).sum()), int((scores == scores[target]).sum())
        found.append(np.clip((50 - better) / equal, 0, 1))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AISLE_DATA", "data")))
    parser.add_argument("--only", default="toys,retail,demo", help="data sets, by comma")
    parser.add_argument("--parts", default="factors,links,cold", help="parts, by comma")
    parser.add_argument("--users", type=int, default=6000, help="users of toys")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file that the JSON is also written to")
    args = parser.parse_args()
    chosen = args.only.split(",")
    needed = {"toys": "amazon", "retail": "online_retail"}
    missing = [needed[name] for name in chosen if name in needed and not (args.data / needed[name]).is_dir()]
    if missing:
        sys.exit(f"{args.data} has no folder {' or '.join(missing)}: name the data with --data or AISLE_DATA")
    make = {"toys": lambda: toys(args.data, args.users), "retail": lambda: retail(args.data), "demo": lambda: demo(7)}
    parts = {"factors": factors, "links": links, "cold": cold}
    result: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as work:
        for name in chosen:
            data = make[name]()
            size = {"events": len(data.log), "items": len(data.items)}
            print(name, json.dumps(size), flush=True)
            result[name] = {
                **size,
                **{part: parts[part](data, Path(work), args.seed) for part in args.parts.split(",")},
            }
    told = json.dumps(result)
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(told)


if __name__ == "__main__":
    main()
