"""Leave one out on long histories, every item ranked: recall@5, ndcg@5, recall@10, ndcg@10.

    python benchmarks/sequence.py --data ../shared/data/amazon/Beauty.txt --run-out run.jsonl
        [--attributes ../shared/data/amazon/Beauty_item2attributes.json] [--split test|valid] [--seed N]

FILE has a line a user, `user item item …` in time order. Of each user the last
item is the test, the one before it validation; models learn from the rest only.
The test input includes the validation item, the training data never does. The
run file has a line of JSON a user: `{"user": …, "items": [20 ids, best first]}`.

`--split valid` reports on the validation items of users that neither early
stopping nor the combination looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from next_item import MODELS, MOST_CASES, System, Vocabulary, cases_of, peak_memory_gb, print_json, run, say

MEASURES = (("recall", 5), ("ndcg", 5), ("recall", 10), ("ndcg", 10))


def read(file: Path, vocabulary: Vocabulary) -> tuple[list[str], list[np.ndarray]]:
    if not file.exists():
        sys.exit(f"{file}: there is no such file; name one with --data (a line a user: user item item …)")
    users, lists = [], []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        user, *items = line.split()
        if len(items) < 3:
            sys.exit(f"{file}, line {number}: a user needs three items or more to leave two out")
        users.append(user)
        lists.append(np.array([vocabulary.ord(item) for item in items], np.int32))
    return users, lists


def read_attributes(file: Path, vocabulary: Vocabulary) -> ItemTable:
    given = json.loads(file.read_text("utf-8"))
    rows: list[list[int]] = [[] for _ in vocabulary.ords]
    names: dict[str, int] = {}
    for item, attributes in given.items():
        if item in vocabulary.ords:
            rows[vocabulary.ords[item]] = [names.setdefault(str(one), len(names)) for one in attributes]
    return ItemTable.blank(len(rows), attributes=Codes.of(rows), attribute_names=tuple(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--attributes", type=Path)
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=35.0, help="the time that fitting may take")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="models to fit (for ablations)")
    given = parser.parse_args()

    vocabulary = Vocabulary()
    users, lists = read(given.data, vocabulary)
    say(f"{len(users):,} users, {len(vocabulary.ords):,} items, {sum(map(len, lists)):,} actions")
    items = ItemTable.blank(len(vocabulary.ords))
    models = [name for name in given.models if name != "graph" or given.attributes]
    if given.attributes:
        items = read_attributes(given.attributes, vocabulary)
    past = Interactions.of_sequences([one[:-2] for one in lists])
    drawn = np.random.default_rng(given.seed).permutation(len(users))
    looked_at, unseen = np.sort(drawn[: min(MOST_CASES, len(users) // 2)]), np.sort(drawn[len(users) // 2 :])
    started = time.monotonic()
    system = System(past, items, models=models, threads=given.threads, seconds=60 * given.minutes, seed=given.seed)
    system.fit(cases_of([lists[u][:-2] for u in looked_at], [int(lists[u][-2]) for u in looked_at], looked_at.tolist()))
    seconds = time.monotonic() - started

    asked = range(len(users)) if given.split == "test" else unseen.tolist()
    end = -1 if given.split == "test" else -2
    names = vocabulary.names()
    with given.run_out.open("w", encoding="utf-8") as out:

        def write(user: Any, ranked: np.ndarray) -> None:
            out.write(json.dumps({"user": users[user], "items": [names[o] for o in ranked.tolist()]}) + "\n")

        def tests() -> Iterator[tuple[int, np.ndarray, int]]:
            for user in asked:
                yield user, lists[user][:end], int(lists[user][end])

        found = run(system, tests(), len(asked), write, MEASURES)
    system.close()
    print_json(
        {
            "benchmark": "sequence", "data": given.data.stem, "split": given.split, "seed": given.seed,
            "attributes": bool(given.attributes), **found,
            "training_seconds": round(seconds), "peak_memory_gb": peak_memory_gb(), "users": len(asked),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
