"""The catalogue."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from threading import Lock
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection

from aisle.adapters.sqlite.codec import product, product_bytes
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.writer import driver_of
from aisle.ports import Changes
from aisle.types import Group, Product, now_ms

CHUNK_PRODUCTS = 2_000
"""The most products of one transaction: short enough for live events to slip in between."""

CACHED_PRODUCTS = 8_192
"""Products that stay decoded in memory for the request path."""

_Row: TypeAlias = tuple[str, str, bytes, bytes]
"""item_id, group key, content hash, data."""

_IDS = "(SELECT value FROM json_each(?))"
_KNOWN = f"SELECT item_id, ord, content_hash, deleted FROM products WHERE item_id IN {_IDS}"
_KNOWN_GROUPS = f"SELECT group_id, ord FROM groups WHERE group_id IN {_IDS}"
_PUT = (
    "INSERT INTO products (item_id, ord, deleted, first_seen_ms, content_hash, data) VALUES (?, ?, 0, ?, ?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET ord = excluded.ord, deleted = 0, "
    "content_hash = excluded.content_hash, data = excluded.data"
)
_BURY = "UPDATE products SET deleted = 1, content_hash = x'', data = x'' WHERE item_id = ?"
_SEQ = "SELECT value FROM counters WHERE name = 'catalog'"
_GROUPS = (
    "SELECT g.ord, g.group_id, g.seq, g.first_seen_ms, p.data FROM groups g "
    "LEFT JOIN products p ON p.ord = g.ord AND p.deleted = 0 WHERE g.ord IN {which} ORDER BY g.seq, g.ord, p.product"
)
_OF_ORDS = _GROUPS.format(which=_IDS)
_CHANGED = _GROUPS.format(which="(SELECT ord FROM groups WHERE seq > ? ORDER BY seq LIMIT ?)")


class SqliteCatalogStore:
    """Products in groups, with a change counter that the indexes follow."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: OrderedDict[int, Group] = OrderedDict()  # a plain dict finds its oldest slowly
        self._n_cached = 0
        self._cached_at = 0
        self._lock = Lock()

    # ---------------------------------------------------------------- writing

    def upsert(self, products: Iterable[Product]) -> Changes:
        """Store what is new or differs; unchanged products cost no write.

        Up to 2,000 products are stored all or none; more, in pieces of that
        size. Of two with one id the later wins. Raises InvalidProduct,
        StorageError.
        """
        total = Changes(seq=self.seq())
        stream = iter(products)
        while chunk := list(islice(stream, CHUNK_PRODUCTS)):
            total = _sum(total, self._upsert(chunk))
        return total

    def delete(self, item_ids: Sequence[str]) -> Changes:
        """Remove products; unknown ids are passed over. Their groups keep their ords."""
        total = Changes(seq=self.seq())
        for at in range(0, len(item_ids), CHUNK_PRODUCTS):
            chunk = list(dict.fromkeys(item_ids[at : at + CHUNK_PRODUCTS]))
            total = _sum(total, self._database.write(lambda c, ids=chunk: _bury(c, ids), rows=len(chunk)))  # type: ignore[misc]
        return total

    def retain(self, item_ids: set[str]) -> Changes:
        """Delete every product whose id is not among these (a full feed)."""
        stored = self._database.rows("SELECT item_id FROM products WHERE deleted = 0 ORDER BY product")
        return self.delete([item_id for (item_id,) in stored if item_id not in item_ids])

    def _upsert(self, products: list[Product]) -> Changes:
        rows: dict[str, _Row] = {}
        for one in products:
            data = product_bytes(one)
            rows[one.item_id] = (one.item_id, one.key, blake2b(data, digest_size=16).digest(), data)
        stored = {row[0]: row for row in self._database.rows(_KNOWN, (_json(list(rows)),))}
        differing = [row for row in rows.values() if not _is_same(stored.get(row[0]), row)]
        n_same = len(rows) - len(differing)
        if not differing:
            return Changes(n_unchanged=n_same, seq=self.seq())
        changes = self._database.write(lambda connection: _put(connection, differing), rows=len(differing))
        return _sum(Changes(n_unchanged=n_same), changes)

    # ---------------------------------------------------------------- reading

    def seq(self) -> int:
        """The newest change; 0 for an empty shop."""
        return int(self._database.value(_SEQ) or 0)

    def changed(self, after_seq: int, limit: int) -> list[Group]:
        """Up to `limit` groups changed after `after_seq`, oldest change first; one without products is gone."""
        return list(_read_groups(self._database.rows(_CHANGED, (after_seq, limit))))

    def groups(self, ords: Sequence[int]) -> list[Group | None]:
        """Groups in the order asked for; None for one that is gone."""
        wanted = [int(ord_) for ord_ in ords]
        self._forget_changed()
        cache = self._cache
        found = {ord_: group for ord_ in wanted if (group := cache.get(ord_)) is not None}
        if missing := [ord_ for ord_ in wanted if ord_ not in found]:
            read_at = self._cached_at
            read = list(_read_groups(self._database.rows(_OF_ORDS, (orjson.dumps(missing).decode(),))))
            found.update((group.ord, group) for group in read)
            self._remember(read, read_at)
        return [group if (group := found.get(ord_)) is not None and group.products else None for ord_ in wanted]

    def ords(self, item_ids: Sequence[str]) -> list[int]:
        """The ord of each item id or group id; -1 when never seen.

        A deleted product keeps its ord: events about it mean the same when the
        log is replayed.
        """
        ids = _json(list(item_ids))
        found: dict[str, int] = dict(self._database.rows(_KNOWN_GROUPS, (ids,)))
        found.update(self._database.rows(f"SELECT item_id, ord FROM products WHERE item_id IN {_IDS}", (ids,)))
        return [found.get(item_id, -1) for item_id in item_ids]

    def item_ords(self) -> Iterator[tuple[str, int]]:
        """Every group id, then every item id with its ord: where both exist, the item's is last."""
        yield from self._database.rows("SELECT group_id, ord FROM groups ORDER BY ord")
        yield from self._database.rows("SELECT item_id, ord FROM products ORDER BY product")

    def count(self) -> tuple[int, int]:
        """How many products and how many groups that have one."""
        counts = self._database.rows("SELECT count(*), count(DISTINCT ord) FROM products WHERE deleted = 0")
        return counts[0][0], counts[0][1]

    # ------------------------------------------------------------------ cache

    def _forget_changed(self) -> None:
        """Drop cached groups that changed, here or in another process, since the last look."""
        seq = self.seq()
        if seq == self._cached_at:
            return
        with self._lock:
            rows = self._database.rows("SELECT ord FROM groups WHERE seq > ? LIMIT ?", (self._cached_at, 10_000))
            if len(rows) == 10_000:
                self._cache.clear()
                self._n_cached = 0
            for (ord_,) in rows:
                if (group := self._cache.pop(ord_, None)) is not None:
                    self._n_cached -= len(group.products)
            self._cached_at = max(seq, self._cached_at)

    def _remember(self, groups: list[Group], read_at: int) -> None:
        """Cache groups, unless something changed after they were read."""
        with self._lock:
            if read_at != self._cached_at:
                return
            for group in groups:
                if group.products and group.ord not in self._cache:
                    self._cache[group.ord] = group
                    self._n_cached += len(group.products)
            while self._n_cached > CACHED_PRODUCTS:
                _, oldest = self._cache.popitem(last=False)
                self._n_cached -= len(oldest.products)


