"""State is a fold over the event log: delete it, replay, and it is the same.

`Replay` keeps every fold at one `seq`. Live events are folded as they are
acknowledged, so that the next answer knows them; events that another process
wrote are read from the log. Snapshots only save time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from aisle.ports import EventLog, StateStore
from aisle.types import Ack, Event

log = logging.getLogger("aisle.learn")


class Fold(Protocol):
    """State that grows with the log and does not depend on the order of arrival."""

    def fold(self, seq: int, event: Event) -> None: ...

    def dump(self) -> bytes: ...

    def load(self, data: bytes) -> None:
        """Raises ValueError for data of another version or damaged: then the log is replayed."""


class Replay:
    """Runs folds over the log and keeps them up to date.

    `make` builds the folds empty; `folds` are the present ones, replaced as a
    whole when a shopper is erased.
    """

    def __init__(
        self,
        events: EventLog,
        state: StateStore,
        make: Callable[[], Mapping[str, Fold]],
        *,
        snapshot_events: int,
        batch: int = 20_000,
    ) -> None:
        self._events, self._state, self._make = events, state, make
        self._snapshot_events, self._batch = snapshot_events, batch
        self._lock = threading.RLock()
        self.folds: Mapping[str, Fold] = make()
        self.seq = 0
        self._saved_seq = 0

    # ---------------------------------------------------------------- start

    def restore(self, progress: Callable[[int, int], None] | None = None) -> None:
        """From the newest snapshots and the log after them."""
        with self._lock:
            self.folds, self.seq = self._make(), 0
            seqs = set()
            for name, fold in self.folds.items():
                saved = self._state.load(name)
                if saved is None:
                    seqs.add(0)
                    continue
                try:
                    fold.load(saved[1])
                except ValueError as error:
                    log.warning("snapshot of %s: %s; replaying the log", name, error)
                    seqs.add(-1)
                else:
                    seqs.add(saved[0])
            if len(seqs) == 1 and min(seqs) > 0 and min(seqs) <= self._events.last_seq():
                self.seq = self._saved_seq = min(seqs)
            else:
                self.folds = self._make()
            self.catch_up(progress)

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Fold what the log has beyond `seq`."""
        with self._lock:
            while logged := self._events.read(self.seq, self._batch):
                for entry in logged:
                    self._fold(entry.seq, entry.event)
                if progress is not None:
                    progress(self.seq, self._events.last_seq())
                if len(logged) < self._batch:
                    break

    # ----------------------------------------------------------------- live

    def follow(self, events: Sequence[Event], durable: Future[list[Ack]]) -> Future[list[Ack]]:
        """A future that resolves once the events are durable *and* folded."""
        folded: Future[list[Ack]] = Future()

        def accept(done: Future[list[Ack]]) -> None:
            error = done.exception()
            if error is not None:
                folded.set_exception(error)
                return
            acks = done.result()
            try:
                self._accept(events, acks)
            except Exception:
                # The events are safe in the log; the next catch_up folds them.
                log.exception("folding acknowledged events")
            folded.set_result(acks)

        durable.add_done_callback(accept)
        return folded

    def _accept(self, events: Sequence[Event], acks: Sequence[Ack]) -> None:
        fresh = [(ack.seq, event) for ack, event in zip(acks, events, strict=True) if not ack.duplicate]
        if not fresh:
            return
        with self._lock:
            if fresh[-1][0] <= self.seq:
                return
            if fresh[0][0] != self.seq + 1 or fresh[-1][0] != self.seq + len(fresh):
                self.catch_up()
                return
            for seq, event in fresh:
                self._fold(seq, event)

    def _fold(self, seq: int, event: Event) -> None:
        for name, fold in self.folds.items():
            try:
                fold.fold(seq, event)
            except Exception:
                # One event that a fold cannot take must not stop every later one.
                log.exception("%s: event %d was left out", name, seq)
        self.seq = seq

    # ------------------------------------------------------------ snapshots

    def snapshot(self, *, force: bool = False) -> bool:
        """Save every fold when enough has happened since the last time."""
        with self._lock:
            if self.seq == self._saved_seq or (not force and self.seq - self._saved_seq < self._snapshot_events):
                return False
            seq, dumps = self.seq, {name: fold.dump() for name, fold in self.folds.items()}
        for name, data in dumps.items():
            self._state.save(name, seq, data)
        self._saved_seq = seq
        return True

    def rebuild(self) -> None:
        """Forget every snapshot and replay the log: after an erasure nothing derived may remain."""
        with self._lock:
            for name in self.folds:
                self._state.drop(name)
            self.folds, self.seq, self._saved_seq = self._make(), 0, 0
            self.catch_up()
