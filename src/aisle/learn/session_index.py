"""Sessions as arrays, and which of them contain a product: what session neighbours are found in.

Sessions lie one after the other in one array of ords, oldest first, so that a
session's number is its age; an inverted index gives each product the sessions
that have it. A session that grows is copied to the end. New postings wait in
small lists beside the sorted ones until there are enough to merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.interactions import Interactions
from aisle.types import Ords, Scores

LONGEST: Final = 100
"""Steps of a session that are kept: the last ones."""

POSTINGS: Final = 1500
"""Newest sessions of a product that are looked at."""

RECENT_POSTINGS: Final = 50
"""The same where only what happened lately is asked for: beyond, another one changes little."""

NOBODY: Final = -1
"""Owner of no session."""

LOOSE: Final = 4000
"""Postings beside the sorted ones before they are merged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How neighbours are found and what they say; chosen on validation sessions by `fit_neighbours`.

    Likeness: `reach` distinct products of the shopper are looked for, the last
    ones; a step weighs `query_decay` a step back, and `earlier` times less
    before the session going on; `rarity` and `length` are powers of a product's
    number of sessions and of a session's length that divide; after `half_life`
    (a share of all sessions) one counts half (0: age does not matter). The best
    `top_k` sessions are neighbours.

    What they say: a neighbour's step weighs `forward` or `backward` for each
    place after or before the last product shared, and what came before
    `behind` times that, and the product shared `same`; `popularity` is the power of a product's number of
    sessions that divides; `own` multiplies what the shopper has seen already.
    """

    reach: int = 10
    query_decay: float = 0.45
    earlier: float = 0.3
    rarity: float = 0.2
    length: float = 0.3
    half_life: float = 0.5
    top_k: int = 300
    forward: float = 0.75
    backward: float = 0.8
    behind: float = 0.8
    popularity: float = 0.2
    same: float = 0.5
    own: float = 2.0


class _Postings(NamedTuple):
    """Of each product the sessions that have it, oldest first, and its last place in them, in CSR form."""

    indptr: NDArray[np.int64]
    rows: NDArray[np.int32]
    places: NDArray[np.int16]


class Proposals(NamedTuple):
    """What neighbours say: one row for each step of each neighbour, aligned. `because` is the shopper's product."""

    ords: Ords
    parts: Scores
    because: Ords


class Pairs(NamedTuple):
    """Products in sessions with given ones, a row each time: place in the given, and steps after them (or before)."""

    ords: Ords
    seed: NDArray[np.int32]
    distance: NDArray[np.int64]


