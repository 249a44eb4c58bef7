"""What people say texts are."""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.sqlite import insert

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.schema import labels
from aisle.types import Label

_LABELS = "SELECT task, text, label, said_by, at_ms FROM labels WHERE task = ? ORDER BY at_ms, rowid"


class SqliteLabelStore:
    """One row a text and task."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, label: Label) -> None:
        """Durable on return; it takes the place of what was said before."""
        said = {"text": label.text, "label": label.label, "said_by": label.by, "at_ms": label.at_ms}

        def work(connection: Connection) -> None:
            statement = insert(labels).values(label_id=_label_id(label.task, label.text), task=label.task, **said)
            connection.execute(statement.on_conflict_do_update(index_elements=["label_id"], set_=said))

        self._database.write(work)

    def remove(self, task: str, text: str) -> bool:
        """Take a label back; False when there is none."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(labels).where(labels.c.label_id == _label_id(task, text))).rowcount > 0

        return self._database.write(work)

    def labels(self, task: str) -> list[Label]:
        """Oldest first."""
        return [Label(*row) for row in self._database.rows(_LABELS, (task,))]


def _label_id(task: str, text: str) -> str:
    return blake2b(f"{task}\x1f{text.casefold()}".encode(), digest_size=16).hexdigest()
