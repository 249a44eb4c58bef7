"""Examples from files: a query and a text with what came of it, words with tags, what is to be written.

Rows that lack a cell are left out and counted in the log; what is wrong in a
cell is told with its line. Readers of a test take the training's examples as `like`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from aisle.errors import InvalidRequest
from aisle.learn.adapt.generation import Written
from aisle.learn.adapt.pairs import Pairs
from aisle.learn.adapt.tables import USUAL, Columns, Table, read_table
from aisle.learn.adapt.tagging import Tagged

log = logging.getLogger("aisle.learn")

QUERY_COLUMNS: Final = ("query", "search", "search_query", "search_term")
ITEM_COLUMNS: Final = ("text", "title", "item", "product", "product_title")
CLICK_COLUMNS: Final = ("clicked", "bought", "click", "purchased", "purchase")
GRADE_COLUMNS: Final = ("grade", "relevance", "gain")
WORD_COLUMNS: Final = ("tokens", "words", "text")
TAG_COLUMNS: Final = ("tags", "ner_tags")
INPUT_COLUMNS: Final = ("input", "prompt", "instruction", "question")
OUTPUT_COLUMNS: Final = ("output", "answer", "response", "completion")
ALONE_COLUMNS: Final = ("text",)
"""Where a table's columns are looked for when nobody says, the first that is there."""

CONLL: Final = (".conll", ".bio", ".iob", ".iob2")
"""Files of a word and its tag a line, with an empty line after each text."""
_TRUTHS: Final = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def read_clicks(file: Path, columns: Columns = USUAL, like: Pairs | None = None) -> Pairs:
    """Pairs that were clicked or bought (1) or not (0), or how likely that was. Raises InvalidRequest."""
    return _pairs(file, columns, (*CLICK_COLUMNS, "label"), _chance)


def read_grades(file: Path, columns: Columns = USUAL, like: Pairs | None = None) -> Pairs:
    """Pairs with grades, 0 for a text that does not answer; those over 1 are divided by the highest.

    A test is divided by what its training was. Raises InvalidRequest.
    """
    return _pairs(file, columns, (*GRADE_COLUMNS, "label"), _grade, like.scale if like is not None else 0.0)


def _pairs(
    file: Path, columns: Columns, labels: Sequence[str], number: Callable[[str], float | str], scale: float = 0.0
) -> Pairs:
    table = read_table(file)
    query, text = table.column(columns.query, QUERY_COLUMNS), table.column(columns.text, ITEM_COLUMNS)
    label = table.column(columns.label, labels)
    cells = list(zip(table.cells(query), table.cells(text), table.cells(label), strict=True))
    kept = _filled(table, cells, (query, text, label))
    numbers = []
    for row in kept:
        found = number(cells[row][2])
        if isinstance(found, str):
            raise InvalidRequest(f"{table.where(row)}: {label} is {cells[row][2][:40]!r}, {found}", field=label)
        if scale and found > scale:
            raise InvalidRequest(
                f"{table.where(row)}: {label} is {found:g}, over {scale:g}, the highest that was learned from",
                field=label,
            )
        numbers.append(found)
    if min(numbers) == max(numbers):
        raise InvalidRequest(
            f"{file.name}: every {label} is {numbers[0]:g}, so nothing tells products apart: "
            "put in what was shown and not chosen, too",
            field=label,
        )
    scale = scale or max(1.0, max(numbers))
    grades = np.array(numbers, np.float32) / np.float32(scale)
    return Pairs(tuple(cells[row][0] for row in kept), tuple(cells[row][1] for row in kept), grades, scale)


def _chance(cell: str) -> float | str:
    """The number from 0 to 1 that a cell says, or what is wrong with it."""
    found = _TRUTHS.get(cell.lower())
    return found if found is not None else _number(cell, 1.0, "not 0 or 1, nor a chance between them")


def _grade(cell: str) -> float | str:
    return _number(cell, math.inf, "not a number from 0 (does not answer) up")


