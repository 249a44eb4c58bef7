"""The log as columns: who did what to which product, in order. What every trainer reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.shoppers import STRENGTHS, steps
from aisle.types import LoggedEvent


@dataclass(frozen=True, slots=True)
class Interactions:
    """Engagements as columns, sorted by visitor, then time, then place in the log.

    `visitor` int32[n] and `session` int64[n] are numbers that mean nothing
    outside; `ords` int32[n], `time_ms` int64[n]; `strength` float32[n] is what
    the event says of a taste (`learn.shoppers.STRENGTHS`), `bought` bool[n]
    whether it was a purchase.
    """

    visitor: NDArray[np.int32]
    session: NDArray[np.int64]
    ords: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    strength: NDArray[np.float32]
    bought: NDArray[np.bool_]

    @classmethod
    def read(
        cls, events: Iterable[LoggedEvent], ord_of: Callable[[str], int], *, session_gap_minutes: float = 30.0
    ) -> Self:
        """Every engagement of the log with a product that the catalogue knows, each step once."""
        known: dict[str, int] = {}
        visitors: dict[str, int] = {}
        sessions: dict[tuple[str, str], int] = {}
        rows: list[tuple[int, int, int, int, int, float, bool]] = []
        for logged in events:
            event = logged.event
            strength = STRENGTHS.get(event.name)
            if strength is None or not event.visitor_id:
                continue
            visitor = visitors.setdefault(event.visitor_id, len(visitors))
            session = 0
            if event.session_id:
                session = sessions.setdefault((event.visitor_id, event.session_id), len(sessions) + 1)
            for item in event.items:
                found = known.get(item.item_id)
                if found is None:
                    found = known[item.item_id] = ord_of(item.item_id)
                if found >= 0:
                    rows.append(
                        (visitor, session, event.time_ms, logged.seq, found, strength, event.name == "purchase")
                    )
        table = np.array(rows, np.float64).reshape(-1, 7)  # float64 holds milliseconds and seqs exactly
        table = table[np.lexsort((table[:, 3], table[:, 2], table[:, 0]))]
        visitor_column, given, time_ms = table[:, 0], table[:, 1], table[:, 2]
        gap = np.diff(time_ms, prepend=0.0) > session_gap_minutes * 60_000
        begins = np.diff(visitor_column, prepend=-1.0) != 0
        begins |= (np.diff(given, prepend=-1.0) != 0) | ((given == 0) & gap)
        whole = cls(
            visitor_column.astype(np.int32),
            np.cumsum(begins),
            table[:, 4].astype(np.int32),
            time_ms.astype(np.int64),
            table[:, 5].astype(np.float32),
            table[:, 6].astype(bool),
        )
        return whole._merged()

    @classmethod
    def of_sequences(cls, sequences: Iterable[Iterable[int]]) -> Self:
        """One visitor and session a sequence; time is the place in it (for data that tells only the order)."""
        lists = [list(sequence) for sequence in sequences]
        sizes = np.array([len(items) for items in lists], np.int64)
        n = int(sizes.sum())
        owner = np.repeat(np.arange(len(lists)), sizes)
        start = np.cumsum(sizes) - sizes
        return cls(
            owner.astype(np.int32),
            owner.astype(np.int64),
            np.fromiter((item for items in lists for item in items), np.int32, n),
            (np.arange(n) - np.repeat(start, sizes)).astype(np.int64),
            np.ones(n, np.float32),
            np.zeros(n, bool),
        )

    def _merged(self) -> Self:
        """Steps only; each with the strongest of the events it is made of."""
        new = steps(self.session, self.ords, self.strength)
        if new.all():
            return self
        at = np.flatnonzero(new)
        strength = np.maximum.reduceat(self.strength, at)
        bought = np.logical_or.reduceat(self.bought, at)
        kept = self.take(at)
        return type(self)(kept.visitor, kept.session, kept.ords, kept.time_ms, strength, bought)

    def take(self, rows: np.ndarray) -> Self:
        """Those rows; they must stay in order."""
        return type(self)(
            self.visitor[rows],
            self.session[rows],
            self.ords[rows],
            self.time_ms[rows],
            self.strength[rows],
            self.bought[rows],
        )

    def __len__(self) -> int:
        return len(self.ords)

    @property
    def n_ords(self) -> int:
        """One more than the largest ord."""
        return int(self.ords.max()) + 1 if len(self.ords) else 0

    def starts(self, of: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each visitor (or session) begins, and the end: int64[n_of + 1]. Pass `visitor` or `session`."""
        return np.concatenate([[0], np.flatnonzero(np.diff(of)) + 1, [len(of)]]).astype(np.int64)[
            : None if len(of) else 1
        ]

    def newest(self, held_out: float = 0.1) -> NDArray[np.bool_]:
        """bool[n]: the newest share of the sessions, by when each began. None when all began at once."""
        if not len(self):
            return np.empty(0, bool)
        starts = self.starts(self.session)
        began = self.time_ms[starts[:-1]]
        return np.repeat(began > np.quantile(began, 1 - held_out), np.diff(starts))

    def split(self, held_out: float = 0.1) -> tuple[Self, Self]:
        """Past and future: the newest share of the sessions, by when each began, is the future."""
        newest = self.newest(held_out)
        return self.take(np.flatnonzero(~newest)), self.take(np.flatnonzero(newest))
