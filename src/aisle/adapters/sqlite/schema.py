"""The tables of `aisle.db`.

What is filtered, joined or aggregated has a column of its own; the rest of a
value is JSON in `data` (`codec.py`). The migrations build exactly these tables;
a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

VERSION = "0003"
"""The newest migration. Raise it with every file added to `migrations/versions`."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

# One row a counter: `catalog` numbers the changes of the catalogue, `content`
# those of reviews, promotions and pages, `erasures` those of the log's past. Raised inside the write transaction.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)

# `ord` is never reused (AUTOINCREMENT): a row outlives its products as a tombstone.
groups = Table(
    "groups",
    metadata,
    Column("ord", Integer, primary_key=True, autoincrement=True),
    Column("group_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("first_seen_ms", Integer, nullable=False),
    UniqueConstraint("group_id"),
    Index(None, "seq"),
    sqlite_autoincrement=True,
)

# A deleted product keeps its row without data, so that events about it still
# find its ord when the log is replayed.
products = Table(
    "products",
    metadata,
    Column("product", Integer, primary_key=True),
    Column("item_id", Text, nullable=False),
    Column("ord", Integer, ForeignKey("groups.ord"), nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),
    Column("first_seen_ms", Integer, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("item_id"),
    Index(None, "ord", "deleted"),
)

# `item_id` is the first item's, `value` the amount alone: for aggregates.
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False),
    Column("time_ms", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("visitor_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("list_id", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("value", Float),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "visitor_id"),
    Index(None, "time_ms"),
    sqlite_autoincrement=True,
)

slates = Table(
    "slates",
    metadata,
    Column("slate", Integer, primary_key=True),
    Column("list_id", Text, nullable=False),
    Column("time_ms", Integer, nullable=False),
    Column("surface", Text, nullable=False),
    Column("visitor_id", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("n_hits", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("list_id"),
    Index(None, "time_ms"),
    Index(None, "visitor_id"),
)

# Few slates are empty, and the shopkeeper asks for just those.
Index("ix_slates_zero", slates.c.time_ms, slates.c.query, sqlite_where=slates.c.n_hits == 0)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", Text, primary_key=True),
    Column("item_id", Text, nullable=False),
    Column("rating", Float, nullable=False),
    Column("time_ms", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index(None, "item_id"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("promotion_id", Text, primary_key=True),
    Column("starts_ms", Integer, nullable=False),
    Column("ends_ms", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

pages = Table(
    "pages",
    metadata,
    Column("page_id", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

judgements = Table(
    "judgements",
    metadata,
    Column("judgement_id", Text, primary_key=True),
    Column("query", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("grade", Float, nullable=False),
)

# The key is the task and the text whatever its case, hashed; whose text it was is not kept.
labels = Table(
    "labels",
    metadata,
    Column("label_id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("said_by", Text, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Index(None, "task"),
)

encoders = Table(
    "encoders",
    metadata,
    Column("encoder", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    UniqueConstraint("name"),
)

# float32, little-endian, as the encoder gave it.
vectors = Table(
    "vectors",
    metadata,
    Column("vector", Integer, primary_key=True),
    Column("encoder", Integer, ForeignKey("encoders.encoder"), nullable=False),
    Column("hash", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("encoder", "hash"),
)

states = Table(
    "states",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_ms", Integer, nullable=False),
    Column("revoked_ms", Integer, nullable=False, server_default="0"),
    UniqueConstraint("sha256"),
)