# ------------------------------------------------------- inside a transaction


def _put(connection: Connection, rows: list[_Row]) -> Changes:
    driver = driver_of(connection)
    stored = {row[0]: row for row in driver.execute(_KNOWN, (_json([row[0] for row in rows]),))}
    differing = [row for row in rows if not _is_same(stored.get(row[0]), row)]
    ords = dict(driver.execute(_KNOWN_GROUPS, (_json([row[1] for row in differing]),)))
    # A dict for its order: groups change in the order of the feed.
    touched: dict[int, None] = {}
    created: dict[int, str] = {}
    last_ord = driver.execute("SELECT seq FROM sqlite_sequence WHERE name = 'groups'").fetchone()
    next_ord = (last_ord[0] if last_ord else -1) + 1
    n_added = 0
    for item_id, key, _, _ in differing:
        old = stored.get(item_id)
        n_added += old is None or bool(old[3])
        if key not in ords:
            ords[key] = next_ord
            created[next_ord] = key
            next_ord += 1
        if old is not None and old[1] != ords[key]:
            touched[old[1]] = None
        touched[ords[key]] = None
    now = now_ms()
    seq = _touch(driver, touched, created, now)
    driver.executemany(_PUT, [(item_id, ords[key], now, digest, data) for item_id, key, digest, data in differing])
    return Changes(n_added, len(differing) - n_added, len(rows) - len(differing), 0, seq)


