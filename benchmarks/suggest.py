"""Suggestions as one types: latency, and how often the right one is among the first five.

    python benchmarks/suggest.py --products ../shared/data/retrotech/products.csv

Titles are drawn with a seed; of each, the first one to three words are typed, the
last one whole or in part, once as they are and once with one random typing error
(a letter inserted, left out, replaced or swapped, anywhere, the first letter too).

Two judgements, since no list of five can tell 60 titles apart that begin alike:
`specific`: the title itself, where at most five distinct titles have all the words typed;
`any`: a suggestion that holds the words that were meant, over all samples.

`in_shop` times what a keystroke costs through `Shop`: seven suggestions and six products, for visitors each with
searches and a session of their own, every prefix typed once, so that no cache helps. With `--chinese N` the same over
N products of the demo's Chinese catalogue: Chinese words, pinyin in full and as initials, and both mixed; and how often
the phrase that was meant is among the first five. `--personal` chose the weight of the session. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import string
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from aisle import Event, EventItem, Product, Settings, Shop
from aisle.demo.catalogue import group_products
from aisle.demo.kinds import KINDS
from aisle.demo.traffic import simulate
from aisle.demo.words import BRANDS, COLOURS
from aisle.demo.world import World, WorldConfig
from aisle.han import syllables
from aisle.retrieve import suggest
from aisle.retrieve.completions import words_of
from aisle.retrieve.suggest import Entry, Mine, Suggester, category_entries
from aisle.serving.keystrokes import Liking
from aisle.types import now_ms

VISITORS = 50


def mistype(word: str, rng: random.Random) -> tuple[str, str]:
    """The word with one typing error, and the error's name."""
    while True:
        kind = rng.choice(["insert", "delete", "substitute", "transpose"])
        at = rng.randrange(len(word))
        letter = rng.choice(string.ascii_lowercase)
        wrong = {
            "insert": word[:at] + letter + word[at:],
            "delete": word[:at] + word[at + 1 :],
            "substitute": word[:at] + letter + word[at + 1 :],
            "transpose": word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
        }[kind]
        if wrong != word and len(wrong) > 1:
            return wrong, kind


