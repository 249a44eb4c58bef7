"""The shop's words, kept at the newest change: what queries are read with, and what may be suggested."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander

if TYPE_CHECKING:
    from aisle.parts import Parts

PATIENCE_S: Final = 5.0
"""Seconds that the reading of the catalogue's words waits for an import to end."""


class Vocabulary:
    """One thread follows, any number read `understander`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changed = threading.Event()
        self._due = -PATIENCE_S
        self.understander = Understander(Lexicon.empty(), max_chars=parts.settings.server.max_query_chars)

    def changed(self) -> None:
        """Products changed: look at the next opportunity."""
        self._changed.set()

    def follow(self) -> bool:
        """Read the catalogue's words anew, and gather what may be suggested, where that is due."""
        parts = self._parts
        busy = parts.importing_words
        if busy and time.monotonic() < self._due + PATIENCE_S:
            return False
        changed = self._changed.is_set() and time.monotonic() >= self._due
        if changed:
            self._read()
        if parts.suggestions.is_due(parts.replay.seq, words_changed=changed, busy=busy):
            self.gather_suggestions()
        return False

    def gather_suggestions(self) -> None:
        """Everything that may be suggested, anew."""
        parts = self._parts
        parts.suggestions.gather(parts.indexes.lexical, parts.queries.popular(), parts.replay.seq)

    def _read(self) -> None:
        parts, started = self._parts, time.monotonic()
        self._changed.clear()
        titles = parts.suggestions.titles(parts.columns.facts)
        lexicon = Lexicon.of(parts.indexes.lexical, titles, parts.queries.popular(), parts.indexes.encoder)
        self.understander = Understander(lexicon, max_chars=parts.settings.server.max_query_chars)
        # A twentieth of one core at most, however often products change.
        self._due = time.monotonic() + max(1.0, 20 * (time.monotonic() - started))
