"""The stores in one SQLite file, against their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.content import SqliteContentStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.keys import SqliteKeyStore
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.adapters.sqlite.state import SqliteStateStore
from aisle.adapters.sqlite.vectors import SqliteVectorStore
from aisle.testing import stores


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
