"""Held-out hit rate of co-visitation against popularity, and the sweep that chose its numbers.

    python benchmarks/covisitation.py --data ../shared/data [--sweep]

`bought` is measured on online_retail (a line an event), `viewed` on the training
sessions of diginetica; its newest tenth is held out, its test file is never read.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from aisle.learn.covisitation import COUNTING, Lines, hold_out, read_lines, train_covisitation
from aisle.types import Event, EventItem, LoggedEvent


def online_retail(folder: Path) -> Iterator[LoggedEvent]:
    """Order lines of known customers, as purchase events of one line."""
    frame = (
        pl.read_parquet(folder / "online_retail" / "online_retail.parquet")
        .drop_nulls(["CustomerID", "Description"])
        .filter(pl.col("Quantity") > 0)
        .select("Description", pl.col("InvoiceDate").dt.epoch("ms"), pl.col("CustomerID").cast(pl.Int64))
    )
    for seq, (title, time_ms, customer) in enumerate(frame.iter_rows(), 1):
        yield LoggedEvent(seq, Event("purchase", str(customer), (EventItem(title),), time_ms, f"e{seq}"))


def diginetica(folder: Path, limit: int) -> Iterator[LoggedEvent]:
    """Sessions in time order, a view event for each click."""
    seq = 0
    with (folder / "diginetica" / "train.txt").open() as file:
        for session, line in enumerate(itertools.islice(file, limit)):
            for step, item in enumerate(line.split()):
                seq += 1
                at = session * 60_000 + step * 1000
                yield LoggedEvent(
                    seq, Event("view_item", f"v{session}", (EventItem(item),), at, f"e{seq}", f"s{session}")
                )


def sweep(relation: str, lines: Lines) -> None:
    """Print the hit rate of each setting, one number moved at a time."""
    grid = {
        "reach": (3, 5, 10, 20, 50),
        "nearness": (0.0, 0.5, 1.0),
        "backward": (0.4, 0.7, 1.0),
        "popularity": (0.0, 0.15, 0.3, 0.5),
        "shrinkage": (0.0, 0.5, 2.0, 5.0),
    }
    for name, values in grid.items():
        for value in values:
            found = hold_out(lines, replace(COUNTING[relation], **{name: value}), max_cases=3000)
            print(f"{relation:7} {name:11} {value:5}  hit@20 {found['hit_rate']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AISLE_DATA", "data")))
    parser.add_argument("--sessions", type=int, default=186_670, help="diginetica sessions to read")
    parser.add_argument("--sweep", action="store_true", help="also measure other settings")
    args = parser.parse_args()
    missing = [name for name in ("online_retail", "diginetica") if not (args.data / name).is_dir()]
    if missing:
        sys.exit(f"{args.data} has no folder {' or '.join(missing)}: name the data with --data or AISLE_DATA")
    result: dict[str, object] = {}
    for relation, events in (
        ("bought", list(online_retail(args.data))),
        ("viewed", list(diginetica(args.data, args.sessions))),
    ):
        ords: dict[str, int] = {}
        started = time.perf_counter()
        arrays = train_covisitation(events, lambda item, ords=ords: ords.setdefault(item, len(ords)))
        seconds = time.perf_counter() - started
        lines = read_lines(events, lambda item, ords=ords: ords[item])[relation]
        found = hold_out(lines, COUNTING[relation])
        result[relation] = {
            "events": len(events),
            "items": len(ords),
            "seconds": round(seconds, 2),
            "pairs": len(arrays[f"{relation}_indices"]),
            **{k: round(v, 4) for k, v in found.items()},
        }
        print(relation, json.dumps(result[relation]), flush=True)
        if args.sweep:
            sweep(relation, lines)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
