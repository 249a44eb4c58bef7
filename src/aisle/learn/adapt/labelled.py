"""Texts with labels, as a shop has them: read from a file, checked, drawn from, split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.tables import held_out, read_table, repeated

log = logging.getLogger("aisle.learn")

TEXT_COLUMNS: Final = ("text", "query", "review", "title", "instruction", "sentence", "utterance")
LABEL_COLUMNS: Final = ("label", "intent", "category", "cat", "class", "sentiment", "rating")
"""Where texts and labels are looked for when nobody says, the first that is there."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """`texts` with `labels` int32[n], each the place of its name in `names` (sorted, all distinct)."""

    texts: tuple[str, ...]
    labels: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str], names: Sequence[str] | None = None) -> Self:
        """With `names`, those are the labels there may be, in that order. Raises InvalidRequest for others."""
        known = sorted(set(labels)) if names is None else list(names)
        place = {name: number for number, name in enumerate(known)}
        if unknown := sorted(set(labels) - set(known)):
            raise InvalidRequest(
                f"{len(unknown)} labels are not among the {len(known)} known ones: {', '.join(unknown[:5])}",
                field="label",
            )
        return cls(tuple(texts), np.array([place[label] for label in labels], np.int32), tuple(known))

    def take(self, rows: NDArray[np.intp]) -> Self:
        return type(self)(tuple(self.texts[row] for row in rows.tolist()), self.labels[rows], self.names)

    def counts(self) -> NDArray[np.int64]:
        """int64[len(names)]: how many texts have each label."""
        return np.bincount(self.labels, minlength=len(self.names))

    def drawn(self, shots: int, rng: np.random.Generator) -> Self:
        """`shots` texts of each label, or all that it has."""
        order = rng.permutation(len(self))
        chosen = [order[self.labels[order] == number][:shots] for number in range(len(self.names))]
        return self.take(np.sort(np.concatenate([np.empty(0, np.intp), *chosen])))

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        """What is learned from, and about `share` of it that is `held_out`.

        A label of which nothing would be learned gives up a text (which may be held out once the label has others).
        """
        held = held_out(self.texts, share, seed)
        for number in np.flatnonzero(self.counts() > 0).tolist():
            rows = np.flatnonzero(self.labels == number)
            if held[rows].all():
                given = self.texts[int(rows[0])].casefold()
                held &= np.array([text.casefold() != given for text in self.texts], bool)
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))


def read_labelled(file: Path, *, text: str = "", label: str = "", names: Sequence[str] | None = None) -> Labelled:
    """Read CSV, TSV, JSON lines or Parquet; rows without text or label are left out, and counted in the log.

    Raises InvalidRequest for a file without such columns, without rows, or with labels that `names` lacks.
    """
    table = read_table(file)
    columns = (table.column(text, TEXT_COLUMNS), table.column(label, LABEL_COLUMNS))
    rows = [(t, n) for t, n in zip(*(table.cells(column) for column in columns), strict=True) if t and n]
    if len(rows) < len(table):
        log.warning("%s: %d rows without a text or a label are left out", file.name, len(table) - len(rows))
    if not rows:
        raise InvalidRequest(f"{file.name} has no row with both {columns[0]} and {columns[1]}", field="data")
    return Labelled.of([t for t, _ in rows], [n for _, n in rows], names)


def read_names(file: Path, *, label: str = "") -> tuple[Labelled, dict[str, str]]:
    """Labels of which there is no example: each name is its own only text; and what is said of it where a file does.

    Reads as `read_labelled`, columns `label` and, where there is one, `description`; texts are passed over. Raises
    InvalidRequest for a file without such a column, without rows, or with two descriptions of one name.
    """
    table = read_table(file)
    names = table.cells(table.column(label, LABEL_COLUMNS))
    said: dict[str, str] = {}
    for name, description in (
        zip(names, table.cells("description"), strict=True) if "description" in table.columns else ()
    ):
        if name and description and said.setdefault(name, description) != description:
            raise InvalidRequest(f"{file.name} describes {name[:80]!r} in two ways", field="data")
    if empty := names.count(""):
        log.warning("%s: %d rows without a label are left out", file.name, empty)
    known = sorted({name for name in names if name})
    if not known:
        raise InvalidRequest(f"{file.name} names no label", field="data")
    return Labelled.of(known, known), said


def read_texts(file: Path, *, text: str = "") -> tuple[str, ...]:
    """The texts of a file as `read_labelled` reads it, or of a .txt with one a line; labels are not looked for.

    They are in the column `text` where there is one of that name, else in one of the usual names.
    Raises InvalidRequest for a file that cannot be read or has no texts.
    """
    if file.suffix.lower() == ".txt":
        try:
            found = [line.strip() for line in file.read_text("utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"{file.name} cannot be read: {str(error)[:200]}", field="data") from error
    else:
        table = read_table(file)
        found = table.cells(table.column("", (text, *TEXT_COLUMNS)))
    if not any(found):
        raise InvalidRequest(f"{file.name} has no texts", field="data")
    return tuple(one for one in found if one)


def shared(one: Labelled, other: Labelled) -> int:
    """How many texts of `other` are also in `one`, whatever their case: a test must share none with its training."""
    return repeated(one.texts, other.texts)