def _number(cell: str, most: float, wrong: str) -> float | str:
    try:
        found = float(cell)
    except ValueError:
        return wrong
    return found if 0 <= found <= most and math.isfinite(found) else wrong


def read_tagged(file: Path, columns: Columns = USUAL, like: Tagged | None = None) -> Tagged:
    """Words with their tags: lists in JSON lines or Parquet, text parted at its spaces, or CoNLL's lines.

    Raises InvalidRequest, also for a tag that `like` lacks.
    """
    if file.suffix.lower() in CONLL:
        data = _conll(file)
    else:
        table = read_table(file)
        word, tag = table.column(columns.text, WORD_COLUMNS), table.column(columns.label, TAG_COLUMNS)
        rows = list(zip(table.lists(word), table.lists(tag), strict=True))
        kept = _filled(table, rows, (word, tag))
        for row in kept:
            words, tags = rows[row]
            if len(words) != len(tags):
                raise InvalidRequest(
                    f"{table.where(row)}: {len(words)} in {word}, but {len(tags)} in {tag}: each word needs its tag",
                    field=tag,
                )
            if number := next((one for one in tags if one.isdigit()), None):
                raise InvalidRequest(
                    f"{table.where(row)}: the tag {number!r} is a number: tags are names, such as O and B-colour",
                    field=tag,
                )
        data = Tagged(tuple(rows[row][0] for row in kept), tuple(rows[row][1] for row in kept))
    if like is not None and (unknown := sorted(data.names() - like.names())):
        raise InvalidRequest(
            f"{file.name}: {len(unknown)} tags were not learned: {', '.join(unknown[:5])}", field="tags"
        )
    return data


def _conll(file: Path) -> Tagged:
    """A word and its tag a line, the first and the last of what stands there."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise InvalidRequest(f"{file} is not there", field="data") from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{file.name} cannot be read: {str(error)[:200]}", field="data") from error
    texts: list[list[tuple[str, str]]] = [[]]
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or parts[0] == "-DOCSTART-":
            texts.append([])
        elif len(parts) == 1:
            raise InvalidRequest(f"{file.name}, line {number}: {parts[0][:40]!r} has no tag behind it", field="tags")
        else:
            texts[-1].append((parts[0], parts[-1]))
    texts = [text for text in texts if text]
    if not texts:
        raise InvalidRequest(f"{file.name} is empty", field="data")
    return Tagged(*(tuple(tuple(pair[side] for pair in text) for text in texts) for side in (0, 1)))


def read_written(file: Path, columns: Columns = USUAL, like: Written | None = None) -> Written:
    """What is asked (`input`) and what is to be written (`output`), or texts alone, whose prompts are empty.

    Cells are taken as they are, spaces and line breaks too. Raises InvalidRequest.
    """
    table = read_table(file)
    alone = not (columns.query or columns.label) and not (set(OUTPUT_COLUMNS) & set(table.columns))
    if alone:
        names: tuple[str, ...] = (table.column(columns.text, ALONE_COLUMNS),)
    else:
        asked = table.column(columns.query or columns.text, INPUT_COLUMNS)
        names = (asked, table.column(columns.label, OUTPUT_COLUMNS))
    cells = list(zip(*(table.cells(name, strip=False) for name in names), strict=True))
    kept = _filled(table, cells, names)
    prompts = tuple("" if alone else cells[row][0] for row in kept)
    return Written(prompts, tuple(cells[row][-1] for row in kept))


def _filled(table: Table, rows: Sequence[Sequence[str | tuple[str, ...]]], columns: Sequence[str]) -> list[int]:
    """Numbers of the rows that lack no cell. Raises InvalidRequest when there are none."""
    kept = [number for number, row in enumerate(rows) if all(row)]
    if not kept:
        raise InvalidRequest(f"{table.file.name} has no row with {' and '.join(columns)}", field="data")
    if len(kept) < len(rows):
        log.warning("%s: %d rows without %s are left out", table.file.name, len(rows) - len(kept), " or ".join(columns))
    return kept
