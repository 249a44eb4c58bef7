"""What was shown."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import Connection

from aisle.adapters.sqlite.codec import slate_bytes
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.writer import driver_of
from aisle.types import Slate, now_ms

log = logging.getLogger(__name__)

MOST_PENDING = 50_000
"""Slates that may wait for the disk; beyond it new ones are dropped rather than memory filled."""

_COLUMNS = "list_id, time_ms, surface, visitor_id, query, n_hits, data"
_INSERT = f"INSERT OR REPLACE INTO slates ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_GET = f"SELECT {_COLUMNS} FROM slates WHERE list_id = ?"
_OF_VISITOR = f"SELECT {_COLUMNS} FROM slates WHERE visitor_id = ? ORDER BY time_ms, slate"
_READ = f"SELECT {_COLUMNS} FROM slates WHERE time_ms >= ? ORDER BY time_ms, slate LIMIT ?"


class SqliteSlateLog:
    """Answers as they were given, by `list_id`.

    Recording only queues: the writing thread encodes. It shares the event log's
    queue, so a slate is durable before any event that names it.
    """

    def __init__(self, database: Database, *, most_pending: int = MOST_PENDING) -> None:
        self._database = database
        self._most_pending = most_pending
        self._lock = Lock()
        self._n_pending = 0
        self.n_dropped = 0
        """Slates that were not recorded: the disk was too slow, full or broken."""

    def record(self, slate: Slate) -> None:
        """Queue a slate; never waits, never raises."""
        with self._lock:
            full = self._n_pending >= self._most_pending
            self._n_pending += not full
        if full:
            self._drop("the disk does not keep up")
            return
        self._database.submit_merged(_insert, slate, lazy=True).add_done_callback(self._done)

    def get(self, list_id: str) -> dict[str, Any] | None:
        """One slate as JSON-able lists aligned with each other; None when unknown."""
        rows = self._database.rows(_GET, (list_id,))
        return _slate(rows[0]) if rows else None

    def read(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """Slates shown at or after `since_ms`, oldest first."""
        return [_slate(row) for row in self._database.rows(_READ, (since_ms, limit))]

    def of_visitor(self, visitor_id: str) -> list[dict[str, Any]]:
        """What a shopper was shown, oldest first."""
        return [_slate(row) for row in self._database.rows(_OF_VISITOR, (visitor_id,))]

    def flush(self) -> None:
        """Wait until what was recorded so far is durable."""
        self._database.flush()

    def erase(self, visitor_id: str) -> int:
        """Forget what a shopper was shown; returns how many slates."""

        def work(connection: Connection) -> int:
            return driver_of(connection).execute("DELETE FROM slates WHERE visitor_id = ?", (visitor_id,)).rowcount

        n_erased = self._database.write(work)
        self._database.forget()
        return n_erased

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._n_pending -= 1
        if not future.cancelled() and (error := future.exception()) is not None:
            self._drop(str(error))

    def _drop(self, why: str) -> None:
        with self._lock:
            self.n_dropped += 1
            n = self.n_dropped
        if n == 1 or n % 1000 == 0:
            log.warning("%d slates were not recorded: %s", n, why)


def _insert(connection: Connection, slates: list[Slate]) -> list[None]:
    driver_of(connection).executemany(
        _INSERT,
        [
            (
                slate.list_id,
                slate.time_ms or now_ms(),
                slate.surface,
                slate.visitor_id,
                slate.query.text if slate.query else "",
                slate.n_hits,
                slate_bytes(slate),
            )
            for slate in slates
        ],
    )
    return [None] * len(slates)


def _slate(row: tuple[Any, ...]) -> dict[str, Any]:
    list_id, time_ms, surface, visitor_id, query, n_hits, data = row
    return {
        "list_id": list_id,
        "time_ms": time_ms,
        "surface": surface,
        "visitor_id": visitor_id,
        "query": query,
        "n_hits": n_hits,
        **orjson.loads(data),
    }
