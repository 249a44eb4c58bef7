"""Session neighbours: their few numbers chosen on the shop's own newest sessions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np

from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.session_index import LONGEST, NOBODY, Finding, Proposals, SessionIndex
from aisle.types import Ords, Progress

log = logging.getLogger("aisle.learn")

NAME: Final = "neighbours"
LEAST_CASES: Final = 50
MOST_CASES: Final = 2000
TOP_K: Final = 20
PATIENCE: Final = 2
"""Times that all numbers are gone through."""

GRID: Final[Mapping[str, Sequence[float]]] = {
    "own": (0, 0.25, 0.5, 1, 2, 3, 5),
    "same": (0, 0.1, 0.25, 0.5, 1.0),
    "query_decay": (0.3, 0.45, 0.6, 0.75, 0.9),
    "length": (0, 0.15, 0.3, 0.45, 0.6),
    "half_life": (0, 0.1, 0.25, 0.5, 1.0),
    "rarity": (0, 0.2, 0.4, 0.7),
    "popularity": (0, 0.1, 0.2, 0.35, 0.5),
    "forward": (0.5, 0.65, 0.85, 0.95),
    "backward": (0.5, 0.65, 0.8, 0.9, 1.0),
    "behind": (0, 0.4, 0.6, 0.8, 1.0),
    "reach": (3, 5, 20),
    "earlier": (0, 0.1, 0.3, 0.6, 1.0),
    "top_k": (100, 300, 600),
}
"""What is tried for each number, one after the other, the rest as found best so far."""


class Case(NamedTuple):
    """A step to foretell: what came before, oldest first, how much of it in the session going on, what came."""

    steps: Ords
    n_session: int
    target: int
    owner: int = NOBODY


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The sessions as they are now and how neighbours are found in them: what the source `neighbours` asks.

    `owner_of` gives the number under which the sessions of a visitor stand in the index, NOBODY for none.
    """

    index: Callable[[], SessionIndex]
    how: Finding = field(default_factory=Finding)
    owner_of: Callable[[str], int] = lambda visitor_id: NOBODY

    def __call__(self, steps: Ords, n_session: int, visitor_id: str) -> Proposals:
        return self.index().propose(steps, self.how, n_session=n_session, owner=self.owner_of(visitor_id))

    @classmethod
    def of(cls, past: Interactions, how: Finding | None = None, *, whole_histories: bool = False) -> Self:
        """Over a log as it stands (for measuring); in a shop the fold `RecentSessions` holds the index."""
        index = SessionIndex.of(past, whole_histories=whole_histories)
        return cls(lambda: index, how or Finding())


def next_steps(past: Interactions, future: Interactions, *, most: int = MOST_CASES, seed: int = 0) -> list[Case]:
    """Steps of `future` that had anything before them, with what their visitor had done until then."""
    both = _joined(past, future)
    is_future = both.bought  # the join marks the future's rows in this column
    first = np.concatenate([[True], both.visitor[1:] != both.visitor[:-1]]) if len(both) else np.empty(0, bool)
    begins = np.maximum.accumulate(np.where(first, np.arange(len(both)), 0))
    new = np.concatenate([[True], both.session[1:] != both.session[:-1]]) if len(both) else np.empty(0, bool)
    session_begins = np.maximum.accumulate(np.where(new, np.arange(len(both)), 0))
    at = np.flatnonzero(is_future & ~first)
    if len(at) > most:
        at = np.sort(np.random.default_rng(seed).choice(at, most, replace=False))
    return [
        Case(both.ords[max(b, i - LONGEST) : i], i - max(s, i - LONGEST), int(both.ords[i]), int(both.visitor[i]))
        for i, b, s in zip(at.tolist(), begins[at].tolist(), session_begins[at].tolist(), strict=True)
    ]


def _joined(past: Interactions, future: Interactions) -> Interactions:
    """Both in the order of visitors and time, with `bought` telling whether a row is of the future."""

    def column(name: str) -> Any:
        return np.concatenate([getattr(past, name), getattr(future, name)])

    whole = replace(
        past,
        **{f.name: column(f.name) for f in fields(past) if f.name != "bought"},
        bought=np.repeat([False, True], [len(past), len(future)]),
    )
    return whole.take(np.lexsort((np.arange(len(whole)), whole.time_ms, whole.session, whole.visitor)))


def hold_out(past: Interactions, share: float = 0.1) -> tuple[Interactions, Interactions]:
    """The log without its newest sessions, and those. Without times, sessions count as listed in order."""
    old, new = past.split(share)
    if len(new) or not len(past):
        return old, new
    starts = past.starts(past.session)
    cut = starts[int((len(starts) - 1) * (1 - share))]
    return past.take(np.arange(cut)), past.take(np.arange(cut, len(past)))


