"""What a search is after, by the classifier that the shop tuned for its own searches."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, cast, get_args

from aisle.errors import ModelError, NotFound
from aisle.ports import ModelStore, TextClassifier
from aisle.serving.classifiers import Classifiers
from aisle.types import Query
from aisle.types.query import Intent

log = logging.getLogger("aisle")

TASK: Final = "intent"
SURE: Final = 0.8
"""Least probability with which the classifier is believed against the words."""

_TOLD: Final = frozenset(get_args(Intent)) - {"product"}
"""Labels that change how a search is answered."""
_REMEMBERED: Final = 5000


@dataclass(frozen=True, slots=True)
class _Serving:
    """A version in memory, and what it said of searches."""

    version: str
    classifier: TextClassifier
    known: dict[str, tuple[Intent, float]] = field(default_factory=dict)


class Intents:
    """Asks the classifier tuned for the task `intent` about searches that the words take for a product's.

    Labels that are no intents of a search say nothing; without a classifier
    that learned from examples the words' reading stays: how sure one is that
    knows names alone means little. One thread follows, any number read.
    """

    def __init__(self, models: ModelStore, classifiers: Classifiers) -> None:
        self._models, self._classifiers = models, classifiers
        self._looked_at = ""
        self._serving: _Serving | None = None
        self._failing = False

    def follow(self) -> bool:
        """Take up the version that serves, so that no search waits for it; a damaged one leaves what is in memory.

        Raises ModelDamaged, and ModelError for one that cannot be run.
        """
        version = next(iter(self._models.promoted(TASK)), "")
        if version == self._looked_at:
            return False
        try:
            classifier = self._classifiers.of(TASK, taught=True)
        except NotFound:
            self._serving = None
        else:
            classifier.classify(["tried once"])  # the first run is the slowest
            self._serving = _Serving(version, classifier) if _TOLD.intersection(classifier.names) else None
        self._looked_at = version
        return False

    def read(self, query: Query, ignore: Collection[str] = ()) -> tuple[Query, str]:
        """The query with its tuned intent where that is sure, and the version that was; `ignore` takes intents back.

        `ignore` is that of `Shop.search`. The version is empty where the words' reading stays.
        """
        text, serving = query.text.strip(), self._serving
        conditions = any(understood.hard for understood in query.understood)  # who says them wants a product
        if serving is None or query.intent != "product" or conditions or not text or "intent" in ignore:
            return query, ""
        told = serving.known.get(text)
        if told is None:
            try:
                told = _said(serving.classifier, text)
            except ModelError as error:
                if not self._failing:
                    log.warning("intents are read from the words alone: %s", error)
                self._failing = True
                return query, ""
            self._failing = False
            if len(serving.known) >= _REMEMBERED:
                serving.known.clear()
            serving.known[text] = told
        intent, chance = told
        if intent == "product" or chance < SURE or f"intent:{intent}" in ignore:
            return query, ""
        return replace(query, intent=intent, intent_confidence=round(chance, 3)), serving.version


def _said(classifier: TextClassifier, text: str) -> tuple[Intent, float]:
    chances = classifier.classify([text])[0]
    best = int(chances.argmax())
    named = classifier.names[best]
    return cast(Intent, named) if named in _TOLD else "product", float(chances[best])
