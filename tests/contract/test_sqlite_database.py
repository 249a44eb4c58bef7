"""What the database promises beneath the stores: group commit, isolation of faults, its schema."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert

from aisle.adapters.sqlite import migrations, schema
from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.errors import StorageError
from aisle.testing.samples import event, product, slate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "aisle.db", busy_s=0.5) as database:
        yield database


def put(connection: Connection, name: str, value: int = 1) -> None:
    connection.execute(insert(schema.counters), {"name": name, "value": value})


def names(database: Database) -> set[str]:
    return {name for (name,) in database.rows("SELECT name FROM counters")}


@contextlib.contextmanager
def held_up(database: Database) -> Iterator[None]:
    """Keep the writing thread busy, so that what is queued meanwhile shares one transaction."""
    held, go = threading.Event(), threading.Event()

    def wait(connection: Connection) -> None:
        held.set()
        go.wait(10)

    waiting = database.submit(wait)
    held.wait(10)
    try:
        yield
    finally:
        go.set()
        waiting.result()


def test_a_bad_job_does_not_fail_its_neighbours(database: Database) -> None:
    def bad(connection: Connection) -> None:
        put(connection, "half")
        raise ZeroDivisionError

    def refused(connection: Connection) -> None:
        put(connection, "first")

    with held_up(database):
        first = database.submit(lambda c: put(c, "first"))
        broken = database.submit(bad)
        twice = database.submit(refused)
        last = database.submit(lambda c: put(c, "last"))
    first.result()
    last.result()
    with pytest.raises(ZeroDivisionError):
        broken.result()
    with pytest.raises(StorageError):
        twice.result()
    assert names(database) == {"first", "last"}


def test_a_bad_payload_does_not_fail_those_merged_with_it(database: Database) -> None:
    def work(connection: Connection, payloads: list[str]) -> list[str]:
        for payload in payloads:
            put(connection, payload)
        return [payload.upper() for payload in payloads]

    with held_up(database):
        futures = [database.submit_merged(work, payload) for payload in ("a", "b", "a", "c")]
    assert [future.result() for future in (futures[0], futures[1], futures[3])] == ["A", "B", "C"]
    with pytest.raises(StorageError):
        futures[2].result()
    assert names(database) == {"a", "b", "c"}


def test_what_waits_shares_a_transaction(database: Database) -> None:
    log = SqliteEventLog(database)
    log.append([event(0)]).result()
    with held_up(database):
        futures = [log.append([event(n)]) for n in range(50)]
        seen_before = log.last_seq()
    assert [future.result()[0].duplicate for future in futures] == [True, *[False] * 49]
    assert (seen_before, log.last_seq()) == (1, 50)


def test_a_cancelled_job_is_not_done(database: Database) -> None:
    with held_up(database):
        future = database.submit(lambda c: put(c, "cancelled"))
        assert future.cancel()
    database.flush()
    assert names(database) == set()


def test_a_slate_is_durable_before_the_event_that_names_it(database: Database) -> None:
    slates, log = SqliteSlateLog(database), SqliteEventLog(database)
    for n in range(20):
        slates.record(slate(f"l{n}"))
        log.append([event(n)]).result()
        assert slates.get(f"l{n}") is not None


def test_slates_are_dropped_rather_than_memory_filled(database: Database) -> None:
    slates = SqliteSlateLog(database, most_pending=3)
    with held_up(database):
        for n in range(5):
            slates.record(slate(f"l{n}"))
    slates.flush()
    assert slates.n_dropped == 2
    assert [one["list_id"] for one in slates.read(0, 10)] == ["l0", "l1", "l2"]
    slates.record(slate("l9"))
    slates.flush()
    assert slates.get("l9") is not None


def test_a_bulk_job_lets_live_events_pass(database: Database) -> None:
    log = SqliteEventLog(database)
    with held_up(database):
        bulk = log.append([event(n, "import") for n in range(6_000)])
        live = log.append([event(9_000)])
    (ack,) = live.result()
    assert [a.seq for a in bulk.result()] == [n for n in range(1, 6_002) if n != ack.seq]
    assert ack.seq <= 2_001


def test_a_locked_file_is_a_storage_error_and_later_works_again(database: Database) -> None:
    log = SqliteEventLog(database)
    with contextlib.closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        futures = [log.append([event(n)]) for n in range(3)]
        for future in futures:
            with pytest.raises(StorageError, match="another process"):
                future.result()
        other.execute("ROLLBACK")
    assert [ack.duplicate for ack in log.append([event(1)]).result()] == [False]
    assert len(log.read(0, 10)) == 1


def test_a_full_disk_is_a_storage_error_and_later_works_again(database: Database) -> None:
    store, log = SqliteCatalogStore(database), SqliteEventLog(database)
    store.upsert([product("A")])
    n_pages = database.value("PRAGMA page_count")
    database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {n_pages + 20}").close())
    seq = store.seq()
    with pytest.raises(StorageError, match="disk is full"):
        store.upsert([product(f"P{n}", title="x" * 1000) for n in range(1000)])
    assert (store.seq(), store.count()) == (seq, (1, 1))
    log.append([event(1)]).result()
    assert store.upsert([product("B")]).n_added == 1


def test_a_full_disk_spares_the_neighbour_that_fits(database: Database) -> None:
    n_pages = database.value("PRAGMA page_count")

    def too_large(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {n_pages + 5}").close()
        put(connection, "x" * 100_000)

    with held_up(database):
        small = database.submit(lambda c: put(c, "small"))
        large = database.submit(too_large)
    small.result()
    with pytest.raises(StorageError, match="disk is full"):
        large.result()
    assert names(database) == {"small"}


def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    database = Database(tmp_path / "aisle.db")
    log, slates = SqliteEventLog(database), SqliteSlateLog(database)
    slates.record(slate("l1"))
    future = log.append([event(n) for n in range(10)])
    database.close()
    database.close()
    assert len(future.result()) == 10
    with pytest.raises(StorageError, match="closed"):
        log.read(0, 1)
    with pytest.raises(StorageError, match="closed"):
        log.append([event(11)]).result()
    with Database(tmp_path / "aisle.db") as again:
        assert SqliteEventLog(again).last_seq() == 10
        assert SqliteSlateLog(again).get("l1") is not None


def test_every_thread_reads_the_newest(database: Database) -> None:
    store = SqliteCatalogStore(database)
    seen: list[int] = []
    for n in range(5):
        store.upsert([product(f"P{n}")])
        thread = threading.Thread(target=lambda: seen.append(store.count()[0]))
        thread.start()
        thread.join()
    assert seen == [1, 2, 3, 4, 5]


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        database.rows("DELETE FROM counters")


def test_the_cache_sees_what_another_process_changed(tmp_path: Path, database: Database) -> None:
    here = SqliteCatalogStore(database)
    with Database(database.path) as second:
        there = SqliteCatalogStore(second)
        here.upsert([product("A", title="old"), product("B")])
        ords = here.ords(["A", "B"])
        assert here.groups(ords) == there.groups(ords)
        there.upsert([product("A", title="new")])
        there.delete(["B"])
        titles = [group and group.lead.title for group in here.groups(ords)]
        assert titles == ["new", None]


def test_erased_text_is_gone_from_the_files(tmp_path: Path, database: Database) -> None:
    log = SqliteEventLog(database)
    log.append([event(n, "very-private-person") for n in range(50)]).result()
    assert log.erase("very-private-person") == 50
    database.close()
    for file in tmp_path.iterdir():
        assert b"very-private-person" not in file.read_bytes()


# ------------------------------------------------------------------- schema


def test_the_migrations_build_the_tables_of_the_schema(database: Database) -> None:
    engine = create_engine(f"sqlite:///{database.path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    engine.dispose()
    assert differences == []


def test_the_schema_names_the_newest_migration() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == schema.VERSION


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    Database(tmp_path / "aisle.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "aisle.db")) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
        driver.commit()
    with pytest.raises(StorageError, match="newer aisle"):
        Database(tmp_path / "aisle.db")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aisle.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StorageError, match="not a database"):
        Database(tmp_path / "aisle.db")
    with pytest.raises(StorageError, match="cannot be opened"):
        Database(tmp_path / "no" / "such" / "folder" / "aisle.db")
