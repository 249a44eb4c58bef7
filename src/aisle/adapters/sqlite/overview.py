"""What happened in the shop, counted by SQL for the shopkeeper's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import ERASURES

DAY_MS = 86_400_000

_FIGURES = ("sessions", "visitors", "views", "clicks", "impressions", "carts", "purchases", "revenue", "searches")

_DAILY = """
SELECT count(DISTINCT visitor_id || char(31) || session_id), count(DISTINCT visitor_id),
    coalesce(sum(name = 'view_item'), 0), coalesce(sum(name = 'select_item'), 0),
    coalesce(sum(CASE name WHEN 'view_item_list' THEN json_array_length(CAST(data AS TEXT), '$[3]') END), 0),
    coalesce(sum(name = 'add_to_cart'), 0), coalesce(sum(name = 'purchase'), 0),
    coalesce(sum(CASE name WHEN 'purchase' THEN value WHEN 'refund' THEN -value END), 0.0),
    coalesce(sum(name = 'search'), 0)
FROM events WHERE time_ms >= ? AND time_ms < ?
"""

# A click names its query itself, or the answer it came from.
_QUERIES = """
SELECT lower(trim(coalesce(nullif(e.query, ''), s.query, ''))) AS words,
    sum(e.name = 'search'), sum(e.name = 'select_item')
FROM events e LEFT JOIN slates s ON e.query = '' AND e.list_id != '' AND s.list_id = e.list_id
WHERE e.name IN ('search', 'select_item') AND e.time_ms >= ? AND e.time_ms < ?
GROUP BY words HAVING words != ''
"""

_ITEMS = """
SELECT item_id, sum(name = 'view_item'), sum(name = 'add_to_cart'), 0, 0.0 FROM events
WHERE name IN ('view_item', 'add_to_cart') AND item_id != '' AND time_ms >= ? AND time_ms < ? GROUP BY item_id
"""

_PURCHASED = """
SELECT CASE i.type WHEN 'text' THEN i.value ELSE json_extract(i.value, '$[0]') END AS bought, 0, 0,
    count(*), coalesce(sum(CASE i.type WHEN 'array' THEN
        CAST(json_extract(i.value, '$[1]') AS REAL) * json_extract(i.value, '$[2]') END), 0.0)
FROM events e, json_each(CAST(e.data AS TEXT), '$[3]') i
WHERE e.name = 'purchase' AND e.time_ms >= ? AND e.time_ms < ? GROUP BY bought
"""

_ZERO_RESULTS = """
SELECT lower(trim(query)) AS words, count(*) AS n FROM slates
WHERE n_hits = 0 AND query != '' AND surface = 'search' AND time_ms >= ? AND time_ms < ?
GROUP BY words ORDER BY n DESC, words LIMIT ?
"""


@dataclass(slots=True)
class _Day:
    """What one day's events add up to."""

    figures: dict[str, Any]
    queries: Counter[str] = field(default_factory=Counter)
    clicks: Counter[str] = field(default_factory=Counter)
    items: list[tuple[str, int, int, int, float]] = field(default_factory=list)
    """(item_id, views, carts, purchases, revenue); an item may come twice."""


