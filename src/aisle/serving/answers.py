"""Answers kept in memory, and how long answers took."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable

import numpy as np

from aisle.types import Slate


class AnswerCache:
    """The most recent answers by everything they depend on.

    A key holds the catalogue's and the models' versions, so a stale answer is
    never found: it only ages out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._slates: OrderedDict[Hashable, Slate] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Slate | None:
        with self._lock:
            slate = self._slates.get(key)
            if slate is not None:
                self._slates.move_to_end(key)
            return slate

    def put(self, key: Hashable, slate: Slate) -> None:
        if self._size <= 0:
            return
        with self._lock:
            self._slates[key] = slate
            if len(self._slates) > self._size:
                self._slates.popitem(last=False)


class Latencies:
    """The last few thousand times of each kind of answer, in milliseconds."""

    def __init__(self, kept: int = 4096) -> None:
        self._kept = kept
        self._times: dict[str, deque[float]] = {}

    def add(self, kind: str, took_ms: float) -> None:
        times = self._times.get(kind)
        if times is None:
            times = self._times.setdefault(kind, deque(maxlen=self._kept))
        times.append(took_ms)

    def summary(self) -> dict[str, dict[str, float]]:
        """p50 and p99 of each kind, with how many answers they are taken over."""
        found: dict[str, dict[str, float]] = {}
        for kind, times in sorted(self._times.items()):
            p50, p99 = np.percentile(list(times), (50, 99)).round(2).tolist()
            found[kind] = {"p50_ms": p50, "p99_ms": p99, "count": len(times)}
        return found
