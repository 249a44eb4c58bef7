"""Next-item prediction on held-out traffic: the shopper as the shop knew them, and what they took next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Recommender, Shopper
from aisle.types import Candidates, Ords, Scores

TOP_K: Final = 20
MOST_OF_ONE: Final = 20
"""Cases of one visitor: a reseller's thousand clicks must not decide for everybody."""

HELD_OUT: Final = "held-out-"
"""Before the visitor's number: the id of a shopper of a case."""

DAY_MS: Final = 86_400_000
_NO_ORDS: Final = np.empty(0, np.int32)
_Z95: Final = 1.96


class Steps(Protocol):
    """Engagements as columns sorted by visitor, then time (`learn.interactions.Interactions`)."""

    @property
    def visitor(self) -> NDArray[np.int32]: ...
    @property
    def session(self) -> NDArray[np.int64]: ...
    @property
    def ords(self) -> NDArray[np.int32]: ...
    @property
    def time_ms(self) -> NDArray[np.int64]: ...
    @property
    def strength(self) -> NDArray[np.float32]: ...
    @property
    def bought(self) -> NDArray[np.bool_]: ...


@dataclass(frozen=True, slots=True)
class Cases:
    """Held-out steps: `shoppers[n]` is who came at `time_ms` int64[n], knowing only what was before `targets` int32[n].

    `visitor` int32[n] tells which cases are of one visitor: they are not
    independent, so intervals treat them as one.
    """

    shoppers: tuple[Shopper, ...]
    targets: Ords
    visitor: NDArray[np.int32]
    time_ms: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        steps: Steps,
        held_out: NDArray[np.bool_],
        *,
        most: int = 4000,
        history_length: int = 100,
        half_life_days: float = 14.0,
        seed: int = 0,
    ) -> Self:
        """At most `most` of the steps marked `held_out` bool[n], drawn with `seed`.

        A step counts when its visitor has any history, in the session or before
        it; opening again what was opened last is a reload, not a choice.
        """
        first = np.concatenate([[True], steps.visitor[1:] != steps.visitor[:-1]])[: len(steps.ords)]
        reload = np.zeros(len(first), bool)
        reload[1:] = (steps.ords[1:] == steps.ords[:-1]) & (steps.session[1:] == steps.session[:-1])
        rows = np.flatnonzero(held_out & ~first & ~reload)
        rows = np.random.default_rng(seed).permutation(rows)
        rows = rows[_place_within(steps.visitor[rows]) < MOST_OF_ONE][:most]
        rows.sort()
        starts = np.flatnonzero(first)
        begin = starts[np.searchsorted(starts, rows, side="right") - 1] if len(rows) else rows
        shoppers = tuple(
            _shopper(steps, max(lo, row - history_length), row, half_life_days * DAY_MS)
            for lo, row in zip(begin.tolist(), rows.tolist(), strict=True)
        )
        return cls(shoppers, steps.ords[rows], steps.visitor[rows], steps.time_ms[rows])

    @property
    def first_half(self) -> NDArray[np.bool_]:
        """bool[n]: half of the visitors, by a hash, so that the halves stay the same from run to run."""
        mixed = (self.visitor.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        even: NDArray[np.bool_] = (mixed >> np.uint64(40)) % np.uint64(2) == 0
        return even

    def take(self, chosen: NDArray[np.bool_]) -> Self:
        """The cases marked in `chosen` bool[n]."""
        rows = np.flatnonzero(chosen)
        shoppers = tuple(self.shoppers[r] for r in rows.tolist())
        return type(self)(shoppers, self.targets[rows], self.visitor[rows], self.time_ms[rows])

    def __len__(self) -> int:
        return len(self.shoppers)


def _place_within(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many rows of the same code came before each row."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    places = np.empty(len(codes), np.int64)
    places[order] = np.arange(len(codes)) - np.repeat(begins, np.diff(np.append(begins, len(codes))))
    return places


def _shopper(steps: Steps, begin: int, row: int, half_life_ms: float) -> Shopper:
    """The visitor of a row before its step, as `learn.shoppers` would show them then."""
    past = slice(begin, row)
    ords, time_ms, strength = steps.ords[past], steps.time_ms[past], steps.strength[past]
    in_session = steps.session[past] == steps.session[row]
    newest, back = ords[::-1], time_ms[-1] - time_ms[::-1]
    unique, first, inverse = np.unique(newest, return_index=True, return_inverse=True)
    order = np.argsort(first)
    weights = np.bincount(inverse, strength[::-1] * np.exp2(-back / half_life_ms))[order]
    recent = unique[order].astype(np.int32)
    session = recent[np.isin(recent, ords[in_session])]
    bought = ords[steps.bought[past]]
    return Shopper(
        f"{HELD_OUT}{steps.visitor[row]}",
        recent,
        (weights / weights.max()).astype(np.float32),
        session,
        recent[np.isin(recent, bought)],
        _NO_ORDS,
        _NO_ORDS,
        version=row,
        sequence=ords,
        sequence_ms=time_ms,
        strengths=strength,
        n_session=int(in_session.sum()),
    )


# ------------------------------------------------------------------ measuring


@dataclass(frozen=True, slots=True)
class Places:
    """Where each case's target came: `place` int32[n] from 0, `top_k` for not among the first `top_k`."""

    place: NDArray[np.int32]
    top_k: int = TOP_K

    @property
    def hits(self) -> NDArray[np.float64]:
        """1 where the target was shown; its mean is recall@top_k (there is one target)."""
        return (self.place < self.top_k).astype(np.float64)

    @property
    def reciprocals(self) -> NDArray[np.float64]:
        """1 / (place + 1), 0 where it was not shown; its mean is MRR@top_k."""
        return np.where(self.place < self.top_k, 1.0 / (self.place + 1.0), 0.0)

    @property
    def recall(self) -> float:
        return float(self.hits.mean()) if len(self.place) else 0.0

    @property
    def mrr(self) -> float:
        return float(self.reciprocals.mean()) if len(self.place) else 0.0


class Clock:
    """The moment at which a held-out shopper came, for sources that ask what time it is."""

    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def propose(recommender: Recommender, cases: Cases, top_k: int, clock: Clock | None = None) -> list[Candidates]:
    """Ask for each case's shopper, without seeds, as the home page does; `clock` is set to the case's moment."""
    clock, found = clock or Clock(), []
    for shopper, now_ms in zip(cases.shoppers, cases.time_ms.tolist(), strict=True):
        clock.now_ms = now_ms
        found.append(recommender.recommend(shopper, _NO_ORDS, top_k))
    return found


def places(proposed: Sequence[Candidates], cases: Cases, top_k: int = TOP_K) -> Places:
    """Where the targets came in lists of proposals, one a case."""
    place = np.full(len(cases), top_k, np.int32)
    for row, (candidates, target) in enumerate(zip(proposed, cases.targets.tolist(), strict=True)):
        at = np.flatnonzero(candidates.ords[:top_k] == target)
        if len(at):
            place[row] = at[0]
    return Places(place, top_k)


def measure(recommender: Recommender, cases: Cases, top_k: int = TOP_K) -> Places:
    """Where a recommender puts the targets."""
    return places(propose(recommender, cases, top_k), cases, top_k)


@dataclass(frozen=True, slots=True)
class Gain:
    """A mean difference of pairs and its 95% interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, better: NDArray[np.float64], worse: NDArray[np.float64], visitor: NDArray[np.int32]) -> Self:
        """`better` - `worse`, float64[n] each, aligned; cases of one visitor move together (a cluster)."""
        if not len(better):
            return cls(0.0, 0.0, 0.0)
        difference = better - worse
        mean = float(difference.mean())
        _, cluster = np.unique(visitor, return_inverse=True)
        sums = np.bincount(cluster, difference - mean)
        n_clusters = len(sums)
        if n_clusters < 2:
            return cls(mean, -1.0, 1.0)
        half = _Z95 * float(np.sqrt((sums**2).sum() * n_clusters / (n_clusters - 1))) / len(difference)
        return cls(mean, mean - half, mean + half)


class Popular:
    """What most took, the same for everybody: what any source must beat."""

    name = "popularity"

    def __init__(self, ords: Ords, scores: Scores) -> None:
        self._ords, self._scores = ords, scores

    @classmethod
    def of(cls, steps: Steps, half_life_days: float = 0.0, at_ms: int = 0) -> Self:
        """Of the steps so far, each as strong as it is; with a half-life, older ones before `at_ms` count less."""
        weights = steps.strength.astype(np.float64)
        if half_life_days > 0:
            weights = weights * np.exp2(-np.maximum(0, at_ms - steps.time_ms) / (half_life_days * DAY_MS))
        totals = np.bincount(steps.ords, weights) if len(steps.ords) else np.empty(0)
        ords = np.argsort(-totals, kind="stable").astype(np.int32)
        ords = ords[totals[ords] > 0]
        return cls(ords, totals[ords].astype(np.float32))

    def top(self) -> tuple[Ords, Scores]:
        """All that anybody took, best first."""
        return self._ords, self._scores

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        return Candidates(self.name, self._ords[:top_k], self._scores[:top_k])
