"""Search learns from judgements and from what shoppers took.

In turns: the encoder is tuned, and reads the catalogue anew if it finds more;
a small network learns to read query and product together; trees learn to weigh
all that is known of a candidate. Some queries, the same ones always, are kept
to measure on: a model serves only if it is better there by more than chance.

An encoder knows the queries that it learned from too well: trees that saw its
cosines of those would trust it too much. So two more are tuned, each on half of
the queries, and say for the other half what an encoder says of a new query
(stacking, Wolpert 1992).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import AisleError, StorageError
from aisle.evaluate.ranked import Compared, ndcg_of
from aisle.learn.bi_encoder import BI_ENCODER, fit_bi_encoder
from aisle.learn.cross_encoder import CROSS_ENCODER, fit_cross_encoder
from aisle.learn.fitted import Fitted
from aisle.learn.ranking import LEAST_QUERIES, MODEL_FILE, RANKING, fit_ranking
from aisle.learn.searched import clicked_arrays
from aisle.learn.workbench import Workbench
from aisle.rank.together import TOGETHER, with_reading
from aisle.represent.encoders import ensure_encoder, source_of
from aisle.represent.texts import text_of
from aisle.training.encoder import export_tuned, keep_the_first
from aisle.training.search_evidence import FOLDS, Events, Gathered, Known, Tell, gather, shown, texts_of
from aisle.types import ModelVersion, Ords, Progress, Scores, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle.training")

SEARCH_MODELS: Final = (BI_ENCODER, RANKING, CROSS_ENCODER)
"""Models of search, in the order in which they are trained."""

MOST_QUERIES: Final = 8000
LEAST_FOR_NETWORKS: Final = 400
"""Judged queries that it takes for networks to learn from; fewer are worth more to the trees."""

LEAST_SHOWN: Final = 200
"""Logged answers of which something was taken that are enough to learn from as they are."""

_A_CLICK: Final = 0.1
"""What a query whose judgements were read from clicks counts of one that people judged."""

_QUERIES_A_SECOND: Final = 12
"""Queries that are searched for each second of the time that training may take: a seventh of it."""

_HELD: Final = 3
"""Of FOLDS parts, those that nothing which is measured learns from."""

_LITTLE: Final = 200_000
"""Rows up to which trees are fitted in seconds, and every list is measured by some that never saw it."""

_HALVES: Final = ("even", "odd")
_CANDIDATES: Final = 60
_SHARES: Final = {(BI_ENCODER, "all"): 0.4, (BI_ENCODER, "even"): 0.15, (BI_ENCODER, "odd"): 0.15,
                  (CROSS_ENCODER, "all"): 0.3}  # fmt: skip
"""Of the time that training search may take; the trees take a minute or two besides."""
_SWITCH_S: Final = 3600.0
"""Longest wait for the catalogue to be read by the tuned encoder."""
_WEIGHTS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
_ENCODED_AT_ONCE: Final = 1024


def train_search(
    parts: Parts,
    bench: Workbench,
    events: Events,
    progress: Progress,
    *,
    only: Sequence[str] = SEARCH_MODELS,
    seconds: float = 600.0,
    threads: int = 1,
) -> list[ModelVersion]:
    """Train the models of search; one version each, active if it serves. Raises StorageError."""
    training = _Training(parts, bench, events, progress, only, seconds, threads)
    return [training.version(name) for name in SEARCH_MODELS if name in only]


class _NotTrained(Exception):
    """Why a model was not trained."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model, what was measured of it, and whether it is to serve (`note`: why not)."""

    fitted: Fitted
    metrics: dict[str, float]
    good: bool
    note: str


