"""Chinese queries over the demo's Chinese catalogue: slots that were understood, and pages that are empty.

    python benchmarks/chinese.py

Makes the shop in a temporary folder (no training, no encoder: Chinese is searched by words), asks
the queries of understanding/queries_zh.jsonl, and compares what was understood with the slots
that a shopkeeper would expect (understanding/README.md says how slots are written). `first` is the share of queries
whose first product agrees with every slot. `traditional` asks again in traditional characters and counts how often
the ten first products are the same. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import opencc

from aisle import Settings, Shop
from aisle.demo.catalogue import products
from aisle.demo.world import World, WorldConfig
from aisle.types import Slate, Understood

QUERIES = Path(__file__).parent / "understanding" / "queries_zh.jsonl"


def slots_of(part: Understood) -> list[frozenset[str]]:
    """What was understood, each as the texts by which it may be expected."""
    clause, kind = part.clause, part.kind
    if kind == "price":
        return [
            frozenset({f"price{sign}{bound:g}"})
            for sign, bound in ((">=", clause.low), ("<=", clause.high))
            if bound is not None
        ]
    values = [value.rpartition(" > ")[2] if kind == "category" else value for value in clause.values]
    if kind == "gender":
        values = values[:1]
    if kind in ("material", "attribute"):  # each was said
        return [frozenset({f"{kind}={value}"}) for value in values]
    return [frozenset(f"{kind}={value}" for value in values)]


def expected_of(slot: str) -> frozenset[str]:
    name, sign, values = slot.removeprefix("?").partition("=")
    if name.endswith((">", "<")):
        return frozenset({slot})
    return frozenset(f"{name}={value}" for value in values.split("|")) if sign else frozenset({slot})


def agreement(slate: Slate, slots: list[str]) -> tuple[int, int, int, list[str]]:
    """True positives, false positives and misses, and what was wrong."""
    found = [texts for part in (slate.query.understood if slate.query else ()) for texts in slots_of(part)]
    wanted = [(slot, expected_of(slot)) for slot in slots]
    right, wrong = 0, []
    left = list(found)
    for slot, texts in wanted:
        match = next((one for one in left if one & texts), None)
        if match is not None:
            left.remove(match)
            right += not slot.startswith("?")
        elif not slot.startswith("?"):
            wrong.append(f"missing {slot}")
    wrong += [f"not asked {'/'.join(sorted(one))}" for one in left]
    n_missing = sum(text.startswith("missing") for text in wrong)
    return right, len(wrong) - n_missing, n_missing, wrong


def first_agrees(shop: Shop, slate: Slate, slots: list[str]) -> bool:
    """Whether the first product is of the kind that was asked for: its category, brand and colour."""
    if not slate.hits:
        return False
    group = shop.item(slate.hits[0].item_id).group
    shown = group.products
    for slot in slots:
        name, _, values = slot.partition("=")
        any_of = values.split("|")
        if name == "category" and not any(
            value in shown[0].product_type or value in shown[0].title for value in any_of
        ):
            return False
        if name == "brand" and shown[0].brand not in any_of:
            return False
        if name == "color" and not any(product.color in any_of for product in shown):
            return False
    return True


def measure(shop: Shop, show_wrong: bool = False) -> dict[str, object]:
    """The figures over all queries; `show_wrong` prints each disagreement."""
    traditional = opencc.OpenCC("s2t")
    cases = [json.loads(line) for line in QUERIES.read_text("utf-8").splitlines() if line]
    right = false = missing = empty = first = same = 0
    took = []
    for case in cases:
        started = time.perf_counter()
        slate = shop.search(case["query"], record=False)
        took.append((time.perf_counter() - started) * 1000)
        r, f, m, wrong = agreement(slate, case["slots"])
        right, false, missing = right + r, false + f, missing + m
        empty += not slate.hits
        good = first_agrees(shop, slate, case["slots"])
        first += good
        again = shop.search(traditional.convert(case["query"]), record=False)
        is_same = [h.item_id for h in again.hits[:10]] == [h.item_id for h in slate.hits[:10]]
        same += is_same
        if show_wrong and (wrong or not slate.hits or not good or not is_same):
            told = f"{case['query']}: {'; '.join(wrong)}"
            print(told + "" if good else told + "; another first product", "" if is_same else "; traditional differs")
    precision, recall = right / max(1, right + false), right / max(1, right + missing)
    return {
        "queries": len(cases),
        "slots": right + missing,
        "f1": round(2 * precision * recall / max(1e-9, precision + recall), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "empty": round(empty / len(cases), 4),
        "first": round(first / len(cases), 4),
        "traditional": round(same / len(cases), 4),
        "p50_ms": round(sorted(took)[len(took) // 2], 2),
    }


def chinese_shop(folder: Path, n_groups: int, seed: int = 7) -> Shop:
    """The demo's Chinese catalogue in a shop that searches by words."""
    settings = Settings.checked({"shop": {"language": "zh", "currency": "CNY"}, "encoder": {"model": ""}}, "benchmark")
    shop = Shop.open(folder, settings=settings)
    world = World(WorldConfig(n_groups=n_groups, n_shoppers=10, language="zh", currency="CNY", seed=seed))
    shop.upsert_products(products(world))
    shop.wait_indexed()
    shop._parts._words_due = 0.0
    shop._parts._words_changed.set()
    shop._parts._follow_words()
    return shop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=1200, help="groups of variants in the catalogue")
    parser.add_argument("--wrong", action="store_true", help="print what disagrees")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="aisle-chinese-") as folder,
        chinese_shop(Path(folder), args.products) as shop,
    ):
        print(json.dumps(measure(shop, args.wrong), ensure_ascii=False))


if __name__ == "__main__":
    main()
