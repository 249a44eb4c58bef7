"""Embeddings, so that unchanged text is never encoded twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
from sqlalchemy import Connection

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.writer import driver_of
from aisle.types import Vectors

_CHUNK = 2_000
_LITTLE = np.dtype("<f4")
_GET = (
    "SELECT v.hash, v.data FROM encoders e JOIN vectors v ON v.encoder = e.encoder "
    "WHERE e.name = ? AND v.hash IN (SELECT value FROM json_each(?))"
)
_PUT = (
    "INSERT INTO vectors (encoder, hash, data) SELECT encoder, ?, ? FROM encoders WHERE name = ? "
    "ON CONFLICT (encoder, hash) DO UPDATE SET data = excluded.data"
)
_DROP = "DELETE FROM vectors WHERE vector IN (SELECT vector FROM vectors WHERE encoder = ? LIMIT ?)"


class SqliteVectorStore:
    """float32 vectors by content hash and model, exactly as they were put."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, hashes: Sequence[str], model: str) -> dict[str, Vectors]:
        """float32[dim] (read-only) for each hash that is known."""
        found: dict[str, Vectors] = {}
        for at in range(0, len(hashes), _CHUNK):
            ids = orjson.dumps(list(hashes[at : at + _CHUNK])).decode()
            for hash_, data in self._database.rows(_GET, (model, ids)):
                found[hash_] = np.frombuffer(data, _LITTLE)
        return found

    def put(self, hashes: Sequence[str], model: str, vectors: Vectors) -> None:
        """Keep float32[n, dim]; a hash that is known already is replaced."""
        if len(hashes) != len(vectors):
            raise ValueError(f"{len(hashes)} hashes for {len(vectors)} vectors")
        rows = np.ascontiguousarray(vectors, _LITTLE)
        for at in range(0, len(hashes), _CHUNK):
            chunk = [
                (h, v.tobytes(), model) for h, v in zip(hashes[at : at + _CHUNK], rows[at : at + _CHUNK], strict=True)
            ]

            def work(connection: Connection, chunk: list[tuple[str, bytes, str]] = chunk) -> None:
                driver = driver_of(connection)
                driver.execute("INSERT OR IGNORE INTO encoders (name) VALUES (?)", (model,))
                driver.executemany(_PUT, chunk)

            self._database.write(work, rows=len(chunk))

    def keep_only(self, prefix: str, models: set[str]) -> None:
        """Drop what models whose name begins with `prefix` made, but for those of `models`."""
        known = self._database.rows("SELECT encoder, name FROM encoders WHERE name >= ?", (prefix,))
        for encoder, name in known:
            if not name.startswith(prefix) or name in models:
                continue

            def work(connection: Connection, encoder: int = encoder) -> int:  # a bounded write: others wait for it
                return int(driver_of(connection).execute(_DROP, (encoder, _CHUNK)).rowcount)

            while self._database.write(work, rows=_CHUNK):
                pass
