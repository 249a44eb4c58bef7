"""The one thread that writes, and its group commit.

Jobs queue up while a transaction is on its way to the disk; the next one takes
all of them, so that a busy moment costs one fsync and not one for each event.
A future resolves after COMMIT has returned: what is acknowledged is durable.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection

from aisle.adapters.sqlite.faults import explained, is_busy
from aisle.errors import StorageError

log = logging.getLogger(__name__)

BULK_ROWS = 500
"""A job of more rows waits in the second lane, where it cannot hold up live events."""

_MOST_ROWS = 4_000
_LAZY_S = 0.05
_BUSY_POLL_S = 0.001
# Clients that wait for their acks send again at about the same moment.
_COMPANY = 64
_COMPANY_S = 0.0002
# A bulk import leaves the lock free for longer than another process's poll.
_YIELD_S = 0.004


@dataclass(slots=True, eq=False)
class Job:
    """Something to write.

    `work(connection)` for a job of its own; for a merged one, neighbours with
    the same `work` are called together as `work(connection, payloads)` and give
    a result for each. A lazy job does not wake the thread at once. `then` is
    called with the result once it is durable, before the future resolves.
    """

    work: Callable[..., Any]
    payload: Any = None
    merged: bool = False
    rows: int = 1
    lazy: bool = False
    then: Callable[[Any], None] | None = None
    future: Future[Any] = field(default_factory=Future)

    @property
    def is_bulk(self) -> bool:
        return self.rows > BULK_ROWS


class Writer:
    """A queue of jobs and the thread that commits them in groups."""

    def __init__(self, connect: Callable[[], Connection], *, group_commit_s: float, busy_s: float) -> None:
        self._connect = connect
        self._group_commit_s = group_commit_s
        self._busy_s = busy_s
        self._connection: Connection | None = None
        self._live: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._n_urgent = 0
        self._n_last = 0
        self._closing = False
        self._wake = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Queue a job. Live jobs keep their order; bulk jobs keep theirs."""
        with self._wake:
            if self._closing:
                job.future.set_exception(StorageError("the shop is closed: open it again"))
                return
            (self._bulk if job.is_bulk else self._live).append(job)
            self._n_urgent += not job.lazy
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aisle-writer", daemon=True)
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    # ------------------------------------------------------------- the thread

    def _run(self) -> None:
        while jobs := self._next_jobs():
            started = time.monotonic()
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._write(jobs)
            if any(job.is_bulk for job in jobs) and time.monotonic() - started > 5 * _YIELD_S:
                time.sleep(_YIELD_S)
        self._disconnect()

    def _next_jobs(self) -> list[Job]:
        """Wait for work, then take all that fits one transaction. Empty: closed and nothing left."""
        with self._wake:
            while not self._n_urgent and not self._closing:
                if self._live:
                    if not self._wake.wait(_LAZY_S):
                        break
                else:
                    self._wake.wait()
        self._wait_for_company()
        with self._wake:
            jobs: list[Job] = []
            rows = 0
            while self._live and rows < _MOST_ROWS:
                jobs.append(self._live.popleft())
                rows += jobs[-1].rows
            if self._bulk:
                jobs.append(self._bulk.popleft())
            self._n_urgent -= sum(not job.lazy for job in jobs)
            self._n_last = len(jobs)
            return jobs

    def _wait_for_company(self) -> None:
        """Before a commit: those whose last events were committed together likely come back together."""
        if self._closing:
            return
        if self._group_commit_s:
            time.sleep(self._group_commit_s)
        elif 1 < self._n_last <= _COMPANY and len(self._live) < self._n_last:
            time.sleep(_COMPANY_S)

    def _write(self, jobs: list[Job]) -> None:
        """One transaction for all; where that fails as a whole, one for each."""
        try:
            outcomes = self._transaction(jobs)
        except Exception as error:
            if len(jobs) > 1 and not is_busy(error):
                for job in jobs:
                    self._write([job])
                return
            outcomes = [error]
            outcomes *= len(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                job.future.set_exception(explained(outcome))
            else:
                if job.then is not None:
                    job.then(outcome)
                job.future.set_result(outcome)

    def _transaction(self, jobs: list[Job]) -> list[Any]:
        """Each job's result or error, once committed. Raises when nothing could be committed."""
        connection = self._connection or self._connect()
        self._connection = connection
        units = _merge(jobs)
        outcomes: dict[Job, Any] = {}
        try:
            driver = driver_of(connection)
            self._begin(driver)
            for unit in units:
                if len(units) == 1:
                    outcomes.update(_perform(connection, unit))
                else:
                    outcomes.update(_guarded(connection, driver, unit))
            driver.execute("COMMIT")
            if connection.in_transaction():
                # SQLAlchemy's own account of it; SQLite has committed.
                connection.rollback()
        except Exception:
            # After a full disk or a failed write the connection itself is suspect.
            self._disconnect()
            raise
        return [outcomes[job] for job in jobs]

    def _begin(self, driver: sqlite3.Connection) -> None:
        """BEGIN IMMEDIATE, polling: SQLite's own waiting grows too coarse beside a bulk import."""
        give_up = time.monotonic() + self._busy_s
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if not is_busy(error) or time.monotonic() > give_up:
                    raise
                time.sleep(_BUSY_POLL_S)
            else:
                return

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:
                log.debug("closing a broken connection", exc_info=True)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, for statements too hot for SQLAlchemy's bookkeeping."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _merge(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs to call together. Merged kinds pass each other, but never a job of its own."""
    units: list[list[Job]] = []
    open_units: dict[Callable[..., Any], list[Job]] = {}
    for job in jobs:
        if not job.merged:
            open_units.clear()
            units.append([job])
        elif job.work in open_units:
            open_units[job.work].append(job)
        else:
            open_units[job.work] = [job]
            units.append(open_units[job.work])
    return units


def _perform(connection: Connection, unit: list[Job]) -> dict[Job, Any]:
    if not unit[0].merged:
        return {unit[0]: unit[0].work(connection)}
    results = unit[0].work(connection, [job.payload for job in unit])
    return dict(zip(unit, results, strict=True))


def _guarded(connection: Connection, driver: sqlite3.Connection, unit: list[Job]) -> dict[Job, Any]:
    """Perform within a savepoint: a bad job is undone alone. Raises when the transaction is lost."""
    driver.execute("SAVEPOINT job")
    try:
        outcomes = _perform(connection, unit)
    except Exception as error:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO job")
        driver.execute("RELEASE job")
        if len(unit) == 1:
            return {unit[0]: error}
        return {job: outcome for one in unit for job, outcome in _guarded(connection, driver, [one]).items()}
    driver.execute("RELEASE job")
    return outcomes
