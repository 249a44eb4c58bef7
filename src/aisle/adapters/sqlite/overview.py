"""What happened in the shop, counted by SQL for the shopkeeper's page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aisle.adapters.sqlite.database import Database

DAY_MS = 86_400_000

# One pass over the range; counting distinct shoppers of a day needs a sort of
# its own, and is cheaper over one row a session than over one an event.
_DAILY = """
WITH folded AS (
    SELECT time_ms / 86400000 AS day, visitor_id, session_id,
        sum(name = 'view_item') AS views,
        sum(name = 'select_item') AS clicks,
        sum(CASE name WHEN 'view_item_list' THEN json_array_length(CAST(data AS TEXT), '$[3]') ELSE 0 END)
            AS impressions,
        sum(name = 'add_to_cart') AS carts,
        sum(name = 'purchase') AS purchases,
        sum(name = 'search') AS searches,
        sum(CASE name WHEN 'purchase' THEN value WHEN 'refund' THEN -value END) AS revenue
    FROM events WHERE time_ms >= ? AND time_ms < ?
    GROUP BY day, visitor_id, session_id
)
SELECT day, count(*), count(DISTINCT visitor_id), sum(views), sum(clicks), sum(impressions), sum(carts),
    sum(purchases), coalesce(sum(revenue), 0.0), sum(searches)
FROM folded GROUP BY day ORDER BY day
"""

_TOP_QUERIES = """
SELECT lower(trim(query)) AS words, count(*) AS n FROM events
WHERE name = 'search' AND query != '' AND time_ms >= ?
GROUP BY words ORDER BY n DESC, words LIMIT ?
"""

# A click names its query itself, or the answer it came from.
_QUERY_CLICKS = """
SELECT lower(trim(coalesce(nullif(e.query, ''), s.query))) AS words, count(*)
FROM events e LEFT JOIN slates s ON e.list_id != '' AND s.list_id = e.list_id
WHERE e.name = 'select_item' AND e.time_ms >= ? GROUP BY words
"""

_ZERO_RESULTS = """
SELECT lower(trim(query)) AS words, count(*) AS n FROM slates
WHERE n_hits = 0 AND query != '' AND surface = 'search' AND time_ms >= ?
GROUP BY words ORDER BY n DESC, words LIMIT ?
"""

_TOP_ITEMS = """
SELECT item_id, sum(name = 'view_item') AS views, sum(name = 'add_to_cart') AS carts
FROM events WHERE name IN ('view_item', 'add_to_cart') AND item_id != '' AND time_ms >= ? GROUP BY item_id
"""

_PURCHASED = """
SELECT CASE i.type WHEN 'text' THEN i.value ELSE json_extract(i.value, '$[0]') END AS bought,
    count(*), coalesce(sum(CASE i.type WHEN 'array' THEN
        CAST(json_extract(i.value, '$[1]') AS REAL) * json_extract(i.value, '$[2]') END), 0.0)
FROM events e, json_each(CAST(e.data AS TEXT), '$[3]') i
WHERE e.name = 'purchase' AND e.time_ms >= ? GROUP BY bought
"""


class SqliteOverview:
    """Aggregates of events and slates. Days are UTC; amounts are in the events' own currency."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def daily(self, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
        """One row a day that saw events, oldest first: sessions, visitors, events by kind, revenue."""
        names = ["sessions", "visitors", "views", "clicks", "impressions", "carts", "purchases", "revenue", "searches"]
        rows = self._database.rows(_DAILY, (since_ms, until_ms))
        return [
            {"date": _date(row[0]), **dict(zip(names, row[1:], strict=True)), "revenue": round(row[8], 2)}
            for row in rows
        ]

    def top_queries(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """The most frequent search events' queries, with the clicks on their answers."""
        clicks = dict(self._database.rows(_QUERY_CLICKS, (since_ms,)))
        rows = self._database.rows(_TOP_QUERIES, (since_ms, limit))
        return [{"query": words, "count": n, "clicks": clicks.get(words, 0)} for words, n in rows]

    def zero_result_queries(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """What shoppers sought and the shop did not have, most frequent first."""
        rows = self._database.rows(_ZERO_RESULTS, (since_ms, limit))
        return [{"query": words, "count": n} for words, n in rows]

    def top_items(self, since_ms: int, limit: int) -> list[dict[str, Any]]:
        """Items by purchases, then carts, then views; `revenue` from the prices of purchased items."""
        found = {
            item_id: {"item_id": item_id, "views": views, "carts": carts, "purchases": 0, "revenue": 0.0}
            for item_id, views, carts in self._database.rows(_TOP_ITEMS, (since_ms,))
        }
        for item_id, n, revenue in self._database.rows(_PURCHASED, (since_ms,)):
            empty = {"item_id": item_id, "views": 0, "carts": 0}
            found[item_id] = {**found.get(item_id, empty), "purchases": n, "revenue": round(revenue, 2)}
        ranked = sorted(found.values(), key=lambda i: (-i["purchases"], -i["carts"], -i["views"], i["item_id"]))
        return ranked[:limit]

    def overview(self, days: int, now_ms: int, *, limit: int = 20) -> dict[str, Any]:
        """The last `days` days to the end of today (UTC), every day listed, ready for JSON."""
        today = now_ms // DAY_MS
        since_ms = (today - days + 1) * DAY_MS
        by_date = {row["date"]: row for row in self.daily(since_ms, (today + 1) * DAY_MS)}
        return {
            "days": [by_date.get(date) or _quiet_day(date) for date in map(_date, range(today - days + 1, today + 1))],
            "top_queries": self.top_queries(since_ms, limit),
            "zero_result_queries": self.zero_result_queries(since_ms, limit),
            "top_items": self.top_items(since_ms, limit),
        }


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()


def _quiet_day(date: str) -> dict[str, Any]:
    counts = dict.fromkeys(["sessions", "visitors", "views", "clicks", "impressions", "carts", "purchases"], 0)
    return {"date": date, **counts, "revenue": 0.0, "searches": 0}