class _Training:
    def __init__(
        self,
        parts: Parts,
        bench: Workbench,
        events: Events,
        progress: Progress,
        only: Sequence[str],
        seconds: float,
        threads: int,
    ) -> None:
        self._parts, self._bench, self._progress = parts, bench, progress
        self._events, self._only, self._seconds, self._threads = events, only, seconds, threads
        self._seed = parts.settings.train.seed
        self._promoted: dict[str, bool] = {}
        self._ordered: Scores | None = None

    def version(self, name: str) -> ModelVersion:
        """Train one model, or find the version that a training which was stopped had made."""
        store = self._parts.stores.models
        made = self._bench.versions().get(name)
        if made is not None:
            version = next(one for one in store.versions(name) if one.version == made)
            self._promoted[name] = version.active
            return version
        try:
            began = time.monotonic()
            made_now = self._train(name)
            fitted, took = made_now.fitted, {"training_seconds": time.monotonic() - began}
            version = store.create(
                name, fitted.arrays, files=fitted.files, params=fitted.params,
                metrics={**fitted.metrics, **made_now.metrics, **took}, note=made_now.note,
            )  # fmt: skip
            if made_now.good:
                if name == BI_ENCODER:  # so that there is one to go back to
                    keep_the_first(store, ensure_encoder(self._parts.settings.encoder, self._parts.path / "models"))
                store.promote(name, version.version)
                self._parts.nudge()
            self._promoted[name] = made_now.good
            self._bench.made(name, version.version)
            return replace(version, active=made_now.good)
        except _NotTrained as why:
            return ModelVersion(name, "", now_ms(), note=f"not trained: {why}")
        except StorageError:
            raise
        except Exception as error:
            # The other models go on, and what served before goes on serving.
            expected = isinstance(error, AisleError)
            log.error("training %s: %s", name, error, exc_info=None if expected else error)
            told = str(error) if expected else f"{type(error).__name__}: {error}"
            return ModelVersion(name, "", now_ms(), note=f"failed: {told}")

    def _train(self, name: str) -> Trained:
        of: dict[str, Callable[[], Trained]] = {
            BI_ENCODER: self._bi_encoder, CROSS_ENCODER: self._cross_encoder, RANKING: self._ranking,
        }  # fmt: skip
        return of[name]()

    # ------------------------------------------------------------ what is known

    @cached_property
    def _known(self) -> Known:
        self._parts.ranking.catch_up()
        most = max(4 * LEAST_QUERIES, int(self._seconds * _QUERIES_A_SECOND))
        return Known.of(self._parts, self._events).sample(min(MOST_QUERIES, most))

    @cached_property
    def _folds(self) -> NDArray[np.int32]:
        return self._known.judged.fold(FOLDS)

    @property
    def _held(self) -> NDArray[np.bool_]:
        return self._folds >= FOLDS - _HELD

    @cached_property
    def _before(self) -> Gathered:
        """The candidates of every query, before anything is tuned."""
        return gather(self._parts, self._known, np.ones(len(self._folds), bool), self._told_of(BI_ENCODER))

    @cached_property
    def _now(self) -> Gathered:
        """The candidates of every query as search finds them now, with cosines of encoders that never saw the query."""
        self._wait_for_meaning()
        if not self._parts.meaning.tuned:
            return self._before
        halves = [self._half(number) for number in range(len(_HALVES))]
        everything = np.ones(len(self._folds), bool)
        return gather(
            self._parts, self._known, everything, self._told_of(RANKING), partial(self._unseen_cosines, halves)
        )

    def _told_of(self, name: str) -> Tell:
        return lambda done, of: self._progress(f"{name}: searching", done, of)

    def _wait_for_meaning(self) -> None:
        """Until the tuned encoder that was promoted has read the catalogue."""
        parts, deadline = self._parts, time.monotonic() + _SWITCH_S
        while parts.meaning.behind and time.monotonic() < deadline:
            self._progress(f"{BI_ENCODER}: reading the catalogue", *parts.meaning.progress)
            time.sleep(0.2)
        parts.ranking.catch_up()

    def _fit(self, name: str, stage: str, fit: Callable[[Path], Fitted | None]) -> Fitted:
        fitted = self._bench.kept(name, stage)
        if fitted is None:
            found = fit(self._bench.folder(name, stage))
            if found is None:
                raise _NotTrained("there are too few searches and judgements")
            fitted = self._bench.keep(found, name, stage)
        return fitted

    def _network(
        self, name: str, stage: str, among: NDArray[np.bool_], fit: Callable[..., Fitted | None], **more: Any
    ) -> Fitted:
        """Fit a network on some queries."""
        if self._parts.meaning.now is None:
            raise _NotTrained("the shop has no encoder to begin with")
        if name == BI_ENCODER and self._parts.indexes.open_tuned is None:
            raise _NotTrained("encoder.tuned is off")
        of_clicks = int(self._known.of_clicks.sum())
        of_people = len(self._folds) - of_clicks
        if of_people + _A_CLICK * of_clicks < LEAST_FOR_NETWORKS:
            raise _NotTrained(
                f"it takes {LEAST_FOR_NETWORKS} judged queries or {LEAST_FOR_NETWORKS / _A_CLICK:.0f} with clicks, "
                f"and there are {of_people} and {of_clicks}"
            )

        def fitting(work: Path) -> Fitted | None:
            judged, found = self._known.judged, self._before
            candidates: list[Ords] = [np.empty(0, np.int32)] * len(judged.queries)
            for number, rows in zip(found.query.tolist(), found.each(), strict=True):
                candidates[number] = found.ords[rows][:_CANDIDATES]
            needed = np.concatenate([judged.ords, *candidates])
            told = name if stage == "all" else f"{name}, {stage} half"
            return fit(
                judged, texts_of(self._parts, needed, text_of), candidates,
                source=source_of(self._parts.settings.encoder), work=work, among=among,
                seconds=self._seconds * _SHARES[name, stage], threads=self._threads, seed=self._seed,
                progress=lambda what, done, of: self._progress(f"{told}: {what}", done, of), **more,
            )  # fmt: skip

        return self._fit(name, stage, fitting)

    # ------------------------------------------------------------------ encoder

    def _encoder(self, stage: str, among: NDArray[np.bool_]) -> Fitted:
        return self._network(BI_ENCODER, stage, among, fit_bi_encoder, export=export_tuned)

    def _bi_encoder(self) -> Trained:
        fitted = self._encoder("all", ~self._held)
        compared = self._compared_meaning(fitted)
        good = compared.low > 0
        note = "" if good else "not promoted: its meaning alone orders held-out searches no better"
        return Trained(fitted, _told("meaning", compared), good, note)

    def _compared_meaning(self, fitted: Fitted) -> Compared:
        """A tuned encoder and the one that serves, by their cosines alone, on held-out queries: what search finds now
        and what was judged."""
        judged, found, pair = self._known.judged, self._before, self._parts.meaning.now
        held = found.take(found.lists.fold >= FOLDS - _HELD)
        assert pair is not None
        bounds = np.searchsorted(judged.query, np.arange(len(judged.queries) + 1))
        ords, gains, before = [], [], []
        numbers = held.query.tolist()
        texts = [judged.queries[number] for number in numbers]
        for number, rows, query in zip(numbers, held.each(), pair.encoder.encode(texts), strict=True):
            told = slice(bounds[number], bounds[number + 1])
            others = held.ords[rows][~np.isin(held.ords[rows], judged.ords[told])]
            ords.append(np.concatenate((judged.ords[told], others)))
            gains.append(np.concatenate((judged.gain[told], np.zeros(len(others), np.float32))))
            before.append(pair.dense.dense.vectors(ords[-1]) @ query)
        after = self._cosines(fitted, numbers, ords)
        empty = [np.empty(0, np.float32)]
        gain, cosine, base = (np.concatenate([*columns, *empty]) for columns in (gains, after, before))
        return Compared.of(np.array([len(one) for one in ords], np.int32), gain, held.ideal, cosine, base)

    def _cosines(self, fitted: Fitted, numbers: Sequence[int], ords: Sequence[Ords]) -> list[Scores]:
        """What a tuned encoder says of those products for those queries, float32[n] each."""
        assert self._parts.indexes.open_tuned is not None
        encoder, _ = self._parts.indexes.open_tuned(fitted.files["model.onnx"].parent)
        sizes = np.cumsum([len(found) for found in ords])
        if not len(sizes):
            return []
        needed, back = np.unique(np.concatenate(ords), return_inverse=True)
        texts = texts_of(self._parts, needed, text_of)
        vectors = np.empty((len(needed), encoder.dim), np.float32)
        for begin in range(0, len(needed), _ENCODED_AT_ONCE):
            self._progress(f"{BI_ENCODER}: reading products", begin, len(needed))
            some = needed[begin : begin + _ENCODED_AT_ONCE].tolist()
            vectors[begin : begin + len(some)] = encoder.encode([texts[o] for o in some])
        self._progress(f"{BI_ENCODER}: reading products", len(needed), len(needed))
        queries = encoder.encode([self._known.judged.queries[number] for number in numbers])
        return [vectors[rows] @ query for rows, query in zip(np.split(back, sizes[:-1]), queries, strict=True)]

    def _half(self, number: int) -> Fitted:
        """The encoder tuned on one half of the queries, also where the one that serves is of an earlier training."""
        return self._encoder(_HALVES[number], ~self._held & (self._folds % 2 == number))

    def _unseen_cosines(
        self, halves: list[Fitted], numbers: Sequence[int], ords: Sequence[Ords]
    ) -> list[Scores | None]:
        """Each query by the encoder of the half that it is not in; as found, where nothing was tuned on it."""
        of_half = np.where(self._held[list(numbers)], -1, 1 - self._folds[list(numbers)] % 2)
        found: list[Scores | None] = [None] * len(numbers)
        for half, fitted in enumerate(halves):
            rows = np.flatnonzero(of_half == half).tolist()
            cosines = self._cosines(fitted, [numbers[row] for row in rows], [ords[row] for row in rows])
            for row, cosine in zip(rows, cosines, strict=True):
                found[row] = cosine
        return found

    # ------------------------------------------------------------------ ranking

    @cached_property
    def _shown(self) -> Gathered:
        """Answers of which something was taken, as they were logged."""
        return shown(self._parts, self._known, self._events)

    @cached_property
    def _judged(self) -> Gathered:
        """Lists gathered now; those judged by clicks only where too few answers were logged to learn from instead."""
        found = self._now
        if len(self._shown.lists) < LEAST_SHOWN:
            return found
        return found.take(~self._known.of_clicks[found.query])

    def _ranking(self) -> Trained:
        found = self._judged.with_lists(self._shown)
        if len(found.lists) < LEAST_QUERIES:
            raise _NotTrained("there are too few searches and judgements")
        pieces: list[tuple[NDArray[Any], ...]] = []
        for name, held in _held_parts(found.lists.fold, len(found.ords)):
            learned, measured = found.take(~held), found.take(held)
            if pieces and (not len(measured.lists) or len(learned.lists.telling()) < LEAST_QUERIES):
                continue
            fitted = self._fit(RANKING, name, partial(self._trees, learned))
            scores = self._scores(fitted, measured)
            if not pieces:
                kept = self._judged.lists.fold >= FOLDS - _HELD
                self._ordered = scores[: int((self._judged.lists.sizes * kept).sum())]
            pieces.append((measured.lists.sizes, measured.true_gain, measured.ideal, scores, measured.column("blend")))
        compared = Compared.of(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
        good = compared.low > 0
        if good:
            fitted = self._fit(RANKING, "all", lambda work: self._trees(found, work))
        note = "" if good else "not promoted: it orders held-out searches no better than words and meaning blended"
        params = {**fitted.params, "encoder": self._parts.encoder_name}
        fitted = replace(fitted, arrays=clicked_arrays(self._known.whole), params=params)
        return Trained(fitted, _told(RANKING, compared), good, note)

    def _trees(self, found: Gathered, work: Path) -> Fitted | None:
        return fit_ranking(
            found.lists, work=work, threads=self._threads, seed=self._seed,
            progress=lambda told, done, of: self._progress(f"{RANKING}: {told}", done, of),
        )  # fmt: skip

    def _scores(self, fitted: Fitted, found: Gathered) -> Scores:
        names = tuple(fitted.params["features"])
        ranker = self._parts.indexes.open_ranker(fitted.files[MODEL_FILE], names)
        return ranker.score(np.ascontiguousarray(np.stack([found.column(name) for name in names], 1)))

    # ----------------------------------------------------------- read together

    def _cross_encoder(self) -> Trained:
        fitted = self._network(CROSS_ENCODER, "all", ~self._held, fit_cross_encoder)
        found = self._judged.take(self._judged.lists.fold >= FOLDS - _HELD)
        over = found.column("blend")
        if self._promoted.get(RANKING) and self._ordered is not None:
            over = self._ordered
        logits, ms = self._read_together(fitted, found, over)
        chosen, scores = _weighed(found, over, logits)
        compared = Compared.of(found.lists.sizes, found.lists.gain, found.ideal, scores, over)
        most = self._parts.settings.search.reading_ms
        slow, good = ms > most, compared.low > 0
        note = "" if good else "not promoted: it puts the best of held-out searches in no better order"
        if good and slow:
            note = f"not promoted: {ms:.0f} ms to read {TOGETHER} products, and search.reading_ms is {most:g}"
        params = {**fitted.params, "weight": chosen, "over": RANKING if self._promoted.get(RANKING) else ""}
        metrics = {**_told("reading", compared), "milliseconds": ms}
        return Trained(replace(fitted, params=params), metrics, good and not slow, note)

    def _read_together(self, fitted: Fitted, found: Gathered, over: Scores) -> tuple[Scores, float]:
        """The logit of each of the best of each list, float32[n] (NaN for the others); median milliseconds a list."""
        reranker = self._parts.indexes.open_reranker(fitted.files[MODEL_FILE].parent)
        texts = texts_of(self._parts, found.ords, text_of)
        logits = np.full(len(found.ords), np.nan, np.float32)
        taken = []
        for number, rows in zip(found.query.tolist(), found.each(), strict=True):
            best = rows.start + np.argsort(-over[rows], kind="stable")[:TOGETHER]
            read = [texts[o] for o in found.ords[best].tolist()]
            began = time.perf_counter()
            logits[best] = reranker.score(self._known.judged.queries[number], read)
            taken.append(1000 * (time.perf_counter() - began))
        return logits, float(np.median(taken)) if taken else 0.0


def _held_parts(fold: NDArray[np.int32], n_rows: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What is kept to measure on; where there is little, then each other part too, learned without it, for the few
    that are kept cannot tell a small gain from chance."""
    yield "past", fold >= FOLDS - _HELD
    if n_rows <= _LITTLE:
        for end in range(FOLDS - _HELD, 0, -_HELD):
            yield f"without-{end}", (fold >= end - _HELD) & (fold < end)


def _weighed(found: Gathered, over: Scores, logits: Scores) -> tuple[float, Scores]:
    """The best weight of `logits`, and every list's scores under the weight that was best on the other half."""
    each = np.array([[_ndcg(found, over, logits, rows, weight) for weight in _WEIGHTS] for rows in found.each()])
    each /= np.maximum(found.ideal, 1e-9)[:, None]
    half = found.lists.fold % 2
    scores = over.copy()
    for side in (0, 1):
        others = each[half != side]
        weight = _WEIGHTS[int(others.mean(0).argmax())] if len(others) else 0.0
        for rows, mine in zip(found.each(), half == side, strict=True):
            if mine:
                scores[rows] = with_reading(over[rows], logits[rows], weight)
    return _WEIGHTS[int(each.mean(0).argmax())] if len(each) else 0.0, scores


def _ndcg(found: Gathered, over: Scores, logits: Scores, rows: slice, weight: float) -> float:
    order = np.argsort(-with_reading(over[rows], logits[rows], weight), kind="stable")
    return ndcg_of(found.lists.gain[rows][order])


def _told(name: str, compared: Compared) -> dict[str, float]:
    return {
        f"{name}.ndcg@10": compared.mean,
        f"{name}.ndcg@10_before": compared.base,
        f"{name}.adds": compared.gain,
        f"{name}.adds_low": compared.low,
        f"{name}.adds_high": compared.high,
        "held_out_queries": float(compared.n),
    }
