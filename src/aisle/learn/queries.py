"""Which searches shoppers make, and how many different shoppers make them.

A query is suggested to others only when several shoppers typed it, so the fold
counts shoppers: it keeps the few smallest hashes of visitor ids (a bottom-k
sketch, Cohen and Kaplan 2007), which any order of events leaves the same.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import Any, Final

import orjson

from aisle.types import Event

KEPT_HASHES: Final = 4
MAX_CHARS: Final = 80
FORMAT: Final = 1


class QueryCounts:
    """Searches by normalised text. One thread folds, any number read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._shoppers: dict[str, tuple[int, ...]] = {}
        self._seq = 0

    @property
    def seq(self) -> int:
        """The newest event folded in."""
        return self._seq

    def fold(self, seq: int, event: Event) -> None:
        """Count a search. Longer texts than a query ever is are not counted."""
        with self._lock:
            self._seq = max(self._seq, seq)
            if event.name != "search" or not event.visitor_id:
                return
            text = " ".join(event.query.lower().split())
            if not text or len(text) > MAX_CHARS:
                return
            self._counts[text] = self._counts.get(text, 0) + 1
            known = self._shoppers.get(text, ())
            visitor = _hash(event.visitor_id)
            if visitor not in known:
                self._shoppers[text] = tuple(sorted((*known, visitor))[:KEPT_HASHES])

    def popular(self, min_shoppers: int = 2) -> dict[str, int]:
        """Queries that at least so many (at most 4) shoppers made, with how often they were made."""
        with self._lock:
            return {text: self._counts[text] for text, hashes in self._shoppers.items() if len(hashes) >= min_shoppers}

    def dump(self) -> bytes:
        """The state as bytes: equal for equal states, however they came about."""
        with self._lock:
            rows = [(text, self._counts[text], self._shoppers[text]) for text in sorted(self._counts)]
            return orjson.dumps({"format": FORMAT, "seq": self._seq, "queries": rows})

    def load(self, data: bytes) -> None:
        """Take the state from `dump`. Raises ValueError when it cannot be used: replay the log then."""
        try:
            body: dict[str, Any] = orjson.loads(data)
            if body["format"] != FORMAT:
                raise ValueError("it was written under another format")
            counts = {text: int(count) for text, count, _ in body["queries"]}
            shoppers = {text: tuple(hashes) for text, _, hashes in body["queries"]}
            seq = int(body["seq"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the snapshot of queries cannot be read: {error}; replay the log") from None
        with self._lock:
            self._counts, self._shoppers, self._seq = counts, shoppers, seq


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest(), "little")