def measure(index: SessionIndex, how: Finding, cases: Sequence[Case], top_k: int = TOP_K) -> tuple[float, float]:
    """Recall@k and MRR@k: how often the step that came is among the best k, and the mean of 1/rank."""
    reciprocal = np.zeros(len(cases))
    for n, case in enumerate(cases):
        ords, parts, _ = index.propose(case.steps, how, n_session=case.n_session, owner=case.owner)
        if not (ords == case.target).any():
            continue
        sums = np.bincount(ords, parts)
        rank = int((sums > sums[case.target]).sum()) + 1
        reciprocal[n] = 1 / rank if sums[case.target] > 0 and rank <= top_k else 0
    return float((reciprocal > 0).mean()), float(reciprocal.mean())


def choose_finding(
    index: SessionIndex,
    cases: Sequence[Case],
    *,
    start: Finding | None = None,
    seconds: float = 300.0,
    progress: Progress | None = None,
) -> tuple[Finding, float, float]:
    """The numbers that foretell `cases` best, with their recall and MRR at 20: one number after the other.

    What is maximised is recall + 2 · MRR, in which both weigh about alike.
    Stops after `seconds` of computing: then the numbers not reached keep their defaults.
    """
    began = time.thread_time()
    how = start or Finding()
    recall, mrr = measure(index, how, cases)
    # A change must be worth a case or two, or noise alone walks through the grid.
    least = 2.0 / max(1, len(cases))
    n_tried, n_all = 0, PATIENCE * sum(len(values) for values in GRID.values())
    has_earlier = any(0 < case.n_session < len(case.steps) for case in cases)
    for _ in range(PATIENCE):
        before = how
        for name, values in GRID.items():
            for value in values:
                n_tried += 1
                if getattr(how, name) == value or (name == "earlier" and not has_earlier):
                    continue
                if time.thread_time() - began > seconds:
                    log.info("neighbours: the time for choosing is up after %d of %d trials", n_tried, n_all)
                    return how, recall, mrr
                tried = replace(how, **{name: value})  # type: ignore[arg-type]
                found = measure(index, tried, cases)
                if found[0] + 2 * found[1] > recall + 2 * mrr + least:
                    how, (recall, mrr) = tried, found
                if progress is not None:
                    progress("choosing neighbours", n_tried, n_all)
        if how == before:
            break
    return how, recall, mrr


def fit_neighbours(
    past: Interactions,
    items: ItemTable | None = None,
    *,
    work: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    seconds: float = 300.0,
    whole_histories: bool | None = None,
) -> Fitted | None:
    """Chooses how neighbours are found, on the newest tenth of the sessions; None with too little to measure on.

    The sessions themselves are no part of the model: they are a fold over the
    log. Whether a session or a visitor's whole history is taken for one (in
    shops where a visit is a single step) is chosen too, unless told.
    """
    old, new = hold_out(past)
    cases = next_steps(old, new, seed=seed)
    if len(cases) < LEAST_CASES:
        log.info("neighbours: %d steps to measure on, %d are needed", len(cases), LEAST_CASES)
        return None
    kinds = (False, True) if whole_histories is None else (whole_histories,)
    first = {whole: measure(SessionIndex.of(old, whole_histories=whole), Finding(), cases) for whole in kinds}
    whole = max(kinds, key=lambda kind: first[kind][0] + 2 * first[kind][1])
    index = SessionIndex.of(old, whole_histories=whole)
    how, recall, mrr = choose_finding(index, cases, seconds=seconds, progress=progress)
    return Fitted(
        NAME,
        {"finding": np.array([getattr(how, name) for name in _NAMES], np.float64), "whole": np.array([whole])},
        params={**asdict(how), "whole_histories": whole},
        metrics={"cases": float(len(cases)), "recall@20": recall, "mrr@20": mrr},
    )


def finding_of(arrays: Mapping[str, np.ndarray]) -> tuple[Finding, bool]:
    """What `fit_neighbours` chose: the numbers, and whether whole histories stand for sessions."""
    values = dict(zip(_NAMES, arrays["finding"].tolist(), strict=True))
    whole_numbers = {"reach": int(values["reach"]), "top_k": int(values["top_k"])}
    return Finding(**(values | whole_numbers)), bool(arrays["whole"][0])


_NAMES: Final = tuple(f.name for f in fields(Finding))
