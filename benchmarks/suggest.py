"""Suggestions as one types: latency, and how often the right one is among the first five.

    python benchmarks/suggest.py --products ../shared/data/retrotech/products.csv

Titles are drawn with a seed; of each, the first one to three words are typed, the
last one whole or in part, once as they are and once with one random typing error
(a letter inserted, left out, replaced or swapped, anywhere, the first letter too).

Two judgements, since no list of five can tell 60 titles apart that begin alike:
`specific`: the title itself, where at most five distinct titles have all the words typed;
`any`: a suggestion that holds the words that were meant, over all samples.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import string
import sys
import time
from collections import Counter
from pathlib import Path

from aisle.retrieve.completions import words_of
from aisle.retrieve.suggest import Entry, Suggester


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, required=True, help="a CSV with a column name or title")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
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
    print(json.dumps(result))


if __name__ == "__main__":
    main()
