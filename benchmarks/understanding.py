"""How much of what shoppers say is understood, and whether any page stays empty.

    python benchmarks/understanding.py --luma ../shared/data/luma --out benchmarks/results/understanding.json

Makes two shops (a real feed, and the demo's catalogue), asks each query of
`understanding/*.jsonl` through `Shop.search`, and compares what was understood
with what a shopkeeper would expect (`understanding/README.md`). A slot counts
once; precision, recall and F1 are over slots. A page is empty when neither
products nor anything instead of them is shown.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from aisle.demo.files import write_demo_files
from aisle.demo.world import World, WorldConfig
from aisle.shop import Shop
from aisle.types import Query, Understood
from aisle.understand.text import key

HERE = Path(__file__).parent
VALUED = {"color", "material", "size", "brand", "attribute", "item", "age"}


def slots_of(query: Query) -> list[tuple[str, Any]]:
    """What was understood, as (kind, value) pairs in the form that `agrees` reads."""
    found: list[tuple[str, Any]] = []
    for part in query.understood:
        found += _slots(part)
    if query.intent != "product":
        found.append(("intent", query.intent))
    if query.corrected:
        found.append(("corrected", query.corrected.casefold()))
    return found


def _slots(part: Understood) -> list[tuple[str, Any]]:
    clause = part.clause
    if clause.exclude:
        return [("not", clause.values)]
    if part.kind == "price":
        ends = []
        if clause.low is not None:
            ends.append(("price", _limit(clause.low, low=True)))
        if clause.high is not None:
            ends.append(("price", _limit(clause.high, low=False)))
        return ends
    if part.kind == "sale":
        return [("sale", "true")]
    if part.kind == "sort":
        return [("sort", clause.values[0])]
    if part.kind == "gender":
        return [("gender", clause.values[0])]
    if part.kind == "category":
        return [("category", tuple(v.rpartition(" > ")[2] for v in clause.values))]
    return [(part.kind, clause.values)]


def _limit(amount: float, *, low: bool) -> str:
    """ "under 60" ends a cent below 60."""
    cents = round(amount * 100)
    if low:
        return f">{(cents - 1) / 100:g}" if cents % 100 == 1 else f">={amount:g}"
    return f"<{(cents + 1) / 100:g}" if cents % 100 == 99 else f"<={amount:g}"


def agrees(expected: str, kind: str, value: Any) -> bool:
    """Whether an understood slot is the expected one (`a|b`: either)."""
    want = re.match(r"(\w+)(=|[<>]=?)(.*)", expected)
    if want is None or want[1] != kind:
        return False
    if kind == "price":
        return f"{want[2]}{want[3]}" == value
    several = want[3].casefold().split("|")
    several += [s.partition("=")[2] if "=" in s else s for s in several]
    if isinstance(value, str):
        return value.casefold() in several
    shown = [str(v).casefold() for v in value]
    if kind == "category":
        return bool(shown) and all(v in several for v in shown)
    return bool(shown) and any(all(_has(v, s) for v in shown) for s in several)


def _has(value: str, word: str) -> bool:
    return f" {key(word)} " in f" {key(value.replace('-', ' '))} " or key(word) == key(value) or word == value or (
        f" {key(word.replace('-', ' '))} " in f" {key(value.replace('-', ' '))} ")  # fmt: skip


def compare(expected: list[str], found: list[tuple[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """Slots that are right, that were missed, and that were made up."""
    left = list(found)
    right, missed = [], []
    for want in (e for e in expected if not e.startswith("?")):
        hit = next((f for f in left if agrees(want, *f)), None)
        if hit is None:
            missed.append(want)
        else:
            left.remove(hit)
            right.append(want)
    for may in (e[1:] for e in expected if e.startswith("?")):
        left = [f for f in left if not agrees(may, *f)]
    return right, missed, [f"{kind}={value}" for kind, value in left]


def make_luma(folder: Path, feed: Path) -> Shop:
    shop = Shop.open(folder / "luma")
    shop.import_products(feed / "feed.tsv")
    shop.import_reviews(feed / "reviews.csv")
    shop.import_promotions(feed / "promotions.csv")
    shop.import_pages(feed / "pages")
    return shop


def make_demo(folder: Path, n_groups: int) -> Shop:
    files = folder / "demo-files"
    write_demo_files(files, World(WorldConfig(n_groups=n_groups, n_shoppers=60, days=2)), images=False)
    shop = Shop.open(folder / "demo")
    shop.import_products(files / "feed.tsv")
    shop.import_reviews(files / "reviews.csv")
    shop.import_promotions(files / "promotions.csv")
    shop.import_pages(files / "pages")
    return shop


def run(queries: list[dict[str, Any]], shops: dict[str, Shop], *, show: bool) -> dict[str, Any]:
    """Ask every query; the figures."""
    right: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    made_up: Counter[str] = Counter()
    empty, wrong, times = [], [], []
    by_shop: dict[str, Counter[str]] = defaultdict(Counter)
    for one in queries:
        shop = shops[one["shop"]]
        started = time.perf_counter()
        slate = shop.search(one["query"], record=False)
        times.append((time.perf_counter() - started) * 1000)
        assert slate.query is not None
        good, bad, more = compare(one["slots"], slots_of(slate.query))
        for names, counter in ((good, right), (bad, missed), (more, made_up)):
            counter.update(re.split(r"[=<>]", n, maxsplit=1)[0] for n in names)
        by_shop[one["shop"]].update(right=len(good), missed=len(bad), made_up=len(more))
        if not slate.hits and not (slate.rescue and slate.rescue.hits):
            empty.append(one["query"])
        if bad or more:
            wrong.append({"shop": one["shop"], "query": one["query"], "missed": bad, "made_up": more})
            if show:
                print(f"  {one['shop']:5} {one['query']!r}\n        missed {bad}  made up {more}")
    kinds = sorted({*right, *missed, *made_up})
    rows = {k: _figures(right[k], missed[k], made_up[k]) for k in kinds}
    total = _figures(right.total(), missed.total(), made_up.total())
    if show:
        print(f"\n{'slot':12} {'n':>4} {'precision':>9} {'recall':>7} {'F1':>6}")
        for k in kinds:
            r = rows[k]
            print(f"{k:12} {r['n']:4} {r['precision']:9.3f} {r['recall']:7.3f} {r['f1']:6.3f}")
        print(f"{'all':12} {total['n']:4} {total['precision']:9.3f} {total['recall']:7.3f} {total['f1']:6.3f}")
        print(f"{len(queries)} queries, {len(wrong)} with a slot amiss, {len(empty)} empty pages {empty}")
    return {
        "n_queries": len(queries),
        **total,
        "by_slot": rows,
        "by_shop": {name: _figures(c["right"], c["missed"], c["made_up"]) for name, c in by_shop.items()},
        "n_empty": len(empty),
        "empty": empty,
        "search_p50_ms": round(statistics.median(times), 2),
        "wrong": wrong,
    }


def _figures(right: int, missed: int, made_up: int) -> dict[str, float]:
    precision = right / (right + made_up) if right + made_up else 1.0
    recall = right / (right + missed) if right + missed else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"n": right + missed, "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


FILES = ("queries", "held_out", "held_out_2")
"""Of understanding/; chinese.py asks those of a Chinese shop."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--luma", type=Path, required=True, help="folder with feed.tsv, promotions.csv, pages/")
    parser.add_argument("--demo-products", type=int, default=600)
    parser.add_argument(
        "--queries", type=Path, nargs="*", default=[HERE / "understanding" / f"{name}.jsonl" for name in FILES]
    )
    parser.add_argument("--work", type=Path, help="folder that keeps the shops between runs")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work or Path(temporary)
        there = (folder / "demo").exists()
        if there:
            shops = {name: Shop.open(folder / name) for name in ("luma", "demo")}
        else:
            shops = {"luma": make_luma(folder, args.luma), "demo": make_demo(folder, args.demo_products)}
        try:
            for shop in shops.values():
                shop.wait_indexed()
                _wait_for_words(shop)
            results = {}
            for file in args.queries:
                queries = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
                print(f"== {file.stem}")
                results[file.stem] = run(queries, shops, show=True)
        finally:
            for shop in shops.values():
                shop.close()
    if args.out:
        args.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _wait_for_words(shop: Shop) -> None:
    """The lexicon is read soon after the products."""
    for _ in range(600):
        query = shop.search("hoodie", record=False).query
        if query is not None and any(u.kind == "category" for u in query.understood):
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
