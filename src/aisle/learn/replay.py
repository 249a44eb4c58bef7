"""State is a fold over the event log: delete it, replay, and it is the same.

`Replay` keeps every fold at one `seq`. Live events are folded as they are
acknowledged, so that the next answer knows them; events that another process
wrote are read from the log. Snapshots only save time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Protocol

from aisle.errors import StorageError
from aisle.ports import EventLog, StateStore
from aisle.types import Ack, Event, now_ms

log = logging.getLogger("aisle.learn")

_DIGEST = 16


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
        # The thread that commits takes this lock to fold what it has made durable: nobody may write under it.
        self._lock = threading.RLock()
        # Held while snapshots are written or dropped, so that none brings back what was erased meanwhile.
        self._saving = threading.Lock()
        self.folds: Mapping[str, Fold] = make()
        self.seq = 0
        self._saved_seq = 0
        self._erasures = 0

    # ---------------------------------------------------------------- start

    def restore(self, progress: Callable[[int, int], None] | None = None) -> None:
        """From the newest snapshots and the log after them."""
        with self._lock:
            self._erasures = self._events.erasures()
            self.folds, self.seq = self._make(), 0
            found = {name: self._restored(name, fold) for name, fold in self.folds.items()}
            seqs = set(found.values())
            if len(seqs) == 1 and 0 < min(seqs) <= self._events.last_seq():
                self.seq = self._saved_seq = min(seqs)
            else:
                self.folds = self._make()
        self._drop(name for name, seq in found.items() if seq < 0)
        self.catch_up(progress)

    def _restored(self, name: str, fold: Fold) -> int:
        """The `seq` a fold was brought to by its snapshot; 0 without one, -1 for one that cannot be used."""
        saved = self._state.load(name)
        if saved is None:
            return 0
        try:
            fold.load(_opened(saved[1], self._erasures))
        except Exception as error:
            # Whatever is wrong with it, the log has everything.
            log.warning("snapshot of %s: %s; replaying the log", name, error)
            return -1
        return saved[0]

    def _drop(self, names: Iterable[str]) -> None:
        """What cannot be used is only in the way, and may know of a shopper who was erased."""
        for name in names:
            try:
                self._state.drop(name)
            except StorageError as error:
                log.warning("snapshot of %s: %s", name, error)

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Fold what the log has beyond `seq`."""
        while True:
            with self._lock:  # a piece at a time: between them the thread that commits gets its turn
                logged = self._events.read(self.seq, self._batch)
                for entry in logged:
                    self._fold(entry.seq, entry.event)
                seq = self.seq
            if progress is not None and logged:
                progress(seq, self._events.last_seq())
            if len(logged) < self._batch:
                return

    def keep_up(self) -> None:
        """Take in what other processes did to the log: events, and erasures."""
        if self._events.erasures() != self._erasures:
            self.rebuild()
        elif self._events.last_seq() > self.seq:
            self.catch_up()
        self.snapshot()

    # ----------------------------------------------------------------- live

    def record(self, events: Sequence[Event]) -> Future[list[Ack]]:
        """Append to the log; the future resolves once the events are durable *and* folded."""
        now = now_ms()  # set here, so that the log and the folds agree on when it was
        dated = [event if event.time_ms else replace(event, time_ms=now) for event in events]
        return self._events.append(dated, partial(self._fold_acknowledged, dated))

    def _fold_acknowledged(self, events: Sequence[Event], acks: Sequence[Ack]) -> None:
        try:
            self._accept(events, acks)
        except Exception:
            # The events are safe in the log; the next catch_up folds them.
            log.exception("folding acknowledged events")

    def _accept(self, events: Sequence[Event], acks: Sequence[Ack]) -> None:
        fresh = [
            # Under the id that the log has given it, as a replay would see it.
            (ack.seq, event if event.event_id else replace(event, event_id=ack.event_id))
            for ack, event in zip(acks, events, strict=True)
            if not ack.duplicate
        ]
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
        _fold_into(self.folds, seq, event)
        self.seq = seq

    # ------------------------------------------------------------ snapshots

    def snapshot(self, *, force: bool = False) -> bool:
        """Save every fold when enough has happened since the last time."""
        n_new = self.seq - self._saved_seq
        if not n_new or (not force and n_new < self._snapshot_events):
            return False
        with self._saving:
            erasures = self._erasures
            if self._events.erasures() != erasures:
                return False  # another process has just erased a shopper: these folds are about to go
            with self._lock:
                seq, dumps = self.seq, {name: fold.dump() for name, fold in self.folds.items()}
            for name, data in dumps.items():
                self._state.save(name, seq, _sealed(data, erasures))
            self._saved_seq = seq
        return True

    def rebuild(self) -> None:
        """Forget every snapshot and replay the log: after an erasure nothing derived may remain.

        The present folds serve, and take in events, until the new ones are complete.
        """
        with self._saving:
            erasures = self._events.erasures()
            for name in self.folds:
                self._state.drop(name)
            folds, seq = self._make(), 0
            while logged := self._events.read(seq, self._batch):
                for entry in logged:
                    _fold_into(folds, entry.seq, entry.event)
                seq = logged[-1].seq
                if len(logged) < self._batch:
                    break
            with self._lock:
                self.folds, self.seq, self._saved_seq, self._erasures = folds, seq, 0, erasures
                self.catch_up()


def _fold_into(folds: Mapping[str, Fold], seq: int, event: Event) -> None:
    for name, fold in folds.items():
        try:
            fold.fold(seq, event)
        except Exception:
            # One event that a fold cannot take must not stop every later one.
            log.exception("%s: event %d was left out", name, seq)


def _sealed(data: bytes, erasures: int) -> bytes:
    """With a checksum, and how many erasures the log had seen."""
    body = erasures.to_bytes(8, "little") + data
    return blake2b(body, digest_size=_DIGEST).digest() + body


def _opened(data: bytes, erasures: int) -> bytes:
    """What was sealed. Raises ValueError when it was altered, or made before a shopper was erased."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise ValueError("it is damaged")
    if int.from_bytes(body[:8], "little") != erasures:
        raise ValueError("a shopper was erased since")
    return body[8:]
