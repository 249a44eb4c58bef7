"""TSV and CSV from any program: quoted line ends, stray quotes, NUL bytes, byte-order marks, huge fields.

A quote that opens and never closes would swallow the rest of a file. Here it
costs at most its own row: a record over several lines whose cells do not fit
the header is taken back and read again line by line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO, TypeAlias

from aisle.errors import IntakeError
from aisle.intake.sources import Source
from aisle.intake.text import has_surrogate
from aisle.types import Reject

if TYPE_CHECKING:
    from aisle.intake.tables import Entry

MAX_RECORD_CHARS = 32 << 20
MAX_RETAKEN_CHARS = 256 << 20
"""Characters that may be read a second time because of stray quotes; keeps a hostile file linear."""
_DELIMITERS = "\t,;|"


@dataclass(frozen=True)
class Dialect:
    """How a file separates its cells; `columns` as in its header."""

    delimiter: str
    columns: tuple[str, ...]


class _TooLong(Exception):
    pass


Cells: TypeAlias = list[str]


class _Lines:
    """Physical lines for csv.reader that can be taken back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._back: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []
        self._size = 0
        self._retaken = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._stream.readline(MAX_RECORD_CHARS)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        self.taken.append(line)
        if self._size >= MAX_RECORD_CHARS:
            while not line.endswith(("\n", "\r")) and (line := self._stream.readline(MAX_RECORD_CHARS)):
                pass
            raise _TooLong
        return line

    def begin(self) -> None:
        """The next line starts a record."""
        self.taken.clear()
        self._size = 0

    def take_back(self) -> str:
        """Give all but the first line of the record back; returns the first. Empty when too much was given back."""
        first, *rest = self.taken
        self._retaken += self._size
        if self._retaken > MAX_RETAKEN_CHARS:
            return ""
        self._back.extendleft(reversed(rest))
        self.number -= len(rest)
        return first


def probe(source: Source) -> Dialect:
    """Delimiter and header. Raises IntakeError when there is no header."""
    with source.open_text() as stream:
        # A quoted header may hold line ends; 1 MiB is far more than any.
        start = stream.read(1 << 20)
    first = next((line for line in start.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()), "")
    if not first:
        raise IntakeError(f"{source.name}, line 1: no header; the first line must name the columns")
    delimiter = _delimiter(first, source.suffix)
    csv.field_size_limit(MAX_RECORD_CHARS)
    with source.open_text() as stream:
        try:
            header = next((cells for cells in csv.reader(_Lines(stream), delimiter=delimiter) if any(cells)), [])
        except (csv.Error, _TooLong) as error:
            raise IntakeError(f"{source.name}, line 1: the header cannot be read ({error})") from None
    columns = tuple(cell.replace("\x00", "").strip().removeprefix("\ufeff") for cell in header)
    if not any(columns):
        raise IntakeError(f"{source.name}, line 1: no header; the first line must name the columns")
    return Dialect(delimiter, columns)


def _delimiter(header: str, suffix: str) -> str:
    outside = "".join(header.split('"')[::2])
    counts = {mark: outside.count(mark) for mark in _DELIMITERS}
    usual = "\t" if suffix in {".tsv", ".tab"} else ","
    if counts[usual]:
        return usual if suffix in {".tsv", ".tab"} else max(counts, key=lambda mark: counts[mark])
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else usual


def rows(source: Source, dialect: Dialect) -> Iterator[Entry]:
    """(line, row or reject) for every record after the header; `line` is where the record begins."""
    columns = dialect.columns
    repeated = len(set(columns)) < len(columns)
    name, width, is_mixed = source.name, len(columns), source.is_mixed
    csv.field_size_limit(MAX_RECORD_CHARS)
    with source.open_text() as stream:
        lines = _Lines(stream)
        reader = csv.reader(lines, delimiter=dialect.delimiter)
        is_header = True
        while True:
            lines.begin()
            line = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                reason = (
                    "a row of more than 32 MiB; is a quote never closed?" if isinstance(error, _TooLong) else str(error)
                )
                yield line, Reject(name, line, "", reason, lines.taken[0][:200] if lines.taken else "")
                continue
            if is_header:
                is_header = not any(cells)
                continue
            if len(cells) != width:
                if not any(cells):
                    continue
                mended = _mend(lines, cells, dialect)
                if isinstance(mended, str):
                    yield line, Reject(name, line, "", mended, dialect.delimiter.join(cells)[:200])
                    continue
                cells = mended
            elif len(lines.taken) > 1 and (plain := _swallowed(lines, dialect)):
                cells = plain
            if is_mixed and has_surrogate("".join(cells)):
                shown = dialect.delimiter.join(cells)[:200].encode("utf-8", "replace").decode()
                yield line, Reject(name, line, "", "bytes that are not UTF-8, unlike the rest of the file", shown)
                continue
            yield line, _combined(columns, cells) if repeated else dict(zip(columns, cells, strict=True))


def _mend(lines: _Lines, cells: Cells, dialect: Dialect) -> Cells | str:
    """Cells that fit the header, or the reason why the row must be refused."""
    width = len(dialect.columns)
    if len(lines.taken) > 1 and (first := lines.take_back()):
        plain = next(csv.reader([first], delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE), [])
        if len(plain) == width:
            return plain
        return "a quote opens in this line and does not close"
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return f"{len(cells)} cells where the header has {width}"


def _swallowed(lines: _Lines, dialect: Dialect) -> Cells | None:
    """The cells of the first line, when a stray quote in it ran on to a stray quote in a later one.

    Such a record can fit the header by chance. It is told by two signs: the
    first line fits on its own, and text follows the closing quote.
    """
    plain = next(csv.reader(lines.taken[:1], delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE), [])
    if len(plain) != len(dialect.columns):
        return None
    try:
        next(csv.reader(lines.taken, delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        return plain if lines.take_back() else None
    return None


def _combined(columns: tuple[str, ...], cells: Cells) -> dict[str, object]:
    """Columns that share a name become one list."""
    row: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        present = row.get(column)
        if not cell:
            row.setdefault(column, cell)
        elif isinstance(present, list):
            present.append(cell)
        else:
            row[column] = [present, cell] if present else cell
    return row
