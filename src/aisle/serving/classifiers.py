"""The classifiers that the shop tuned, by their task."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from aisle.errors import NotFound
from aisle.ports import ModelStore, TextClassifier

TASK_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
OpenClassifier = Callable[[Path], TextClassifier]


class Classifiers:
    """The shop's classifiers by task, each opened when it is first asked, anew when another version serves."""

    def __init__(self, models: ModelStore, open_classifier: OpenClassifier) -> None:
        self._models, self._open = models, open_classifier
        self._opened: dict[str, tuple[str, TextClassifier]] = {}

    def of(self, task: str, *, taught: bool = False) -> TextClassifier:
        """Raises NotFound for a task that was never tuned for, or `taught` by no example, ModelDamaged."""
        active = self._models.active(task) if TASK_NAME.fullmatch(task) else None
        if active is None or active.params.get("task") != task or active.params.get("kind", "labels") != "labels":
            raise NotFound(f"nothing was tuned for {task[:40]!r}: aisle tune SHOP --task {task[:40]} --data FILE")
        if taught and not active.params.get("learned", 1):
            raise NotFound(f"{task} was taught by its labels' names alone")
        kept = self._opened.get(task)
        if kept is None or kept[0] != active.version:
            self._models.arrays(task, active.version)  # checks the files
            kept = active.version, self._open(self._models.folder(task, active.version))
            self._opened[task] = kept
        return kept[1]

    def classify(self, task: str, texts: Sequence[str]) -> list[dict[str, float]]:
        """How likely each label of the task is for each text; errors as `of`."""
        classifier = self.of(task)
        chances = classifier.classify(texts)
        return [dict(zip(classifier.names, row, strict=True)) for row in chances.tolist()]
