"""One SQLite file, one writing thread, a reading connection for each thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, NullPool, create_engine

from aisle.adapters.sqlite.faults import code_of, explained
from aisle.adapters.sqlite.schema import VERSION
from aisle.adapters.sqlite.writer import Job, Writer, driver_of
from aisle.errors import StorageError

T = TypeVar("T")
P = TypeVar("P")

# synchronous=FULL: in WAL mode NORMAL would lose the last commits with the power.
# secure_delete: what a shopper had erased must not linger in free pages.
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA wal_autocheckpoint = 2000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
)


@dataclass(slots=True, eq=False)
class _Reader:
    """A thread's own connection. The lock is against closing it under a query, which SQLite answers with a crash."""

    connection: sqlite3.Connection
    thread: weakref.ref[threading.Thread]
    lock: threading.Lock = field(default_factory=threading.Lock)


class Database:
    """The shop's `aisle.db`.

    Opening creates or migrates it. Raises StorageError when it cannot be opened,
    is damaged, or was written by a newer aisle.
    """

    def __init__(self, path: Path | str, *, group_commit_ms: float = 0.0, busy_s: float = 10.0) -> None:
        self.path = Path(path)
        self._busy_s = busy_s
        self._engine = create_engine("sqlite+pysqlite://", creator=self._driver, poolclass=NullPool)
        self._here = threading.local()
        self._readers: list[_Reader] = []
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._prepare()
        except Exception as error:
            self._engine.dispose()
            raise explained(error) from error
        self._writer = Writer(self._connect, group_commit_s=group_commit_ms / 1000, busy_s=busy_s)

    # ---------------------------------------------------------------- writing

    def submit(self, work: Callable[[Connection], T], *, rows: int = 1) -> Future[T]:
        """Run `work` in the writer's next transaction; `rows` says how much it writes.

        The future resolves once it is durable. It raises what `work` raised, or
        StorageError; either way nothing of the job is left in the database.
        """
        job = Job(work, rows=rows)
        self._writer.submit(job)
        return job.future

    def submit_merged(
        self,
        work: Callable[[Connection, list[P]], list[T]],
        payload: P,
        *,
        rows: int = 1,
        lazy: bool = False,
        then: Callable[[T], None] | None = None,
    ) -> Future[T]:
        """Like submit, for small jobs of one kind: `work` gets those waiting together.

        Pass the same function each time, not a new closure. A lazy job may wait
        50 ms for company. `then`, which must not raise, gets the durable result
        before the future resolves.
        """
        job = Job(work, payload, merged=True, rows=rows, lazy=lazy, then=then)
        self._writer.submit(job)
        return job.future

    def write(self, work: Callable[[Connection], T], *, rows: int = 1) -> T:
        """Submit and wait."""
        return self.submit(work, rows=rows).result()

    def flush(self) -> None:
        """Wait until all live jobs queued so far are durable."""
        self.write(lambda connection: None)

    def forget(self) -> None:
        """After an erasure: overwrite what the write-ahead log still holds, unless a reader needs it now."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._driver()) as driver:
            driver.execute("PRAGMA busy_timeout = 200")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # ---------------------------------------------------------------- reading

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, on this thread's own read-only connection, as of now."""
        reader = self._reader()
        try:
            with reader.lock:
                return reader.connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise explained(error) from error

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None when there is none."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    # ------------------------------------------------------------------- life

    def close(self) -> None:
        """Commit what is queued and close every connection. A second call does nothing."""
        self._writer.close()
        with self._lock:
            self._closed = True
            readers, self._readers = self._readers, []
        for reader in readers:
            with reader.lock:
                reader.connection.close()
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ connections

    def _driver(self) -> sqlite3.Connection:
        """A connection that begins no transaction by itself."""
        return sqlite3.connect(
            self.path,
            timeout=self._busy_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _connect(self, busy_ms: int = 0) -> Connection:
        """A writing connection. The writer begins, commits and polls a busy file itself."""
        connection = self._engine.connect()
        try:
            driver = driver_of(connection)
            for pragma in _PRAGMAS:
                driver.execute(pragma)
            driver.execute(f"PRAGMA busy_timeout = {busy_ms}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _reader(self) -> _Reader:
        reader: _Reader | None = getattr(self._here, "reader", None)
        if reader is None or self._closed:
            reader = self._here.reader = self._open_reader()
        return reader

    def _open_reader(self) -> _Reader:
        with self._lock:
            if self._closed:
                raise StorageError("the shop is closed: open it again")
            ended = [r for r in self._readers if (thread := r.thread()) is None or not thread.is_alive()]
            for old in ended:
                self._readers.remove(old)
                old.connection.close()
            connection = self._driver()
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -8000")
            reader = _Reader(connection, weakref.ref(threading.current_thread()))
            self._readers.append(reader)
            return reader

    def _prepare(self) -> None:
        """Bring the schema to this version; cheap when it is there already."""
        if self._version() == VERSION:
            return
        from aisle.adapters.sqlite.migrations import migrate

        with contextlib.closing(self._connect(int(self._busy_s * 1000))) as connection:
            driver_of(connection).execute("BEGIN IMMEDIATE")
            # Another process may have migrated it while this one waited.
            if self._version() != VERSION:
                migrate(connection)
            driver_of(connection).execute("COMMIT")

    def _version(self) -> str:
        """The schema's version; empty for a new file. Raises StorageError when it is newer than the code."""
        with contextlib.closing(self._driver()) as driver:
            try:
                row = driver.execute("SELECT version_num FROM alembic_version").fetchone()
            except sqlite3.OperationalError as error:
                if code_of(error) == sqlite3.SQLITE_ERROR:
                    return ""
                raise
        version = str(row[0]) if row else ""
        if version > VERSION:
            raise StorageError(
                f"{self.path} was written by a newer aisle (schema {version}, this one knows {VERSION}): "
                "upgrade aisle, or open a backup"
            )
        return version
