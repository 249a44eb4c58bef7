"""Reviews, promotions and pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from aisle.adapters.sqlite import codec, schema
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.writer import driver_of
from aisle.errors import InvalidRequest
from aisle.types import Judgement, Page, Promotion, Review

_CHUNK = 2_000
_VERSION = "SELECT value FROM counters WHERE name = 'content'"
_REVIEWS = (
    "SELECT review_id, item_id, rating, time_ms, data FROM reviews "
    "WHERE item_id IN (SELECT value FROM json_each(?)) ORDER BY time_ms DESC, review_id LIMIT ?"
)
_RATINGS = "SELECT item_id, avg(rating), count(*) FROM reviews GROUP BY item_id"
_PROMOTIONS = (
    "SELECT promotion_id, starts_ms, ends_ms, data FROM promotions "
    "WHERE starts_ms <= ?1 AND (ends_ms = 0 OR ends_ms > ?1) ORDER BY starts_ms, promotion_id"
)
_JUDGEMENTS = "SELECT query, item_id, grade FROM judgements ORDER BY query, item_id"

Counts = tuple[int, int, int]


class SqliteContentStore:
    """What a shop publishes beside its catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ratings: tuple[int, dict[str, tuple[float, int]]] = (-1, {})

    def upsert_reviews(self, reviews: Iterable[Review]) -> Counts:
        """Store by `review_id`; returns (added, changed, unchanged)."""
        return self._upsert(
            schema.reviews,
            (
                {
                    "review_id": r.review_id,
                    "item_id": r.item_id,
                    "rating": float(r.rating),
                    "time_ms": r.time_ms,
                    "data": _encoded(codec.review_bytes, r),
                }
                for r in reviews
            ),
        )

    def upsert_promotions(self, promotions: Iterable[Promotion]) -> Counts:
        """Store by `promotion_id`; returns (added, changed, unchanged)."""
        return self._upsert(
            schema.promotions,
            (
                {
                    "promotion_id": p.promotion_id,
                    "starts_ms": p.starts_ms,
                    "ends_ms": p.ends_ms,
                    "data": _encoded(codec.promotion_bytes, p),
                }
                for p in promotions
            ),
        )

    def upsert_pages(self, pages: Iterable[Page]) -> Counts:
        """Store by `page_id`; returns (added, changed, unchanged)."""
        return self._upsert(
            schema.pages, ({"page_id": p.page_id, "data": _encoded(codec.page_bytes, p)} for p in pages)
        )

    def upsert_judgements(self, judgements: Iterable[Judgement]) -> Counts:
        """Store by query and item; returns (added, changed, unchanged)."""
        return self._upsert(
            schema.judgements,
            (
                {
                    "judgement_id": _encoded(_judgement_id, j),
                    "query": j.query,
                    "item_id": j.item_id,
                    "grade": float(j.grade),
                }
                for j in judgements
            ),
        )

    def judgements(self) -> list[Judgement]:
        """Every one, by query and item."""
        return [Judgement(*row) for row in self._database.rows(_JUDGEMENTS)]

    def reviews(self, item_ids: Sequence[str], limit: int) -> list[Review]:
        """Reviews of any of the items, newest first."""
        ids = orjson.dumps(list(item_ids)).decode()
        return [codec.review(*row) for row in self._database.rows(_REVIEWS, (ids, limit))]

    def version(self) -> int:
        """Grows with every change, whichever process made it."""
        return int(self._database.value(_VERSION) or 0)

    def ratings(self) -> dict[str, tuple[float, int]]:
        """Mean rating and number of reviews by item id; read again only after a change. Not to be altered."""
        version = self.version()
        known_at, ratings = self._ratings
        if known_at != version:
            ratings = {item_id: (mean, n) for item_id, mean, n in self._database.rows(_RATINGS)}
            self._ratings = (version, ratings)
        return ratings

    def promotions(self, at_ms: int) -> list[Promotion]:
        """The offers that hold at that moment."""
        return [codec.promotion(*row) for row in self._database.rows(_PROMOTIONS, (at_ms,))]

    def pages(self) -> list[Page]:
        """Every page, by id."""
        return [codec.page(*row) for row in self._database.rows("SELECT page_id, data FROM pages ORDER BY page_id")]

    def _upsert(self, table: Table, rows: Iterable[dict[str, Any]]) -> Counts:
        total = (0, 0, 0)
        stream = iter(rows)
        while chunk := list(islice(stream, _CHUNK)):
            part = self._database.write(lambda c, rows=chunk: _put(c, table, rows), rows=len(chunk))  # type: ignore[misc]
            total = (total[0] + part[0], total[1] + part[1], total[2] + part[2])
        return total


def _put(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> Counts:
    """Upsert what differs; of two rows with one key the later wins."""
    key = next(iter(table.primary_key.columns))
    columns = [column for column in table.columns if column is not key]
    latest = {row[key.name]: row for row in rows}
    stored: dict[Any, tuple[Any, ...]] = {}
    ids = list(latest)
    for at in range(0, len(ids), 500):
        found = connection.execute(select(key, *columns).where(key.in_(ids[at : at + 500])))
        stored.update((row[0], tuple(row[1:])) for row in found)
    differing = [row for row in latest.values() if stored.get(row[key.name]) != tuple(row[c.name] for c in columns)]
    if differing:
        statement = insert(table).values({c.name: bindparam(c.name) for c in table.columns})
        changes = {c.name: statement.excluded[c.name] for c in columns}
        connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=changes), differing)
        driver_of(connection).execute(
            "INSERT INTO counters (name, value) VALUES ('content', 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1"
        )
    n_changed = sum(row[key.name] in stored for row in differing)
    return len(differing) - n_changed, n_changed, len(latest) - len(differing)


def _judgement_id(judgement: Judgement) -> str:
    named = f"{judgement.query}\x1f{judgement.item_id}"
    return blake2b(named.encode(), digest_size=16).hexdigest()


def _encoded(encode: Any, value: Any) -> Any:
    try:
        return encode(value)
    except (TypeError, UnicodeEncodeError) as error:
        raise InvalidRequest(f"{type(value).__name__.lower()} cannot be stored: {error}") from error
