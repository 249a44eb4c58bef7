"""The harness of `sequence.py` and `sessions.py`: the product's models, sources and combination on lists of items.

Every model of the shelf that needs no catalogue is fitted as `aisle train` fits
it, asked through the `Recommender` port as a shop asks it, and combined as a
shop combines; nothing is chosen by the name of a data set.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.evaluate.next_item import Cases, Popular
from aisle.index.columns import Columns
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.neighbours import Neighbourhood
from aisle.learn.sequence_training import Held
from aisle.ports import Recommender, Shopper
from aisle.retrieve.combined import PROPOSED
from aisle.settings import Settings
from aisle.shelf import SHELF, Model, Surroundings, Task
from aisle.training.combining import Combined, combine
from aisle.types import Candidates, Event, EventItem, LoggedEvent

MODELS = ("covisitation", "neighbours", "repeats", "sequence")
"""Those that learn from sequences alone and are needed; `--models` names others too. `factors` and `graph` (which
needs attributes) were tried on every file and added nothing to these."""
MOST_CASES = 5000
LEFT_OUT = -1
NO_SEEDS = np.empty(0, np.int32)


@dataclass
class Vocabulary:
    """Items as they are named in the files, and their ords."""

    ords: dict[str, int] = field(default_factory=dict)

    def ord(self, name: str) -> int:
        return self.ords.setdefault(name, len(self.ords))

    def names(self) -> list[str]:
        return list(self.ords)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass
class Progress:
    """A line when a stage begins: a benchmark's log, not a bar."""

    model: str = ""
    last: str = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        told = f"{self.model}: {stage}"
        if told != self.last:
            self.last = told
            say(told)


