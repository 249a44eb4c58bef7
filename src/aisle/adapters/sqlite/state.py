"""Snapshots of folds over the event log."""

from __future__ import annotations

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.sqlite import insert

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.schema import states


class SqliteStateStore:
    """Named snapshots, each with the `seq` it had reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, name: str) -> tuple[int, bytes] | None:
        """(seq, data) of the snapshot; None when there is none."""
        rows = self._database.rows("SELECT seq, data FROM states WHERE name = ?", (name,))
        return (rows[0][0], rows[0][1]) if rows else None

    def save(self, name: str, seq: int, data: bytes) -> None:
        """Replace the snapshot; durable on return."""

        def work(connection: Connection) -> None:
            statement = insert(states).values(name=name, seq=seq, data=data)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"seq": seq, "data": data})
            )

        self._database.write(work)

    def drop(self, name: str) -> None:
        """Remove the snapshot, if there is one."""
        self._database.write(lambda connection: connection.execute(delete(states).where(states.c.name == name)).close())
