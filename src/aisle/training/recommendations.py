"""One training: the log once, every model fitted, measured on held-out traffic, promoted when it earns its place.

The newest sessions are held out; each model is fitted on what was before them
and asked, for shoppers as they were then, what they took next. What beats
popularity by more than chance is fitted again on everything, and that version serves.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from aisle import __version__
from aisle.errors import AisleError, InvalidRequest, StorageError, TrainingFailed
from aisle.evaluate.next_item import Gain, places, propose
from aisle.learn.fitted import Fitted
from aisle.learn.photos import PHOTOS
from aisle.learn.workbench import Workbench
from aisle.ports import Recommender
from aisle.serving.models_in_use import COMBINATION, KeepsUp, stored
from aisle.shelf import COVISITATION, PLAIN, SHELF, Model, Task, sources_of
from aisle.training.combining import Combined, combine
from aisle.training.evidence import Evidence, log_counts
from aisle.training.search import SEARCH_MODELS, train_search
from aisle.types import Candidates, ModelVersion, Progress, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle.training")

_PROPOSED: Final = 100
"""Candidates of a source that are kept of each case, for the combination."""
_COMBINED: Final = 2000
"""Cases that the combination is fitted and measured on: each takes a tenth of a megabyte meanwhile."""
_PAST, _ALL = "past", "all"


def train(
    parts: Parts,
    *,
    only: Sequence[str] = (),
    progress: Progress | None = None,
    shelf: Sequence[Model] | None = None,
) -> list[ModelVersion]:
    """Train the models of the shelf (None: SHELF), or `only` those named; one version each, active if it serves.

    A model that got no version (too little to learn from, or its training
    failed) comes with an empty `version` and a note that says why; without any
    events only the catalogue is learned from. What was killed is taken up where
    it was.

    Raises InvalidRequest for an unknown name, ShopBusy while another process
    trains, StorageError when a version cannot be written; what serves is
    untouched then.
    """
    shelf = SHELF if shelf is None else shelf
    names = [model.name for model in shelf] + list(SEARCH_MODELS)
    for name in only:
        if name not in names:
            raise InvalidRequest(f"no model is called {name[:40]!r}: use one of {', '.join(names)}", field="only")
    with Workbench(parts.path / "models") as bench:
        chosen = [model for model in shelf if not only or model.name in only]
        training = _Training(parts, bench, chosen, progress or _silent, whole_shelf=len(chosen) == len(shelf))
        versions = training.run()
        if not only or set(only) & set(SEARCH_MODELS):
            versions += training.search(only or SEARCH_MODELS)
            parts.ranking.catch_up()
        bench.clear()
    parts.nudge()
    return versions


def _silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class _Entry:
    """How far one model has come."""

    model: Model
    fitted: Fitted | None = None
    sources: list[Recommender] = field(default_factory=list)
    proposals: dict[str, list[Candidates]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    earned: bool = False
    note: str = ""


class _Training:
    def __init__(
        self, parts: Parts, bench: Workbench, models: Sequence[Model], progress: Progress, *, whole_shelf: bool
    ) -> None:
        self._whole_shelf = whole_shelf
        self._plain_metrics: dict[str, float] = {}
        self._parts, self._bench, self._progress = parts, bench, progress
        self._settings = parts.settings
        self._entries = [_Entry(model) for model in models]
        self._ends = time.monotonic() + 60 * self._settings.train.max_minutes
        self._shares = {(model.name, stage): model.share for model in models for stage in (_PAST, _ALL)}
        self._shares[COMBINATION, _ALL] = 1.0
        events = parts.stores.events
        about = bench.begin(
            {
                "last_seq": events.last_seq(),
                "erasures": events.erasures(),
                "n_ords": int(np.flatnonzero(parts.columns.facts.alive).max(initial=-1)) + 1,
                "settings": [self._settings.train.model_dump(mode="json"), self._settings.recommend.model_dump()],
                "release": __version__,
            }
        )
        self._known = Evidence(parts, int(about["last_seq"]), bench.folder(PHOTOS, _ALL), progress)
        self._combined: Combined | None = None
        if bench.resumed:
            log.info("a training that was stopped is taken up again")

    def run(self) -> list[ModelVersion]:
        for entry in self._entries:
            self._fit_on_the_past(entry)
        # Those with a rule of their own are decided first: the combination is of what serves.
        ruled = {entry.model.name: self._version(entry) for entry in self._entries if entry.model.earns is not None}
        self._combine()
        del self._shares[COMBINATION, _ALL]
        made = [ruled.get(entry.model.name) or self._version(entry) for entry in self._entries]
        return made if self._combined is None else [*made, self._combination_version(self._combined)]

    def search(self, only: Sequence[str]) -> list[ModelVersion]:
        """The models of search, from the same log and from judgements; they may take as long again."""
        train = self._settings.train
        return train_search(
            self._parts, self._bench, self._known.events, self._progress,
            only=only, seconds=60 * train.max_minutes, threads=train.threads or os.cpu_count() or 1,
        )  # fmt: skip

    # ---------------------------------------------------------------- fitting

    def _seconds(self, entry: _Entry, stage: str) -> float:
        """The time that a fit may take: its share of what is left."""
        left = self._ends - time.monotonic()
        share = self._shares[entry.model.name, stage]
        return max(0.0, left * share / sum(self._shares.values()))

    def _fit(self, entry: _Entry, stage: str) -> Fitted | None:
        """Fit, or take what a training that was stopped had fitted already."""
        name = entry.model.name
        kept = self._bench.kept(name, stage)
        if kept is not None:
            return kept
        of_stage = name if stage == _PAST else f"{name}, for good"
        train = self._settings.train
        task = Task(
            past=self._known.past if stage == _PAST else self._known.whole,
            items=self._known.items,
            events=lambda: self._known.events(of_stage, self._known.cut_ms if stage == _PAST else None),
            ord_of=self._parts.ord_of,
            settings=self._settings,
            work=self._bench.folder(name, stage),
            progress=lambda told, done, total: self._progress(f"{of_stage}: {told}", done, total),
            final=stage == _ALL,
            before=entry.fitted if stage == _ALL else None,
            held=self._known.held if stage == _PAST else None,
            seconds=self._seconds(entry, stage),
            threads=train.threads or os.cpu_count() or 1,
            seed=train.seed,
        )
        began = time.monotonic()
        fitted = entry.model.fit(task)
        if fitted is None:
            return None
        took = time.monotonic() - began
        log.info("%s: fitted in %.1f s", of_stage, took)
        return self._bench.keep(replace(fitted, metrics={**fitted.metrics, _seconds_of(stage): took}), name, stage)

    def _fit_on_the_past(self, entry: _Entry) -> None:
        name = entry.model.name
        if self._ends < time.monotonic():
            entry.note = f"not trained: the time was up (train.max_minutes = {self._settings.train.max_minutes:g})"
            return
        try:
            entry.fitted = self._fit(entry, _PAST)
            if entry.fitted is None:
                entry.note = "not trained: there is too little to learn from"
                return
            entry.sources = list(entry.model.sources(entry.fitted, self._known.around))
            for source in entry.sources:
                if isinstance(source, KeepsUp):
                    source.keep_up()
                self._measure(entry, source.name, self._proposed(source))
        except StorageError:
            raise
        except Exception as error:
            self._failed(entry, error)
        finally:
            self._shares.pop((name, _PAST), None)
        if entry.model.earns is None:
            entry.earned = any(value > 0 for key, value in entry.metrics.items() if key.endswith("gain_low"))

    def _failed(self, entry: _Entry, error: Exception) -> None:
        """The others go on, and what served before goes on serving."""
        expected = isinstance(error, AisleError)
        log.error("training %s: %s", entry.model.name, error, exc_info=None if expected else error)
        entry.fitted = None
        entry.note = f"failed: {error}" if expected else f"failed: {type(error).__name__}: {error}"

    def _measure(self, entry: _Entry, source: str, proposed: list[Candidates]) -> None:
        self._progress(f"{entry.model.name}: measuring", len(self._known.cases), len(self._known.cases))
        entry.proposals[source] = proposed
        entry.metrics |= self._measured(source, proposed)

    def _proposed(self, source: Recommender) -> list[Candidates]:
        return propose(source, self._known.cases, _PROPOSED, self._known.clock)

    def _measured(self, source: str, proposed: list[Candidates]) -> dict[str, float]:
        found = places(proposed, self._known.cases)
        gain = Gain.of(found.hits, self._known.popularity.hits, self._known.cases.visitor)
        return {f"{source}.recall@20": found.recall, f"{source}.mrr@20": found.mrr, **_told(f"{source}.gain", gain)}

    def _of_popularity(self) -> dict[str, float]:
        found = self._known.popularity
        return {
            "popularity.recall@20": found.recall,
            "popularity.mrr@20": found.mrr,
            "cases": float(len(self._known.cases)),
        }

    # ------------------------------------------------------------ combination

    def _combine(self) -> None:
        """What the sources find together, and what each adds: one that adds has earned its place too.

        A training of a few models alone leaves the combination as it is.
        """
        if not self._whole_shelf or not len(self._known.cases):
            return
        fitted = [e for e in self._entries if e.fitted is not None and e.proposals]
        sources = [source for entry in fitted for source in entry.sources]
        plain = sources_of(sources, self._known.around)
        proposals = {source: found for entry in fitted for source, found in entry.proposals.items()}
        few = np.zeros(len(self._known.cases), bool)
        few[np.linspace(0, len(few) - 1, min(_COMBINED, len(few))).astype(int)] = True
        for source in PLAIN:
            if source in plain:
                found = self._proposed(plain[source])
                self._plain_metrics |= self._measured(source, found)
                proposals[source] = found
        cases = self._known.cases.take(few)
        at = np.flatnonzero(few).tolist()
        proposals = {source: [found[row] for row in at] for source, found in proposals.items()}
        began = time.monotonic()
        try:
            self._progress("combining the sources", 0, 2)
            counts, seed = log_counts(self._known.past), self._settings.train.seed
            everything = combine(proposals, cases, counts, seed=seed)
            if everything is None:
                return
            adding = {share.source for share in everything.shares if share.gain_in_mrr.low > 0}
            for entry in fitted:
                entry.earned = entry.earned or (entry.model.earns is None and bool(adding & set(entry.proposals)))
            serving = {source for entry in fitted if self._serves(entry) for source in entry.proposals}
            needed = [s for s in everything.combination.sources if s in serving or s in PLAIN]
            self._progress("combining the sources", 1, 2)
            self._combined = everything
            if len(needed) < len(everything.combination.sources):
                chosen = {source: proposals[source] for source in needed}
                again = combine(chosen, cases, counts, shares=False, seed=seed) if chosen else None
                self._combined = replace(again, shares=everything.shares) if again is not None else None
            self._progress("combining the sources", 2, 2)
            self._plain_metrics["training_seconds"] = time.monotonic() - began
        except Exception:
            # The models stand on their own feet: without it the sources are mixed by fixed weights, as before.
            log.exception("the sources could not be combined")

    def _serves(self, entry: _Entry) -> bool:
        return entry.earned or bool(self._parts.models.now.versions.get(entry.model.name))

    def _combination_version(self, combined: Combined) -> ModelVersion:
        store, metrics = self._parts.stores.models, dict(self._plain_metrics)
        made = self._bench.versions().get(COMBINATION)
        if made is not None:
            return next(one for one in store.versions(COMBINATION) if one.version == made)
        metrics |= {
            f"{COMBINATION}.recall@20": combined.recall,
            f"{COMBINATION}.mrr@20": combined.mrr,
            **_told("over_best", combined.gain_over_best),
            **self._of_popularity(),
        }
        for share in combined.shares:
            metrics |= _told(f"{share.source}.adds", share.gain_in_mrr)
        good = combined.gain_over_best.low > 0
        note = f"on the half of the visitors it was not fitted on; the best source alone is {combined.best_alone}"
        if not good:
            note = f"not promoted: it does not beat {combined.best_alone} alone by more than chance"
        arrays = {"weights": combined.combination.weights, "popularity": log_counts(self._known.whole)}
        params = {"sources": list(combined.combination.sources), "seq": self._known.last_seq}
        version = store.create(COMBINATION, arrays, params=params, metrics=metrics, note=note)
        if good:
            store.promote(COMBINATION, version.version)
        self._bench.made(COMBINATION, version.version)
        return replace(version, active=good)

    # --------------------------------------------------------------- versions

    def _version(self, entry: _Entry) -> ModelVersion:
        """The version that a training leaves of a model, promoted if it earned that."""
        name, store = entry.model.name, self._parts.stores.models
        made = self._bench.versions().get(name)
        if made is not None:  # before the training was stopped
            return next(one for one in store.versions(name) if one.version == made)
        fitted = self._fitted_for_good(entry)
        if fitted is None:
            return ModelVersion(name, "", now_ms(), note=entry.note)
        took = _seconds_taken(entry.fitted, _PAST) + _seconds_taken(fitted, _ALL)
        metrics = {**fitted.metrics, **entry.metrics, **self._of_popularity(), "training_seconds": took}
        if entry.model.earns is not None:
            entry.earned = entry.model.earns(metrics)
        if not entry.earned and not entry.note:
            entry.note = self._why_not(entry.model, metrics)
        params = {**fitted.params, "seq": self._known.last_seq}
        version = store.create(name, fitted.arrays, files=fitted.files, params=params, metrics=metrics, note=entry.note)
        try:
            if entry.earned:
                self._try(entry, version.version)
                store.promote(name, version.version)
        except TrainingFailed as error:
            self._failed(entry, error)
            entry.earned = False
        self._bench.made(name, version.version)
        return replace(version, active=entry.earned, note=entry.note)

    def _fitted_for_good(self, entry: _Entry) -> Fitted | None:
        """What the version is made of: a fit on everything for what may serve, else the fit that was measured."""
        fitted = entry.fitted
        may_serve = entry.earned or entry.model.earns is not None
        try:
            if fitted is None or not may_serve:
                return fitted
            if self._ends < time.monotonic() and entry.model.earns is None:  # a rule is for what was fitted for good
                entry.note = "fitted without the newest sessions: the time was up"
                return fitted
            return self._fit(entry, _ALL)
        except StorageError:
            raise
        except Exception as error:
            self._failed(entry, error)
            return None
        finally:
            self._shares.pop((entry.model.name, _ALL), None)

    def _why_not(self, model: Model, metrics: Mapping[str, float]) -> str:
        if not len(self._known.cases) and not any(value for key, value in metrics.items() if key.endswith("_cases")):
            return "not promoted: too few events to measure it"
        if model.earns is not None and model.name != COVISITATION:
            return "not promoted: by its own measure it is of no use here"
        return "not promoted: it does not beat popularity on held-out traffic by more than chance"

    def _try(self, entry: _Entry, version: str) -> None:
        """Make the sources of the version as it was written, and ask them. Raises TrainingFailed."""
        fitted = stored(self._parts.stores.models, entry.model.name, version)
        for source in entry.model.sources(fitted, self._known.around):
            for shopper in self._known.cases.shoppers[:5]:
                scores = source.recommend(shopper, np.empty(0, np.int32), 20).scores
                if not np.isfinite(scores).all():
                    raise TrainingFailed(f"model {entry.model.name} {version}: its scores are not finite")


def _seconds_of(stage: str) -> str:
    return f"seconds_{stage}"


def _seconds_taken(fitted: Fitted | None, stage: str) -> float:
    return 0.0 if fitted is None else fitted.metrics.get(_seconds_of(stage), 0.0)


def _told(name: str, gain: Gain) -> dict[str, float]:
    return {name: gain.mean, f"{name}_low": gain.low, f"{name}_high": gain.high}
