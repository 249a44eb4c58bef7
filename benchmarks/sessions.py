"""Next item in a session: recall@20 and mrr@20.

    python benchmarks/sessions.py --train ../shared/data/diginetica/train.txt \\
        --test ../shared/data/diginetica/test.txt --run-out run.jsonl [--seed N]

The training file has a line a session, items in time order; the test file
`prefix items TAB target`. Models and their combination are chosen on the last
tenth of the training sessions, then the models learn from that tenth too. The
run file has a line of JSON a test row: `{"row": n, "items": [20 ids, best first]}`.
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
from aisle.learn.items import ItemTable
from next_item import MODELS, MOST_CASES, System, Vocabulary, cases_of, peak_memory_gb, print_json, run, say

MEASURES = (("recall", 20), ("mrr", 20), ("recall", 10))
HELD_OUT = 0.1


def read_sessions(file: Path, vocabulary: Vocabulary) -> list[np.ndarray]:
    if not file.exists():
        sys.exit(f"{file}: there is no such file; name one with --train (a line a session: item item …)")
    lines = file.read_text("utf-8").splitlines()
    return [np.array([vocabulary.ord(item) for item in line.split()], np.int32) for line in lines if line.strip()]


def read_tests(file: Path, vocabulary: Vocabulary) -> list[tuple[np.ndarray, int]]:
    if not file.exists():
        sys.exit(f"{file}: there is no such file; name one with --test (prefix items TAB target)")
    tests = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        prefix, tab, target = line.partition("\t")
        if not tab or not prefix.split() or not target.strip():
            sys.exit(f"{file}, line {number}: not `prefix items TAB target`")
        history = np.array([vocabulary.ord(item) for item in prefix.split()], np.int32)
        tests.append((history, vocabulary.ord(target.strip())))
    return tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=40.0, help="the time that the first fit may take")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="models to fit (for ablations)")
    given = parser.parse_args()

    vocabulary = Vocabulary()
    sessions = read_sessions(given.train, vocabulary)
    tests = read_tests(given.test, vocabulary)
    say(f"{len(sessions):,} sessions, {len(vocabulary.ords):,} items, {len(tests):,} tests")
    cut = int(len(sessions) * (1 - HELD_OUT))
    held = [(number, end) for number in range(cut, len(sessions)) for end in range(1, len(sessions[number]))]
    drawn = np.random.default_rng(given.seed).permutation(len(held))[:MOST_CASES]
    held = [held[row] for row in np.sort(drawn).tolist()]
    started = time.monotonic()
    system = System(
        Interactions.of_sequences(sessions[:cut]),
        ItemTable.blank(len(vocabulary.ords)),
        models=[name for name in given.models if name != "graph"],
        threads=given.threads,
        seconds=60 * given.minutes,
        seed=given.seed,
    )
    system.fit(
        cases_of(
            [sessions[number][:end] for number, end in held],
            [int(sessions[number][end]) for number, end in held],
            [number for number, _ in held],
        )
    )
    system.finish(Interactions.of_sequences(sessions))
    seconds = time.monotonic() - started
    names = vocabulary.names()
    with given.run_out.open("w", encoding="utf-8") as out:

        def write(row: Any, ranked: np.ndarray) -> None:
            out.write(json.dumps({"row": row, "items": [names[o] for o in ranked.tolist()]}) + "\n")

        def asked() -> Iterator[tuple[int, np.ndarray, int]]:
            for row, (history, target) in enumerate(tests):
                yield row, history, target

        found = run(system, asked(), len(tests), write, MEASURES)
    system.close()
    print_json(
        {
            "benchmark": "sessions", "data": given.train.parent.name, "seed": given.seed, **found,
            "training_seconds": round(seconds), "peak_memory_gb": peak_memory_gb(), "tests": len(tests),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
