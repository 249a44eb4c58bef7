"""Brings a database to the schema of this version of aisle, by Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection


def migrate(connection: Connection) -> None:
    """Apply what is missing, inside the transaction that `connection` has open."""
    # Imported here: Alembic takes longer to import than an up-to-date shop to open.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