class System:
    """The models fitted on sequences, their sources, and the combination."""

    def __init__(
        self,
        past: Interactions,
        items: ItemTable,
        *,
        models: Sequence[str] = MODELS,
        threads: int = 2,
        seconds: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.items, self.seed, self.threads, self.seconds = items, seed, threads, seconds
        self._models = [model for model in SHELF if model.name in models]
        self._fitted: dict[str, Fitted] = {}
        self._work = tempfile.TemporaryDirectory(prefix="aisle-benchmark-")
        self._past = past
        self.sources: list[Recommender] = []
        self.combined: Combined | None = None

    def close(self) -> None:
        self._work.cleanup()

    def fit(self, cases: Cases) -> None:
        """Fit every model on the past, and the combination on the cases."""
        few = slice(None, None, max(1, len(cases) // 3000))
        histories = [shopper.sequence for shopper in cases.shoppers[few]]
        held = Held(histories, cases.targets[few])
        for model in self._models:
            self._fit(model, held=held)
        self._make_sources()
        say("asking every source about the validation steps")
        proposals = {
            source.name: [source.recommend(shopper, NO_SEEDS, PROPOSED) for shopper in cases.shoppers]
            for source in self.sources
        }
        say("combining")
        self.combined = combine(proposals, cases, log_popularity(self._past, len(self.items)), seed=self.seed)
        if self.combined is None:
            sys.exit("there are too few validation steps to combine the sources")

    def finish(self, past: Interactions) -> None:
        """Fit again on everything, as `aisle train` does before a version serves."""
        self._past = past
        for model in self._models:
            self._fit(model, final=True)
        self._make_sources()
        assert self.combined is not None
        combination = replace(self.combined.combination, popularity=log_popularity(past, len(self.items)))
        self.combined = replace(self.combined, combination=combination)

    def propose(self, shopper: Shopper) -> dict[str, Candidates]:
        return {source.name: source.recommend(shopper, NO_SEEDS, PROPOSED) for source in self.sources}

    def rank(self, proposals: Mapping[str, Candidates], shopper: Shopper) -> np.ndarray:
        assert self.combined is not None
        return self.combined.combination.rank(proposals, shopper)[0]

    # ---------------------------------------------------------------- inside

    def _fit(self, model: Model, *, held: Held | None = None, final: bool = False) -> None:
        before = self._fitted.get(model.name)
        if final and before is None:
            return
        started = time.monotonic()
        task = Task(
            past=self._past,
            items=self.items,
            events=lambda: as_events(self._past),
            ord_of=int,
            settings=Settings(),
            work=Path(self._work.name) / model.name / ("all" if final else "past"),
            progress=Progress(model.name),
            final=final,
            before=before,
            held=held,
            reloads=True,
            seconds=self.seconds * model.share / sum(one.share for one in self._models),
            threads=self.threads,
            seed=self.seed,
        )
        task.work.mkdir(parents=True, exist_ok=True)
        fitted = model.fit(task)
        if fitted is not None:
            self._fitted[model.name] = fitted
        say(f"{model.name}: {'too little to learn from' if fitted is None else 'fitted'} "
            f"in {time.monotonic() - started:.0f} s {dict(fitted.metrics) if fitted else ''}")  # fmt: skip

    def _make_sources(self) -> None:
        facts, popular = Columns().facts, Popular.of(self._past)
        around = Surroundings(
            facts=lambda: facts,
            popular=popular.top,
            settings=Settings(),
            neighbourhood=lambda how, whole: Neighbourhood.of(self._past, how, whole_histories=whole),
            new_index=FaissDenseIndex,
        )
        self.sources = [
            source
            for model in self._models
            if model.name in self._fitted
            for source in model.sources(self._fitted[model.name], around)
        ]


def log_popularity(past: Interactions, n: int) -> np.ndarray:
    return np.log1p(np.bincount(past.ords, minlength=n)).astype(np.float32)


def as_events(past: Interactions) -> Iterator[LoggedEvent]:
    """The sequences as a log of page views, in the order in which they are listed."""
    for seq, (session, ord_) in enumerate(zip(past.session.tolist(), past.ords.tolist(), strict=True), 1):
        name = str(session)
        yield LoggedEvent(seq, Event("view_item", name, (EventItem(str(ord_)),), seq, session_id=name))


def cases_of(histories: Sequence[np.ndarray], targets: Sequence[int], visitors: Sequence[int]) -> Cases:
    return Cases(
        tuple(Shopper.of_sequence(history) for history in histories),
        np.array(targets, np.int32),
        np.array(visitors, np.int32),
        np.zeros(len(targets), np.int64),
    )


@dataclass
class Ranks:
    """Places from 0 of the targets, -1 where they were not among the first 20."""

    places: list[int] = field(default_factory=list)

    def add(self, items: np.ndarray, target: int) -> None:
        at = np.flatnonzero(items[:20] == target)
        self.places.append(int(at[0]) if len(at) else LEFT_OUT)

    def recall(self, k: int) -> float:
        places = np.array(self.places)
        return float(((places >= 0) & (places < k)).mean())

    def ndcg(self, k: int) -> float:
        places = np.array(self.places)
        return float(np.where((places >= 0) & (places < k), 1 / np.log2(places + 2.0 + (places < 0)), 0).mean())

    def mrr(self, k: int) -> float:
        places = np.array(self.places)
        return float(np.where((places >= 0) & (places < k), 1 / (places + 1.0 + (places < 0)), 0).mean())


def run(
    system: System,
    tests: Iterator[tuple[Any, np.ndarray, int]],
    n_tests: int,
    write: Callable[[Any, np.ndarray], None],
    measures: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Rank for every test, write the run, and measure: the whole, and each source alone."""
    whole, alone = Ranks(), {source.name: Ranks() for source in system.sources}
    took: list[float] = []
    for number, (key, history, target) in enumerate(tests):
        if number % 10_000 == 0:
            say(f"testing {number:,} of {n_tests:,}")
        shopper = Shopper.of_sequence(history)
        started = time.perf_counter()
        proposals = system.propose(shopper)
        ranked = system.rank(proposals, shopper)[:20]
        took.append(time.perf_counter() - started)
        write(key, ranked)
        whole.add(ranked, target)
        for name, candidates in proposals.items():
            alone[name].add(candidates.ords, target)
    found: dict[str, Any] = {f"{name}@{k}": round(getattr(whole, name)(k), 4) for name, k in measures}
    found["alone"] = {
        source: {f"{name}@{k}": round(getattr(ranks, name)(k), 4) for name, k in measures}
        for source, ranks in alone.items()
    }
    assert system.combined is not None
    found["adds_on_validation_mrr@20"] = {
        share.source: [round(x, 4) for x in (share.gain_in_mrr.mean, share.gain_in_mrr.low, share.gain_in_mrr.high)]
        for share in system.combined.shares
    }
    found["p50_ms"] = round(1000 * float(np.median(took)), 2)
    return found


def peak_memory_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def print_json(found: Mapping[str, Any]) -> None:
    print(json.dumps(found))
