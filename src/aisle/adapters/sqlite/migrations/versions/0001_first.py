"""The first schema: catalogue, events, slates, content, vectors, states, keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("revoked_ms", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_keys_sha256")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "encoders",
        sa.Column("encoder", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("encoder"),
        sa.UniqueConstraint("name", name=op.f("uq_encoders_name")),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_time_ms"), "events", ["time_ms"], unique=False)
    op.create_index(op.f("ix_events_visitor_id"), "events", ["visitor_id"], unique=False)
    op.create_table(
        "groups",
        sa.Column("ord", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("first_seen_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("ord"),
        sa.UniqueConstraint("group_id", name=op.f("uq_groups_group_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_groups_seq"), "groups", ["seq"], unique=False)
    op.create_table(
        "pages",
        sa.Column("page_id", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("page_id"),
    )
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Text(), nullable=False),
        sa.Column("starts_ms", sa.Integer(), nullable=False),
        sa.Column("ends_ms", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id"),
    )
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("rating", sa.Float(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index(op.f("ix_reviews_item_id"), "reviews", ["item_id"], unique=False)
    op.create_table(
        "slates",
        sa.Column("slate", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("n_hits", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("slate"),
        sa.UniqueConstraint("list_id", name=op.f("uq_slates_list_id")),
    )
    op.create_index(op.f("ix_slates_time_ms"), "slates", ["time_ms"], unique=False)
    op.create_index(op.f("ix_slates_visitor_id"), "slates", ["visitor_id"], unique=False)
    op.create_index("ix_slates_zero", "slates", ["time_ms", "query"], unique=False, sqlite_where=sa.text("n_hits = 0"))
    op.create_table(
        "states",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "products",
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("ord", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_seen_ms", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["ord"], ["groups.ord"], name=op.f("fk_products_ord")),
        sa.PrimaryKeyConstraint("product"),
        sa.UniqueConstraint("item_id", name=op.f("uq_products_item_id")),
    )
    op.create_index(op.f("ix_products_ord"), "products", ["ord", "deleted"], unique=False)
    op.create_table(
        "vectors",
        sa.Column("vector", sa.Integer(), nullable=False),
        sa.Column("encoder", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["encoder"], ["encoders.encoder"], name=op.f("fk_vectors_encoder")),
        sa.PrimaryKeyConstraint("vector"),
        sa.UniqueConstraint("encoder", "hash", name=op.f("uq_vectors_encoder")),
    )
