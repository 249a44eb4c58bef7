"""What a search is after, by the classifier that the shop tuned for its own searches."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Final, cast, get_args

from aisle.errors import AisleError, NotFound
from aisle.ports import TextClassifier
from aisle.serving.classifiers import Classifiers
from aisle.types import Query
from aisle.types.query import Intent

log = logging.getLogger("aisle")

TASK: Final = "intent"
SURE: Final = 0.8
"""Least probability with which the classifier is believed against the words."""

_LOOK_EVERY_S: Final = 2.0
_AFTER_DAMAGE_S: Final = 60.0
_REMEMBERED: Final = 5000


class Intents:
    """Asks the classifier tuned for the task `intent` about searches that the words take for a product's.

    Labels that are no intents of a search say nothing; without a classifier
    that learned from examples the words' reading stays: how sure one is that
    knows names alone means little. May be asked by several threads.
    """

    def __init__(self, classifiers: Classifiers) -> None:
        self._classifiers = classifiers
        self._classifier: TextClassifier | None = None
        self._look_at = 0.0
        self._known: dict[str, tuple[Intent, float]] = {}

    def read(self, query: Query, ignore: Collection[str] = ()) -> Query:
        """The query with its tuned intent where that is sure; `ignore` takes intents back, as in `Shop.search`."""
        text = query.text.strip()
        conditions = any(understood.hard for understood in query.understood)  # who says them wants a product
        if query.intent != "product" or conditions or not text or "intent" in ignore:
            return query
        classifier = self._newest()
        if classifier is None:
            return query
        told = self._known.get(text)
        if told is None:
            if len(self._known) >= _REMEMBERED:
                self._known = {}
            told = self._known[text] = _said(classifier, text)
        intent, chance = told
        if intent == "product" or chance < SURE or f"intent:{intent}" in ignore:
            return query
        return replace(query, intent=intent, intent_confidence=round(chance, 3))

    def _newest(self) -> TextClassifier | None:
        now = time.monotonic()
        if now >= self._look_at:
            found, self._look_at = None, now + _LOOK_EVERY_S
            try:
                found = self._classifiers.of(TASK, taught=True)
            except NotFound:
                pass
            except AisleError as error:
                self._look_at = now + _AFTER_DAMAGE_S
                log.warning("intents are read from the words alone: %s", error)
            if found is not self._classifier:
                self._classifier, self._known = found, {}
        return self._classifier


def _said(classifier: TextClassifier, text: str) -> tuple[Intent, float]:
    chances = classifier.classify([text])[0]
    best = int(chances.argmax())
    named = classifier.names[best]
    return cast(Intent, named) if named in get_args(Intent) else "product", float(chances[best])