class SessionIndex:
    """Sessions and, for each product, which of them have it. One thread adds, any number of threads ask.

    About 4 bytes a step and 20 a session, and 6 a posting.
    """

    def __init__(self, n_ords: int = 0) -> None:
        self._steps = np.empty(0, np.int32)
        self._starts = np.empty(0, np.int64)  # of each session in steps
        self._sizes = np.empty(0, np.int32)
        self._owner = np.empty(0, np.int64)
        self._ended = np.empty(0, np.int64)  # ms; not always ascending: a session that goes on keeps its row
        self.n_rows = 0
        self.n_steps = 0
        self._counts = np.zeros(max(1, n_ords), np.float32)
        self._sorted = _Postings(
            np.zeros(len(self._counts) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.int16)
        )
        self._loose: dict[int, list[tuple[int, int]]] = {}
        self._n_loose = 0

    @classmethod
    def of(cls, past: Interactions, *, whole_histories: bool = False) -> Self:
        """The sessions of the log, oldest first; `whole_histories` takes each visitor for one session."""
        column: NDArray[np.int64] = past.visitor.astype(np.int64) if whole_histories else past.session
        starts = past.starts(column)
        if len(starts) < 2:
            return cls()
        ended = past.time_ms[starts[1:] - 1]
        if not past.time_ms[starts[:-1]].any():
            ended = np.zeros(len(ended), np.int64)  # times that are places in a list tell nothing of its age
        order = np.argsort(ended, kind="stable")
        sizes = np.diff(starts)[order]
        return cls.of_lists(
            past.ords[spread(starts[:-1][order], sizes)], sizes, past.visitor[starts[:-1]][order], ended[order]
        )

    @classmethod
    def of_lists(
        cls,
        steps: Ords,
        sizes: NDArray[np.int64],
        owner: NDArray[np.int64] | NDArray[np.int32],
        ended_ms: NDArray[np.int64],
    ) -> Self:
        """From sessions one after the other, oldest first: steps int32[sum of sizes]; of each its visitor and end."""
        index = cls(int(steps.max()) + 1 if len(steps) else 0)
        kept = np.minimum(sizes, LONGEST)
        index._steps = steps[spread(np.cumsum(sizes) - kept, kept)].astype(np.int32)
        index._starts = np.cumsum(kept) - kept
        index._sizes = kept.astype(np.int32)
        index._owner, index._ended = owner.astype(np.int64), ended_ms.astype(np.int64)
        index.n_rows, index.n_steps = len(kept), len(index._steps)
        rows = np.repeat(np.arange(len(kept)), kept)
        # The last occurrence of a product in each session: the first when read backwards.
        keys = index._steps[::-1].astype(np.int64) * max(1, len(kept)) + rows[::-1]
        keys, first = np.unique(keys, return_index=True)
        last = len(rows) - 1 - first
        sizes_of = np.bincount(index._steps[last], minlength=len(index._counts))
        index._counts = sizes_of.astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(sizes_of)]).astype(np.int64)
        rows = rows[last]
        index._sorted = _Postings(indptr, rows.astype(np.int32), (last - index._starts[rows]).astype(np.int16))
        return index

    def __len__(self) -> int:
        return self.n_rows

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = (self._steps, self._starts, self._sizes, self._owner, self._ended, self._counts, *self._sorted)
        return sum(array.nbytes for array in arrays)

    # ---------------------------------------------------------------- adding

    def begin(self, owner: int, ord_: int, time_ms: int = 0) -> int:
        """A new session of one step; returns its row."""
        row, at = self.n_rows, self.n_steps
        if row == len(self._starts):
            self._starts, self._sizes = _grown(self._starts, row + 1), _grown(self._sizes, row + 1)
            self._owner, self._ended = _grown(self._owner, row + 1), _grown(self._ended, row + 1)
        if at == len(self._steps):
            self._steps = _grown(self._steps, at + 1)
        self._steps[at] = ord_
        self._starts[row], self._sizes[row], self._owner[row] = at, 1, owner
        self._ended[row] = time_ms
        self.n_rows, self.n_steps = row + 1, at + 1
        self._post(ord_, row, 0)
        return row

    def extend(self, row: int, ord_: int, time_ms: int = 0) -> bool:
        """A further step of a session; False when it is as long as sessions are kept."""
        start, size = int(self._starts[row]), int(self._sizes[row])
        if size == LONGEST:
            return False
        at = self.n_steps
        if at + size + 1 > len(self._steps):
            self._steps = _grown(self._steps, at + size + 1)
        before = self._steps[start : start + size]
        seen = bool((before == ord_).any())
        if start + size == at:
            self._steps[at], self.n_steps = ord_, at + 1
        else:
            # Copied to the end, complete before anybody is led there.
            self._steps[at : at + size] = before
            self._steps[at + size] = ord_
            self._starts[row] = at
            self.n_steps = at + size + 1
        self._sizes[row] = size + 1
        self._ended[row] = max(time_ms, int(self._ended[row]))
        if seen:
            self._move(ord_, row, size)
        else:
            self._post(ord_, row, size)
        return True

    def _post(self, ord_: int, row: int, place: int) -> None:
        if ord_ >= len(self._counts):
            self._counts = _grown(self._counts, ord_ + 1)
            indptr, rows, places = self._sorted
            more = np.full(len(self._counts) + 1 - len(indptr), indptr[-1])
            self._sorted = _Postings(np.concatenate([indptr, more]), rows, places)
        self._counts[ord_] += 1
        self._loose.setdefault(ord_, []).append((row, place))
        self._n_loose += 1
        if self._n_loose > LOOSE:
            self._merge()

    def _move(self, ord_: int, row: int, place: int) -> None:
        """The product was in the session before: its last place is what counts."""
        loose = self._loose.get(ord_, [])
        for n in range(len(loose) - 1, -1, -1):
            if loose[n][0] == row:
                loose[n] = (row, place)
                return
        indptr, rows, places = self._sorted
        of_one = slice(int(indptr[ord_]), int(indptr[ord_ + 1]))
        places[of_one][rows[of_one] == row] = place

    def _merge(self) -> None:
        """The loose postings among the sorted ones: products in order, and of each the sessions."""
        loose = sorted((ord_, row, place) for ord_, of_one in self._loose.items() for row, place in of_one)
        ords, new_rows, new_places = np.array(loose, np.int64).T
        indptr, rows, places = self._sorted
        ends = indptr[ords + 1]
        added = np.bincount(ords, minlength=len(indptr) - 1)
        merged = _Postings(
            indptr + np.concatenate([[0], np.cumsum(added)]),
            np.insert(rows, ends, new_rows.astype(np.int32)),
            np.insert(places, ends, new_places.astype(np.int16)),
        )
        self._sorted = merged
        self._loose, self._n_loose = {}, 0

    # ---------------------------------------------------------------- asking

    def propose(self, steps: Ords, how: Finding, *, n_session: int = 0, owner: int = NOBODY) -> Proposals:
        """What the sessions most like `steps` (int32[n], oldest first) contain, each step of theirs a row.

        The last `n_session` steps are the session going on (0: no matter);
        sessions of `owner` are left out, for that one is among them. VSTAN
        (Ludewig, Mauro, Latifi, Jannach 2021) after STAN (Garg et al. 2019),
        except that what follows and what precedes a shared product is told
        apart, weights fall geometrically, and powers stand for the logarithms.
        """
        newest = steps[::-1]
        back = np.flatnonzero((newest >= 0) & (newest < len(self._counts)))
        _, first = np.unique(newest[back], return_index=True)
        back = back[np.sort(first)[: how.reach]]
        seeds = newest[back]
        rows, places, which = self._postings(seeds)
        if not len(rows):
            return NO_PROPOSALS
        weights = np.power(how.query_decay, back) * np.power(self._counts[seeds] + 1, -how.rarity)
        if n_session:
            weights[back >= n_session] *= how.earlier
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        begins = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
        likeness = np.add.reduceat(weights[which[order]], begins)
        shared = order[begins]  # the sorting is stable: of each session the newest of the shopper's products
        found = rows[begins].astype(np.int64)
        starts, sizes = self._starts[found], self._sizes[found]
        likeness *= np.power(sizes.astype(np.float64), -how.length)
        if how.half_life:
            likeness *= np.exp2((found - self.n_rows) / (how.half_life * self.n_rows))
        if owner != NOBODY:
            likeness[self._owner[found] == owner] = 0
        if len(found) > how.top_k:
            best = np.argpartition(-likeness, how.top_k)[: how.top_k]
            starts, sizes, likeness, shared = starts[best], sizes[best], likeness[best], shared[best]
        ords = self._steps[spread(starts, sizes)]
        places_shared = np.cumsum(sizes) - sizes + places[shared]
        distance = np.arange(len(ords)) - np.repeat(places_shared, sizes)
        parts = np.repeat(likeness, sizes) * _curve(how)[distance + LONGEST]
        parts *= np.power(self._counts[ords] + 1, -how.popularity)
        if how.own != 1:
            parts[np.isin(ords, steps)] *= how.own
        return Proposals(ords, parts.astype(np.float32), np.repeat(seeds[which[shared]], sizes))

    def pairs_since(self, seeds: Ords, since_ms: int, reach: int) -> Pairs:
        """What stands at most `reach` steps from the last occurrence of each seed, in sessions that ended later.

        The newest `RECENT_POSTINGS` sessions of each seed are looked at.
        """
        inside = np.flatnonzero((seeds >= 0) & (seeds < len(self._counts))).astype(np.int32)
        rows, places, which = self._postings(seeds[inside], RECENT_POSTINGS)
        new = self._ended[rows] > since_ms
        rows, places, seed = rows[new], places[new].astype(np.int64), inside[which[new]]
        first: NDArray[np.int64] = np.maximum(places - reach, 0).astype(np.int64)
        sizes = np.minimum(places + reach + 1, self._sizes[rows]) - first
        ords = self._steps[spread(self._starts[rows] + first, sizes)]
        seed = np.repeat(seed, sizes)
        distance = spread(first - places, sizes)
        other = ords != seeds[seed]
        return Pairs(ords[other], seed[other], distance[other])

    def _postings(
        self, seeds: Ords, most: int = POSTINGS
    ) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int64]]:
        """Sessions with any of the seeds, where in them it is last, and which seed it is; seeds in their order."""
        indptr, all_rows, all_places = self._sorted
        ends = indptr[seeds + 1]
        starts = np.maximum(indptr[seeds], ends - most)
        at = spread(starts, ends - starts)
        rows, places, which = all_rows[at], all_places[at], np.repeat(np.arange(len(seeds)), ends - starts)
        waiting = self._loose
        loose = [(row, place, n) for n, seed in enumerate(seeds.tolist()) for row, place in waiting.get(seed, ())]
        if not loose:
            return rows, places, which
        added = np.array(loose, np.int64)
        rows = np.concatenate([rows, added[:, 0].astype(np.int32)])
        places = np.concatenate([places, added[:, 1].astype(np.int16)])
        which = np.concatenate([which, added[:, 2]])
        order = np.argsort(which, kind="stable")
        return rows[order], places[order], which[order]


def _grown(array: Any, size: int) -> Any:
    """The same with room for `size` and half as much again, zeros."""
    larger = np.zeros(size + size // 2 + 64, array.dtype)
    larger[: len(array)] = array
    return larger


def spread(starts: NDArray[np.int64], sizes: NDArray[Any]) -> NDArray[np.int64]:
    """starts[0], starts[0]+1, … (sizes[0] of them), starts[1], …: the rows of several slices at once."""
    ends = np.cumsum(sizes)
    rows: NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
    return rows


@lru_cache(maxsize=64)
def _curve(how: Finding) -> NDArray[np.float64]:
    """Weight of a neighbour's step by its distance from the last product shared, at index distance + LONGEST."""
    distance = np.arange(-LONGEST, LONGEST + 1)
    after = np.power(how.forward, np.maximum(distance, 0))
    before = how.behind * np.power(how.backward, np.maximum(-distance, 0))
    return np.where(distance > 0, after, np.where(distance < 0, before, how.same))


NO_PROPOSALS: Final = Proposals(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))
