"""Training: every model on the log; measured; promoted when it earns its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from aisle.learn.covisitation import earning, earns_its_place, evaluate_covisitation, train_covisitation
from aisle.ports import EventLog, ModelStore
from aisle.settings import RecommendSettings
from aisle.types import LoggedEvent, ModelVersion

Progress = Callable[[str, int, int], None]

COVISITATION = "covisitation"
_BATCH = 20_000


def train_all(
    events: EventLog,
    models: ModelStore,
    ord_of: Callable[[str], int],
    settings: RecommendSettings,
    progress: Progress | None = None,
) -> list[ModelVersion]:
    """Train, measure on held-out traffic, promote what beats popularity; the version that served stays kept.

    An empty log trains nothing. Raises StorageError when a version cannot be written;
    the version that serves is untouched then.
    """
    last_seq = events.last_seq()
    if not last_seq:
        return []
    gap = settings.session_gap_minutes
    metrics = evaluate_covisitation(
        _replayed(events, last_seq, "measuring covisitation", progress), ord_of, session_gap_minutes=gap
    )
    arrays = train_covisitation(
        _replayed(events, last_seq, "training covisitation", progress), ord_of, session_gap_minutes=gap
    )
    good = earns_its_place(metrics)
    note = "" if good else "not promoted: it does not beat popularity on held-out traffic by more than chance"
    if not any(metrics.get(f"{relation}_cases") for relation in ("viewed", "bought")):
        note = "not promoted: too few events to measure it"
    version = models.create(
        COVISITATION,
        earning(arrays, metrics),
        params={"seq": last_seq, "session_gap_minutes": gap},
        metrics=metrics,
        note=note,
    )
    if good:
        models.promote(COVISITATION, version.version)
    return [replace(version, active=good)]


def _replayed(events: EventLog, last_seq: int, stage: str, progress: Progress | None) -> Iterator[LoggedEvent]:
    """The log up to `last_seq`, telling how far it is."""
    seq = 0
    while logged := events.read(seq, _BATCH):
        for entry in logged:
            if entry.seq > last_seq:
                return
            yield entry
        seq = logged[-1].seq
        if progress is not None:
            progress(stage, min(seq, last_seq), last_seq)
