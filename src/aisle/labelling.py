"""What people say the shop's own texts are, and which texts are worth their time.

For the task `intent` those are searches that several shoppers made and nobody
said anything of, the most frequent first; for `category` the titles of products
that have no category, those that sell now first. A search of one shopper alone
is never shown, nor kept with a label: it may say who they are.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from aisle.errors import InvalidRequest, NotFound, StorageError
from aisle.types import Label, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

INTENTS: Final = ("product", "navigation", "help", "order", "promotion")
"""What a search is read as without any label, and so the first names to choose from."""
MAX_TEXT: Final = 1_000
MAX_LABEL: Final = 100
MAX_LABELS_SHOWN: Final = 200
TASK: Final = r"[a-z][a-z0-9_-]{0,39}"


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: `asked` `value` times by several shoppers; `uncategorised`; `popular` now."""

    kind: Literal["asked", "uncategorised", "popular"]
    value: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A text worth a label, and why."""

    text: str
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class LabelDesk:
    """What labelling for a task needs: `names` with how often each was given, the most given first; what waits."""

    task: str
    n_labels: int
    names: tuple[tuple[str, int], ...]
    n_waiting: int
    queue: tuple[Waiting, ...]


def label_desk(parts: Parts, task: str, top_k: int) -> LabelDesk:
    """The labels given for a task, and the `top_k` texts most worth one. Raises InvalidRequest."""
    said = labels(parts, task)
    known = {one.text.casefold() for one in said}
    waiting = _waiting(parts, task, known)
    counts = Counter(one.label for one in said)
    names = [*counts.most_common(), *((name, 0) for name in _usual(parts, task) if name not in counts)]
    return LabelDesk(task, len(said), tuple(names[:MAX_LABELS_SHOWN]), len(waiting), tuple(waiting[:top_k]))


def labels(parts: Parts, task: str) -> list[Label]:
    """What was said of texts for a task, oldest first. Raises InvalidRequest for what is no task's name."""
    return parts.stores.labels.labels(_task(task))


def label(parts: Parts, task: str, text: str, name: str | None, by: str) -> None:
    """Say what a text is; None takes back what was said. Raises InvalidRequest, NotFound."""
    task, text = _task(task), _one_line(text, "text", MAX_TEXT)
    if name is None:
        if not parts.stores.labels.remove(task, text):
            raise NotFound(f"{text[:80]!r} has no label for {task}")
        return
    parts.stores.labels.put(Label(task, text, _one_line(name, "label", MAX_LABEL), by, now_ms()))


def write_labels(said: Sequence[Label], file: Path) -> None:
    """CSV with the columns text and label, which `read_labelled` reads; complete or not at all. Raises StorageError."""
    making = file.with_name(f"{file.name}.new")
    try:
        with making.open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out, lineterminator="\n")
            rows.writerow(("text", "label"))
            rows.writerows((one.text, one.label) for one in said)
        making.replace(file)
    except OSError as error:
        making.unlink(missing_ok=True)
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error


def _waiting(parts: Parts, task: str, known: set[str]) -> list[Waiting]:
    if task == "intent":
        asked = sorted(parts.queries.popular().items(), key=lambda one: (-one[1], one[0]))
        return [Waiting(text, (Why("asked", n),)) for text, n in asked if text.casefold() not in known]
    if task == "category":
        facts = parts.columns.facts
        ords, _ = parts.trending.now(now_ms())
        place = {ord_: number for number, ord_ in enumerate(ords.tolist())}
        last = len(place)
        titles = sorted(parts.suggestions.uncategorised(facts), key=lambda one: place.get(one[0], last))
        found: dict[str, Waiting] = {}
        for ord_, title in titles:
            if title.strip() and title.casefold() not in known and title.casefold() not in found:
                also = (Why("popular"),) if ord_ in place else ()
                found[title.casefold()] = Waiting(title, (Why("uncategorised"), *also))
        return list(found.values())
    return []


def _usual(parts: Parts, task: str) -> Sequence[str]:
    """Names to choose from before anybody gave one."""
    if task == "category":
        facts = parts.columns.facts
        used = facts.category[facts.alive & (facts.category >= 0)]
        counts = np.bincount(used, minlength=len(facts.categories))
        return [facts.categories[code] for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    return INTENTS if task == "intent" else ()


def _task(task: str) -> str:
    if not re.fullmatch(TASK, task):
        raise InvalidRequest(f"a task is named by a-z, 0-9, - and _, not {task[:40]!r}", field="task")
    return task


def _one_line(text: str, field: str, longest: int) -> str:
    """Without line ends and control characters; the words as they were typed."""
    line = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
    if not line:
        raise InvalidRequest(f"{field} is empty", field=field)
    if len(line) > longest:
        raise InvalidRequest(f"{field} has {len(line)} characters; {longest} are the most", field=field)
    return line
