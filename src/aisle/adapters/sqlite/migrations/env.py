"""Alembic's entry: runs on the connection and in the transaction that `migrate` was given."""

from __future__ import annotations

from alembic import context

from aisle.adapters.sqlite.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
