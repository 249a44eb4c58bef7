"""Trainings under way and past ones, by the curves that they leave.

    models/.runs/<task>-<method>/curves.jsonl    a line a number: {"step", "name", "value"}

Anything may stand in that folder while a training writes there: half a line,
a link, a file that is not ours. What is not a curve is passed over.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from aisle.learn.workbench import at_work
from aisle.types import now_ms

RUNS: Final = ".runs"
CURVES: Final = "curves.jsonl"
MOST_POINTS: Final = 300
"""Points of a curve that are shown: more than a small chart has columns of pixels."""
MOST_TRAININGS: Final = 24
_MOST_CURVES: Final = 16
_MOST_BYTES: Final = 64 << 20
_LIVELY_MS: Final = 120_000
_FOLDER: Final = re.compile(r"(?P<name>[a-z][a-z0-9_-]{0,63})-(?P<method>[a-z0-9_]{1,32})")
_CURVE: Final = re.compile(r"[a-z][a-z0-9_@./-]{0,63}", re.IGNORECASE)

_Read = tuple[tuple["Curve", ...], int]


@dataclass(frozen=True, slots=True)
class Curve:
    """One number over a training: `values[i]` after `steps[i]`, steps growing."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """What a training was for and by what method; `n_steps` is how far it came."""

    name: str
    method: str
    running: bool
    changed_ms: int
    n_steps: int
    curves: tuple[Curve, ...]


def trainings(models: Path) -> list[Training]:
    """Those below a shop's models, the ones that run now first, then by their last change."""
    root = models / RUNS
    try:
        folders = [entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    found = []
    for folder in folders:
        named = _FOLDER.fullmatch(folder)
        file = root / folder / CURVES
        try:
            known = os.lstat(file)
        except OSError:
            continue
        if named is None or not stat.S_ISREG(known.st_mode):
            continue
        changed_ms = known.st_mtime_ns // 1_000_000
        found.append((_runs(root / folder, changed_ms), changed_ms, named["name"], named["method"], file, known))
    found.sort(key=lambda one: (not one[0], -one[1], one[2], one[3]))
    shown = []
    for running, changed_ms, name, method, file, known in found[:MOST_TRAININGS]:
        curves, n_steps = _read(str(file), known.st_ino, known.st_mtime_ns, known.st_size)
        shown.append(Training(name, method, running, changed_ms, n_steps, curves))
    return shown


def _runs(folder: Path, changed_ms: int) -> bool:
    """By its lock; where it never had one, by whether it wrote something lately."""
    if (folder / ".work" / "lock").exists():
        return at_work(folder)
    return now_ms() - changed_ms < _LIVELY_MS


@lru_cache(maxsize=4 * MOST_TRAININGS)
def _read(file: str, inode: int, changed_ns: int, size: int) -> _Read:
    """The curves of a file and its last step; read again only when the file is another or has changed."""
    points: dict[str, dict[int, float]] = defaultdict(dict)
    last = 0
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as lines:
            for line in lines.read(_MOST_BYTES).splitlines():
                point = _point(line)
                if point is None or (point[1] not in points and len(points) >= _MOST_CURVES):
                    continue
                step, name, value = point
                points[name][step] = value  # of a training that was taken up the later value is the one that counts
                last = max(last, step)
    except OSError:
        return (), 0
    curves = []
    for name in sorted(points):
        order = sorted(points[name])
        steps, values = thinned(order, [points[name][step] for step in order])
        curves.append(Curve(name, tuple(steps), tuple(values)))
    return tuple(curves), last


def _point(line: bytes) -> tuple[int, str, float] | None:
    try:
        found = orjson.loads(line)
        step, name, value = found["step"], found["name"], float(found["value"])
    except (ValueError, KeyError, TypeError):
        return None
    if type(step) is not int or not 0 <= step < 1 << 53 or not isinstance(name, str):
        return None
    return (step, name, value) if _CURVE.fullmatch(name) and math.isfinite(value) else None


def thinned(
    steps: Sequence[int], values: Sequence[float], most: int = MOST_POINTS
) -> tuple[Sequence[int], Sequence[float]]:
    """At most `most` of the points: the first, the last, and of each stretch between its lowest and its highest.

    A peak of one step stays visible, which a mean or every n-th point would lose.
    """
    n = len(steps)
    if n <= most:
        return steps, values
    n_stretches = (most - 2) // 2
    kept = {0, n - 1}
    for number in range(n_stretches):
        begin, end = 1 + number * (n - 2) // n_stretches, 1 + (number + 1) * (n - 2) // n_stretches
        stretch = range(begin, end)
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    order = sorted(kept)
    return [steps[i] for i in order], [values[i] for i in order]
