"""What a lighter encoder saves and costs: size, speed, and how near it stays to the encoder it was made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aisle.learn.adapt.distil import pieces
from aisle.ports import TextEncoder
from aisle.represent.card import text_card
from aisle.types import Progress, Vectors

FULL: Final = "fp32"
_TURNS: Final = 5
_BATCH, _QUERIES = 256, 30
_NEIGHBOURS: Final = 10


@dataclass(frozen=True, slots=True)
class Lighter:
    """One model of the table. `speed` in batches and `speed_one` for one query are times the encoder in fp32.

    On texts that nothing was learned from: `cosine` to the teacher's vectors;
    `overlap`, the share of the teacher's ten nearest neighbours that are also
    its own; `mixed`, the same when its queries search the teacher's vectors.
    """

    name: str
    folder: Path
    megabytes: float
    speed: float
    speed_one: float
    cosine: float
    overlap: float
    mixed: float
    made: str


def measured(made: Sequence[tuple[str, Path, TextEncoder]], held: Sequence[str], tell: Progress) -> list[Lighter]:
    """A row for each model, given as its name, its folder and itself, opened; FULL is what the others are told by.

    `held` are texts that nothing was learned from.
    """
    encoders = {name: encoder for name, _, encoder in made}
    batch = [held[row % len(held)] for row in range(_BATCH)]
    queries = pieces(batch[:_QUERIES])
    speed, speed_one = timed(encoders, batch, queries, lambda n, of: tell("measuring speed", n, of))
    full = encoders[FULL].encode(held)
    rows = []
    for number, (name, folder, _) in enumerate(made):
        tell("measuring quality", number, len(made))
        card, vectors = text_card(folder), encoders[name].encode(held)
        size = sum((folder / file).stat().st_size for file in card.files) / 1e6
        rows.append(
            Lighter(
                name, folder, size, speed[FULL] / speed[name], speed_one[FULL] / speed_one[name],
                float((full * vectors).sum(1).mean()), overlap(full, vectors, vectors), overlap(full, vectors, full),
                card.made,
            )
        )  # fmt: skip
    tell("measuring quality", len(made), len(made))
    return rows


def timed(
    encoders: dict[str, TextEncoder], batch: Sequence[str], queries: Sequence[str], tell: Callable[[int, int], None]
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds for the batch and for each query alone, medians of turns that take every encoder in a row."""
    whole: dict[str, list[float]] = {name: [] for name in encoders}
    single: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.encode(batch[:32])
    for turn in range(_TURNS):
        for name, encoder in encoders.items():
            started = time.perf_counter()
            encoder.encode(batch)
            whole[name].append(time.perf_counter() - started)
            started = time.perf_counter()
            for query in queries:
                encoder.encode([query])
            single[name].append((time.perf_counter() - started) / len(queries))
        tell(turn + 1, _TURNS)
    return (
        {name: float(np.median(times)) for name, times in whole.items()},
        {name: float(np.median(times)) for name, times in single.items()},
    )


def overlap(full: Vectors, asking: Vectors, asked: Vectors) -> float:
    """The share of each text's ten nearest others by `full` that `asking` finds among `asked`; all float32[n, dim]."""
    n = min(_NEIGHBOURS, len(full) - 1)
    both = []
    for one, other in ((full, full), (asking, asked)):
        cosines = one @ other.T
        np.fill_diagonal(cosines, -2.0)
        both.append(np.argpartition(-cosines, n - 1, axis=1)[:, :n])
    return float(np.mean([len(np.intersect1d(a, b)) / n for a, b in zip(*both, strict=True)]))
