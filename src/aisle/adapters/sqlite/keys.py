"""API keys, hashed before they come here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.dialects.sqlite import insert

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.schema import api_keys
from aisle.ports import ApiKey

_COLUMNS = "key_id, name, scopes, sha256, created_ms, revoked_ms"


class SqliteKeyStore:
    """Keys by the SHA-256 of their text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: ApiKey) -> None:
        """Keep a key. Raises StorageError when its id or hash is there already."""
        row = {
            "key_id": key.key_id,
            "name": key.name,
            "scopes": " ".join(key.scopes),
            "sha256": key.sha256,
            "created_ms": key.created_ms,
            "revoked_ms": key.revoked_ms,
        }
        self._database.write(lambda connection: connection.execute(insert(api_keys), row).close())

    def find(self, sha256: str) -> ApiKey | None:
        """The key of that hash, revoked or not."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM api_keys WHERE sha256 = ?", (sha256,))
        return _key(rows[0]) if rows else None

    def keys(self) -> list[ApiKey]:
        """Every key, oldest first, revoked ones too."""
        return [_key(row) for row in self._database.rows(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_ms, rowid")]

    def revoke(self, key_id: str, at_ms: int) -> bool:
        """Mark revoked; False when there is no such key or it already was."""

        def work(connection: Connection) -> bool:
            living = update(api_keys).where(api_keys.c.key_id == key_id, api_keys.c.revoked_ms == 0)
            return connection.execute(living.values(revoked_ms=at_ms)).rowcount > 0

        return self._database.write(work)


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, name, scopes, sha256, created_ms, revoked_ms = row
    return ApiKey(key_id, name, tuple(scopes.split()), sha256, created_ms, revoked_ms)
