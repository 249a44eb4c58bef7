"""The event log."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import Connection

from aisle.adapters.sqlite.codec import EVENT_COLUMNS, EventRow, event_row, logged_event
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.writer import driver_of
from aisle.types import Ack, Event, LoggedEvent, now_ms

CHUNK_EVENTS = 2_000
"""The most events of one transaction: about 50 ms that another process may have to wait."""

_KNOWN = "SELECT event_id, seq FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
_INSERT = (
    "INSERT INTO events (seq, event_id, time_ms, name, visitor_id, session_id, list_id, query, item_id, value, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
ERASURES = "SELECT value FROM counters WHERE name = 'erasures'"
"""Grows when a shopper's events are erased: sums over the log are then to be made anew."""

_READ = f"SELECT {EVENT_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
_OF_VISITOR = f"SELECT {EVENT_COLUMNS} FROM events WHERE visitor_id = ? ORDER BY seq"


class SqliteEventLog:
    """Events in the order they became durable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, events: Sequence[Event], then: Callable[[list[Ack]], None] | None = None) -> Future[list[Ack]]:
        """Queue for the next group commit; the future resolves once the events are durable.

        An event without `event_id` or `time_ms` is given one. Up to 2,000 events
        are stored all or none; more, in pieces of that size. Raises InvalidEvent
        at once for an event that cannot be stored; the future raises StorageError.
        """
        rows = [event_row(event, event.event_id or _new_id(), event.time_ms or now_ms()) for event in events]
        if len(rows) <= CHUNK_EVENTS:
            return self._database.submit_merged(_append, rows, rows=len(rows), then=then)
        whole = _joined(
            [
                self._database.submit_merged(_append, chunk, rows=len(chunk))
                for chunk in (rows[at : at + CHUNK_EVENTS] for at in range(0, len(rows), CHUNK_EVENTS))
            ]
        )
        if then is None:
            return whole
        told: Future[list[Ack]] = Future()

        def tell(done: Future[list[Ack]]) -> None:
            error = done.exception()
            if error is not None:
                told.set_exception(error)
                return
            then(done.result())
            told.set_result(done.result())

        whole.add_done_callback(tell)
        return told

    def read(self, after_seq: int, limit: int) -> list[LoggedEvent]:
        """Events after `after_seq`, oldest first; erased ones leave gaps in `seq`."""
        return [logged_event(row) for row in self._database.rows(_READ, (after_seq, limit))]

    def last_seq(self) -> int:
        """The newest `seq` ever given, erased or not; 0 for an empty log."""
        return int(self._database.value(_LAST) or 0)

    def of_visitor(self, visitor_id: str) -> list[LoggedEvent]:
        """All that is known of a shopper, in the order of the log."""
        return [logged_event(row) for row in self._database.rows(_OF_VISITOR, (visitor_id,))]

    def erase(self, visitor_id: str) -> int:
        """Forget a shopper's events; returns how many. `seq` of the others stays."""

        def work(connection: Connection) -> int:
            driver = driver_of(connection)
            n_erased = driver.execute("DELETE FROM events WHERE visitor_id = ?", (visitor_id,)).rowcount
            if n_erased:
                driver.execute(
                    "INSERT INTO counters (name, value) VALUES ('erasures', 1) "
                    "ON CONFLICT (name) DO UPDATE SET value = value + 1"
                )
            return n_erased

        n_erased = self._database.write(work)
        self._database.forget()
        return n_erased

    def erasures(self) -> int:
        """How often events were erased, by any process."""
        return int(self._database.value(ERASURES) or 0)


def _append(connection: Connection, batches: list[list[EventRow]]) -> list[list[Ack]]:
    driver = driver_of(connection)
    seqs: dict[str, int] = dict(driver.execute(_KNOWN, (_json([row[0] for rows in batches for row in rows]),)))
    last = driver.execute(_LAST).fetchone()
    seq: int = last[0] if last else 0
    fresh: list[tuple[Any, ...]] = []
    answers: list[list[Ack]] = []
    for rows in batches:
        acks = []
        for row in rows:
            known = seqs.get(row[0])
            if known is None:
                seq += 1
                seqs[row[0]] = seq
                fresh.append((seq, *row))
                acks.append(Ack(row[0], seq))
            else:
                acks.append(Ack(row[0], known, True))
        answers.append(acks)
    if fresh:
        driver.executemany(_INSERT, fresh)
    return answers


def _json(values: list[str]) -> str:
    return orjson.dumps(values).decode()


def _new_id() -> str:
    """Time first, so that neighbours in time are neighbours in the index."""
    return f"{now_ms():012x}{os.urandom(8).hex()}"


def _joined(parts: list[Future[list[Ack]]]) -> Future[list[Ack]]:
    """One future for all parts, in order; it fails with the first failure once all have ended."""
    whole: Future[list[Ack]] = Future()
    lock = Lock()
    n_left = len(parts)

    def done(_: Future[list[Ack]]) -> None:
        nonlocal n_left
        with lock:
            n_left -= 1
            if n_left:
                return
        failure = next((error for part in parts if (error := part.exception()) is not None), None)
        if failure is not None:
            whole.set_exception(failure)
        else:
            whole.set_result([ack for part in parts for ack in part.result()])

    whole.set_running_or_notify_cancel()
    for part in parts:
        part.add_done_callback(done)
    return whole
