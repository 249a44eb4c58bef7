"""The stores in one SQLite file, against their contracts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.content import SqliteContentStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.keys import SqliteKeyStore
from aisle.adapters.sqlite.labels import SqliteLabelStore
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.adapters.sqlite.state import SqliteStateStore
from aisle.adapters.sqlite.vectors import SqliteVectorStore
from aisle.testing import samples, stores


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "aisle.db") as database:
        yield database


class TestCatalog(stores.CatalogStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteCatalogStore:
        return SqliteCatalogStore(database)


class TestEvents(stores.EventLogContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteEventLog:
        return SqliteEventLog(database)


class TestSlates(stores.SlateLogContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteSlateLog:
        return SqliteSlateLog(database)


class TestContent(stores.ContentStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteContentStore:
        return SqliteContentStore(database)


class TestLabels(stores.LabelStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteLabelStore:
        return SqliteLabelStore(database)


class TestVectors(stores.VectorStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteVectorStore:
        return SqliteVectorStore(database)


class TestState(stores.StateStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteStateStore:
        return SqliteStateStore(database)


class TestKeys(stores.KeyStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteKeyStore:
        return SqliteKeyStore(database)


def test_what_is_read_is_as_frozen_as_what_was_written(database: Database) -> None:
    catalog, log = SqliteCatalogStore(database), SqliteEventLog(database)
    catalog.upsert([samples.FULL_PRODUCT])
    log.append([samples.FULL_EVENT]).result()
    (group,), (logged,) = catalog.changed(0, 1), log.read(0, 1)
    for value, name in ((group.lead, "title"), (logged, "seq"), (logged.event, "name")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, "other")
    assert dataclasses.replace(group.lead, title="other").title == "other"
    assert dataclasses.replace(logged.event, name="share").name == "share"
