"""What people say the shop's own texts are, and which texts are worth their time.

For the task `intent` those are searches that several shoppers made and nobody
said anything of, the most frequent first; for `category` the titles of products
that have no category, those that sell now first. A search of one shopper alone
is never shown, nor kept with a label: it may say who they are.

Once a classifier was tuned for the task, those of them come first of which it
is not sure, which stand for many others and are unlike what has a label.
"""

from __future__ import annotations

import csv
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from aisle.errors import AisleError, InvalidRequest, NotFound, StorageError
from aisle.learn.adapt.worth_labelling import NEAR, SHARE, Worth, worth_labelling
from aisle.ports import TextClassifier
from aisle.types import Label, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle")

INTENTS: Final = ("product", "navigation", "help", "order", "promotion")
"""What a search is read as without any label, and so the first names to choose from."""
MAX_TEXT: Final = 1_000
MAX_LABEL: Final = 100
MAX_LABELS_SHOWN: Final = 200
MOST_READ: Final = 300
"""Texts that wait, and texts that have a label, that are read to tell which are worth more: a second's work."""
SURE: Final = 0.9
"""A chance from which on a model's doubt is no reason."""
TASK: Final = r"[a-z][a-z0-9_-]{0,39}"


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: `asked` `value` times by several shoppers; `uncategorised`; `popular` now.

    By what a model says: `doubt` between the two labels of `names`, of the first of which it is sure by the share
    `value`; `alike`: it stands for that share of the texts that wait; `unlike` all that has a label.
    """

    kind: Literal["asked", "uncategorised", "popular", "doubt", "alike", "unlike"]
    value: float = 0
    names: tuple[str, ...] = ()


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


def label_desk(parts: Parts, task: str, top_k: int, classifier_of: Callable[[str], TextClassifier]) -> LabelDesk:
    """The labels given for a task, and the `top_k` texts most worth one. Raises InvalidRequest."""
    said = labels(parts, task)
    known = {one.text.casefold() for one in said}
    waiting = _waiting(parts, task, known)
    counts = Counter(one.label for one in said)
    names = [*counts.most_common(), *((name, 0) for name in _usual(parts, task) if name not in counts)]
    queue = _by_worth(parts, task, waiting, said, top_k, classifier_of) if waiting else []
    return LabelDesk(task, len(said), tuple(names[:MAX_LABELS_SHOWN]), len(waiting), tuple(queue))


def unlabelled(parts: Parts, task: str) -> list[str]:
    """The shop's own texts for a task that nobody labelled, those first that come most often; none for other tasks."""
    known = {one.text.casefold() for one in labels(parts, task)}
    return [one.text for one in _waiting(parts, task, known)]


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


def _by_worth(
    parts: Parts, task: str, waiting: list[Waiting], said: list[Label], top_k: int,
    classifier_of: Callable[[str], TextClassifier],
) -> list[Waiting]:  # fmt: skip
    """The `top_k` most worth a label of the first that wait; as they came where no model can say."""
    first, encoder = waiting[:MOST_READ], parts.indexes.encoder
    if encoder is None:
        return waiting[:top_k]
    try:
        classifier = classifier_of(task)
        texts = [one.text for one in first]
        chances, vectors = classifier.classify(texts), encoder.encode(texts)
        labelled = encoder.encode([one.text for one in said[-MOST_READ:]]) if said else None
        found = worth_labelling(vectors, chances=chances, names=classifier.names, labelled=labelled, top_k=top_k)
    except NotFound:  # nothing was tuned for this task yet
        return waiting[:top_k]
    except (AisleError, RuntimeError) as error:
        log.warning("what waits for a label is not ordered by its worth: %s", error)
        return waiting[:top_k]
    chosen = {one.row for one in found}
    rest = [one for row, one in enumerate(waiting) if row not in chosen]
    ordered = [replace(first[one.row], reasons=(*_why(one, len(first)), *first[one.row].reasons)) for one in found]
    return [*ordered, *rest][:top_k]


def _why(worth: Worth, n_waiting: int) -> tuple[Why, ...]:
    doubt: tuple[Why, ...] = ()
    if worth.between and worth.between[0][1] < SURE:
        doubt = (Why("doubt", worth.between[0][1], tuple(name for name, _ in worth.between)),)
    unlike = (Why("unlike"),) if worth.nearest < NEAR else ()
    n_alike = round(worth.alike * n_waiting)  # itself among them
    alike = (Why("alike", worth.alike),) if worth.alike >= SHARE and n_alike > 2 else ()
    return (*doubt, *unlike, *alike)


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