def sample(titles: list[str], n: int, rng: random.Random) -> list[tuple[str, list[str], list[str], str]]:
    """(title, words meant, words typed with an error, kind of error)."""
    cases = []
    while len(cases) < n:
        title = rng.choice(titles)
        words = words_of(title)[: rng.choice([1, 2, 2, 3, 3])]
        if not words:
            continue
        last = words[-1]
        if len(last) > 4 and rng.random() < 0.5:
            words[-1] = last[: rng.randrange(4, len(last))]
        long = [at for at, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
        if not long:
            continue
        at = rng.choice(long)
        wrong, kind = mistype(words[at], rng)
        cases.append((title, words, [*words[:at], wrong, *words[at + 1 :]], kind))
    return cases


def holds(text: str, words: list[str]) -> bool:
    have = words_of(text)
    return all(w in have for w in words[:-1]) and any(h.startswith(words[-1]) for h in have)


def keystrokes(shop: Shop, prefixes: list[str], rng: random.Random) -> dict[str, float]:
    """Milliseconds that suggestions with products take, each prefix once, for visitors with a session."""
    items = [hit.item_id for hit in shop.search("", hits_per_page=60, facets=(), record=False).hits]
    now = now_ms()
    for n in range(VISITORS):
        queries = rng.sample(prefixes, min(5, len(prefixes)))
        shop.record_many([Event("search", f"v{n}", query=text, time_ms=now) for text in queries])
        viewed = rng.sample(items, min(6, len(items)))
        shop.record_many([Event("view_item", f"v{n}", items=(EventItem(item),), time_ms=now) for item in viewed])
    shop.suggest_with_products("a", visitor_id="v0")
    took = []
    for n, prefix in enumerate(dict.fromkeys(prefixes)):
        started = time.perf_counter()
        shop.suggest_with_products(prefix, visitor_id=f"v{n % VISITORS}", top_k=7, n_products=6)
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return {
        "n": len(took),
        "p50_ms": round(took[len(took) // 2], 3),
        "p99_ms": round(took[min(len(took) - 1, int(0.99 * len(took)))], 3),
    }


@contextmanager
def shop_of(products: Path | list[Product]) -> Iterator[Shop]:
    """A shop in a temporary folder that searches by words only: suggestions use no encoder."""
    with tempfile.TemporaryDirectory(prefix="aisle-suggest-") as folder:
        settings = Settings.checked({"encoder": {"model": ""}}, "benchmark")
        with Shop.open(Path(folder), settings=settings) as shop:
            if isinstance(products, Path):
                shop.import_products(products)
            else:
                for at in range(0, len(products), 2000):
                    shop.upsert_products(products[at : at + 2000])
            shop.wait_indexed()
            shop._parts.vocabulary.gather_suggestions()
            yield shop


def chinese(n: int, n_samples: int, seed: int) -> dict[str, object]:
    """The Chinese catalogue: times by kind of typing, and whether the phrase that was meant came."""
    rng = random.Random(seed)
    world = World(WorldConfig(n_groups=n, n_shoppers=10, language="zh", currency="CNY"))
    names = [kind.zh for kind in KINDS]
    colours = [colour.zh for colour in COLOURS]
    brands = [brand.in_china for brand in BRANDS]
    kinds: dict[str, list[tuple[str, str]]] = {"chinese": [], "pinyin": [], "initials": [], "mixed": []}
    for name in names:
        said = syllables(name)
        letters, firsts = "".join(said), "".join(s[0] for s in said)
        kinds["chinese"] += [(name[:end], name) for end in range(1, len(name) + 1)]
        kinds["chinese"] += [(f"{colour}{name}", name) for colour in rng.sample(colours, 4)]
        kinds["pinyin"] += [(letters[:end], name) for end in range(len(said[0]) + 1, len(letters) + 1)]
        kinds["pinyin"] += [(" ".join(said), name), (" ".join(said[:2]), name)]
        kinds["initials"].append((firsts, name))
        kinds["mixed"] += [(f"{colour}{letters}", name) for colour in rng.sample(colours, 4)]
        kinds["mixed"] += [(f"{brand} {letters}", name) for brand in rng.sample(brands, 2)]
        kinds["mixed"].append((name[0] + "".join(said[1:]), name))
    result: dict[str, object] = {}
    with shop_of([group_products(world, number)[0] for number in range(n)]) as shop:
        for kind, cases in kinds.items():
            cases = rng.sample(cases, min(n_samples, len(cases)))
            times = keystrokes(shop, [typed for typed, _ in cases], rng)
            whole = [(typed, name) for typed, name in cases if kind != "chinese" or typed.endswith(name)]
            found = sum(
                any(name in s.text for s in (*answer.suggestions[:5], *answer.products[:5]))
                for typed, name in whole
                for answer in (shop.suggest_with_products(typed, top_k=7),)
            )
            result[kind] = {**times, "meant_in_5": round(found / len(whole), 4)}
    return result


def personal(language: str, seed: int) -> dict[str, object]:
    """How high the search that was meant stands after its first letters, by the weight of what the session is about.

    The demo's traffic: searches of its first two thirds may be suggested, those of the last third that follow a
    product's page in the same session are typed. Mean reciprocal rank among seven, 0 where it is not among them.
    """
    currency = "USD" if language == "en" else "CNY"
    world = World(WorldConfig(n_groups=900, n_shoppers=3000, days=20, seed=seed, language=language, currency=currency))
    events = list(simulate(world))
    known = len(events) * 2 // 3
    made: dict[str, list[str]] = {}
    for event in events[:known]:
        if event.name == "search":
            made.setdefault(" ".join(event.query.lower().split()), []).append(event.visitor_id)
    queries = {text: len(by) for text, by in made.items() if len(set(by)) > 1}
    cases, viewed = [], {}
    for n, event in enumerate(events):
        if event.name == "view_item":
            viewed.setdefault(event.session_id, []).insert(0, event.items[0].item_id)
        elif event.name == "search" and n >= known and event.session_id in viewed:
            cases.append((tuple(viewed[event.session_id]), event.query.lower()))
    ranks: dict[float, float] = {}
    with shop_of([p for number in range(len(world.goods)) for p in group_products(world, number)]) as shop:
        parts = shop._parts
        vocabulary = parts.indexes.lexical.vocabulary
        categories = category_entries(dict(vocabulary("product_type")))
        suggester = Suggester()
        suggester.rebuild([*parts.suggestions._entries.values(), *categories], queries, dict(vocabulary("chinese")))
        for weight in (0.0, 0.1, 0.2, 0.35, 0.5, 0.8):
            suggest.PERSONAL = weight  # type: ignore[misc]
            total = 0.0
            for items, query in cases:
                seen = SimpleNamespace(session=parts.columns.facts.ords_of(items))
                mine = Mine((), Liking(parts, seen))  # type: ignore[arg-type]
                typed = query[:2] if query.isascii() else query[:1]
                found = suggester.complete(typed, 7, n_products=6, mine=mine).suggestions
                place = next((n for n, s in enumerate(found, 1) if query.endswith(s.text.lower())), 0)
                total += 1 / place if place else 0.0
            ranks[weight] = round(total / max(1, len(cases)), 4)
    return {"cases": len(cases), "mrr_by_weight": ranks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, required=True, help="a CSV with a column name or title")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--chinese", type=int, default=0, metavar="N", help="time a Chinese catalogue of N products too"
    )
    parser.add_argument("--personal", action="store_true", help="what the session adds, by its weight")
    parser.add_argument("--misses", type=int, default=0, help="print so many cases that were missed")
    args = parser.parse_args()
    if not args.products.exists():
        sys.exit(f"{args.products} is not there: name a CSV of products with --products")
    with args.products.open(newline="", encoding="utf-8") as file:
        titles = [row.get("name") or row.get("title") or "" for row in csv.DictReader(file)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    suggester = Suggester()
    suggester.rebuild([Entry(title, item_id=str(n)) for n, title in enumerate(titles)])
    build_s = time.perf_counter() - started
    memory_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024

    cases = sample(titles, args.samples, random.Random(args.seed))
    distinct = list({tuple(words_of(t)): t for t in titles}.values())
    have: dict[str, set[int]] = {}
    for row, title in enumerate(distinct):
        for word in set(words_of(title)):
            have.setdefault(word, set()).add(row)
    vocabulary = sorted(have)
    tally: Counter[str] = Counter()
    times: dict[str, list[float]] = {"clean": [], "error": []}
    missed = 0
    for title, meant, typed, kind in cases:
        begun = set().union(*(have[w] for w in vocabulary if w.startswith(meant[-1])))
        specific = len(begun.intersection(*(have[w] for w in meant[:-1]))) <= 5
        for condition, words in (("clean", meant), ("error", typed)):
            started = time.perf_counter()
            found = suggester.suggest(" ".join(words), 8)
            times[condition].append((time.perf_counter() - started) * 1000)
            first = [s.text for s in found[:5]]
            hit = any(words_of(text) == words_of(title) for text in first)
            tally[f"{condition}_any"] += any(holds(text, meant) for text in first)
            if specific:
                tally[f"{condition}_specific"] += hit
                tally[f"{condition}_n_specific"] += 1
                if condition == "error":
                    tally[f"{kind}_n"] += 1
                    tally[f"{kind}"] += hit
                    if not hit and missed < args.misses:
                        missed += 1
                        print(f"{' '.join(words)!r} for {title!r}: {first}")

    def at(condition: str, share: float) -> float:
        ordered = sorted(times[condition])
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    n_specific = tally["clean_n_specific"]
    result = {
        "titles": len(titles),
        "samples": len(cases),
        "specific": n_specific,
        "build_s": round(build_s, 2),
        "memory_mb": round(memory_mb, 1),
        "p50_ms": at("clean", 0.5),
        "p99_ms": at("clean", 0.99),
        "error_p50_ms": at("error", 0.5),
        "error_p99_ms": at("error", 0.99),
        "hit5": round(tally["clean_specific"] / n_specific, 4),
        "hit5_error": round(tally["error_specific"] / n_specific, 4),
        "hit5_by_error": {
            k: round(tally[k] / max(1, tally[f"{k}_n"]), 4) for k in ("insert", "delete", "substitute", "transpose")
        },
        "any5": round(tally["clean_any"] / len(cases), 4),
        "any5_error": round(tally["error_any"] / len(cases), 4),
    }
    with shop_of(args.products) as shop:
        rng = random.Random(args.seed)
        result["in_shop"] = {
            "clean": keystrokes(shop, [" ".join(meant) for _, meant, _, _ in cases], rng),
            "error": keystrokes(shop, [" ".join(typed) for _, _, typed, _ in cases], rng),
        }
    if args.chinese:
        result["chinese"] = chinese(args.chinese, args.samples, args.seed)
    if args.personal:
        result["personal"] = {language: personal(language, args.seed) for language in ("en", "zh")}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