class SqliteOverview:
    """Aggregates of events and slates. Days are UTC; amounts are in the events' own currency.

    A day's sums are kept until an event of that day arrives or a shopper is
    erased, so that a page which asks every few seconds reads today alone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._days: dict[int, _Day] = {}
        self._seen = (-1, -1)

    def daily(self, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
        """One row a day from that of `since_ms` to before that of `until_ms`, oldest first; quiet days too."""
        return [dict(day.figures) for day in self._range(since_ms, until_ms)]

    def top_queries(self, since_ms: int, until_ms: int, limit: int) -> list[dict[str, Any]]:
        """The most frequent search events' queries, with the clicks on their answers."""
        queries: Counter[str] = Counter()
        clicks: Counter[str] = Counter()
        for day in self._range(since_ms, until_ms):
            queries.update(day.queries)
            clicks.update(day.clicks)
        ranked = sorted(queries.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
        return [{"query": words, "count": n, "clicks": clicks[words]} for words, n in ranked]

    def zero_result_queries(self, since_ms: int, until_ms: int, limit: int) -> list[dict[str, Any]]:
        """What shoppers sought and the shop did not have, most frequent first."""
        rows = self._database.rows(_ZERO_RESULTS, (since_ms, until_ms, limit))
        return [{"query": words, "count": n} for words, n in rows]

    def top_items(self, since_ms: int, until_ms: int, limit: int) -> list[dict[str, Any]]:
        """Items by purchases, then carts, then views; `revenue` from the prices of purchased items."""
        sums: dict[str, list[Any]] = {}
        for day in self._range(since_ms, until_ms):
            for item_id, views, carts, purchases, revenue in day.items:
                known = sums.get(item_id)
                if known is None:
                    sums[item_id] = [views, carts, purchases, revenue]
                else:
                    known[0] += views
                    known[1] += carts
                    known[2] += purchases
                    known[3] += revenue
        ranked = sorted(sums.items(), key=lambda pair: (-pair[1][2], -pair[1][1], -pair[1][0], pair[0]))[:limit]
        return [
            {"item_id": item_id, "views": views, "carts": carts, "purchases": purchases, "revenue": round(revenue, 2)}
            for item_id, (views, carts, purchases, revenue) in ranked
        ]

    def overview(self, days: int, now_ms: int, *, limit: int = 20) -> dict[str, Any]:
        """The last `days` days to the end of today (UTC), ready for JSON."""
        until_ms = (now_ms // DAY_MS + 1) * DAY_MS
        since_ms = until_ms - days * DAY_MS
        return {
            "days": self.daily(since_ms, until_ms),
            "top_queries": self.top_queries(since_ms, until_ms, limit),
            "zero_result_queries": self.zero_result_queries(since_ms, until_ms, limit),
            "top_items": self.top_items(since_ms, until_ms, limit),
        }

    def _range(self, since_ms: int, until_ms: int) -> list[_Day]:
        with self._lock:
            self._forget_changed()
            days = []
            for number in range(since_ms // DAY_MS, -(-until_ms // DAY_MS)):
                if number not in self._days:
                    self._days[number] = self._read_day(number)
                days.append(self._days[number])
            return days

    def _forget_changed(self) -> None:
        """Drop the days that new events fell into; all of them after an erasure."""
        last_seq, erasures = (int(self._database.value(sql) or 0) for sql in (_LAST_SEQ, ERASURES))
        seen_seq, seen_erasures = self._seen
        if erasures != seen_erasures:
            self._days.clear()
        elif last_seq != seen_seq and self._days:
            for (number,) in self._database.rows(_TOUCHED, (seen_seq,)):
                self._days.pop(number, None)
        self._seen = (last_seq, erasures)

    def _read_day(self, number: int) -> _Day:
        bounds = (number * DAY_MS, (number + 1) * DAY_MS)
        (figures,) = self._database.rows(_DAILY, bounds)
        date = datetime.fromtimestamp(bounds[0] / 1000, UTC).date().isoformat()
        day = _Day({"date": date, **dict(zip(_FIGURES, figures, strict=True))})
        day.figures["revenue"] = round(day.figures["revenue"], 2)
        if figures[1]:
            queries: Iterable[tuple[Any, ...]] = self._database.rows(_QUERIES, bounds)
            for words, n_searches, n_clicks in queries:
                if n_searches:
                    day.queries[words] = n_searches
                if n_clicks:
                    day.clicks[words] = n_clicks
            day.items = [*self._database.rows(_ITEMS, bounds), *self._database.rows(_PURCHASED, bounds)]
        return day


_LAST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_TOUCHED = "SELECT DISTINCT time_ms / 86400000 FROM events WHERE seq > ?"