def _bury(connection: Connection, item_ids: list[str]) -> Changes:
    driver = driver_of(connection)
    stored = {row[0]: row for row in driver.execute(_KNOWN, (_json(item_ids),))}
    living = [item_id for item_id in item_ids if item_id in stored and not stored[item_id][3]]
    seq = _touch(driver, dict.fromkeys(stored[item_id][1] for item_id in living), {}, now_ms())
    driver.executemany(_BURY, [(item_id,) for item_id in living])
    return Changes(n_removed=len(living), seq=seq)


def _touch(driver: sqlite3.Connection, ords: Iterable[int], created: dict[int, str], now: int) -> int:
    """Give each group the next change number, making those that are new; returns the newest."""
    row = driver.execute(_SEQ).fetchone()
    seq: int = row[0] if row else 0
    numbered = [(seq + n, ord_) for n, ord_ in enumerate(ords, start=1)]
    driver.executemany(
        "INSERT INTO groups (ord, group_id, seq, first_seen_ms) VALUES (?, ?, ?, ?)",
        [(ord_, created[ord_], number, now) for number, ord_ in numbered if ord_ in created],
    )
    driver.executemany("UPDATE groups SET seq = ? WHERE ord = ?", [pair for pair in numbered if pair[1] not in created])
    seq += len(numbered)
    if numbered:
        driver.execute("INSERT OR REPLACE INTO counters (name, value) VALUES ('catalog', ?)", (seq,))
    return seq


def _is_same(stored: tuple[Any, ...] | None, row: _Row) -> bool:
    return stored is not None and stored[2] == row[2] and not stored[3]


def _read_groups(rows: list[tuple[Any, ...]]) -> Iterator[Group]:
    """Groups from rows of (ord, group_id, seq, first_seen_ms, data or None), a group's rows together."""
    at = 0
    while at < len(rows):
        ord_, group_id, seq, first_seen_ms, data = rows[at]
        end = at + 1
        while end < len(rows) and rows[end][0] == ord_:
            end += 1
        products = tuple([product(row[4]) for row in rows[at:end]]) if data is not None else ()
        yield Group(ord_, group_id, products, seq, first_seen_ms)
        at = end


def _sum(a: Changes, b: Changes) -> Changes:
    return Changes(
        a.n_added + b.n_added,
        a.n_changed + b.n_changed,
        a.n_unchanged + b.n_unchanged,
        a.n_removed + b.n_removed,
        max(a.seq, b.seq),
    )


def _json(values: list[str]) -> str:
    try:
        return orjson.dumps(values).decode()
    except TypeError:
        # An id with half a surrogate pair is in no catalogue.
        return orjson.dumps([value for value in values if _is_unicode(value)]).decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
