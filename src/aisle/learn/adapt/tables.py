"""Tables of examples as a shop has them: CSV, TSV, JSON lines or Parquet; what is wrong is told with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl

SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".parquet")
_COMMAS: Final = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Columns:
    """What columns are called where they have no usual names: of the texts, of what is said of them, of the queries."""

    text: str = ""
    label: str = ""
    query: str = ""


USUAL: Final = Columns()


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows; cells are asked for by the names that a column may have."""

    file: Path
    frame: pl.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.frame.columns)

    def column(self, asked: str, usual: Sequence[str]) -> str:
        """The column `asked`, or the first of the usual ones that is there. Raises InvalidRequest."""
        found = [asked] if asked else [name for name in usual if name in self.columns]
        if not found or found[0] not in self.columns:
            wanted, there = asked or " or ".join(usual), ", ".join(self.columns)[:200]
            raise InvalidRequest(f"{self.file.name} has no column {wanted}; it has {there}", field="data")
        return found[0]

    def cells(self, column: str, *, strip: bool = True) -> list[str]:
        """The column as text, "" where a cell is empty."""
        import polars as pl

        try:
            texts = self.frame[column].cast(pl.String).fill_null("")
        except pl.exceptions.PolarsError as error:
            raise InvalidRequest(f"{self.file.name}: column {column} holds no plain text", field=column) from error
        cells: list[str] = (texts.str.strip_chars() if strip else texts).to_list()
        return cells

    def lists(self, column: str) -> list[tuple[str, ...]]:
        """The column as lists of words; what is one text is parted at its spaces."""
        import polars as pl

        if isinstance(self.frame.schema[column], pl.List):
            return [tuple(str(one) for one in row or ()) for row in self.frame[column].to_list()]
        return [tuple(cell.split()) for cell in self.cells(column)]

    def where(self, row: int) -> str:
        """A row as one finds it: by its line in the file where it has lines."""
        suffix = self.file.suffix.lower()
        if suffix in _COMMAS:  # a cell may go over several lines
            before = self.frame.head(row)
            broken = sum(int(before[name].str.count_matches("\n").sum()) for name in self.columns)
            return f"{self.file.name}, line {row + 2 + broken}"
        if suffix == ".jsonl":
            with self.file.open("rb") as lines:
                filled = [number for number, line in enumerate(lines, 1) if line.strip()]
            return f"{self.file.name}, line {filled[row]}"
        return f"{self.file.name}, row {row + 1}"


def read_table(file: Path) -> Table:
    """Read CSV, TSV, JSON lines or Parquet; numbers in CSV stay as they are written. Raises InvalidRequest."""
    import polars as pl

    if not file.exists():
        raise InvalidRequest(f"{file} is not there", field="data")
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(f"{file.name}: a file of labels is .csv, .tsv, .jsonl or .parquet", field="data")
    try:
        if not file.stat().st_size:
            raise InvalidRequest(f"{file.name} is empty", field="data")
        if suffix in _COMMAS:
            frame = pl.read_csv(file, infer_schema=False, separator=_COMMAS[suffix])
        else:
            frame = pl.read_ndjson(file) if suffix == ".jsonl" else pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        line = _broken_line(file) if suffix == ".jsonl" else ""
        raise InvalidRequest(f"{file.name}{line} cannot be read: {str(error)[:200]}", field="data") from error
    if not len(frame):
        raise InvalidRequest(f"{file.name} has no rows", field="data")
    return Table(file, frame)


def _broken_line(file: Path) -> str:
    """Which line of a file of JSON is none."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    told = orjson.loads(line) if line.strip() else {}
                except orjson.JSONDecodeError:
                    return f", line {number}: not JSON;"
                if not isinstance(told, dict):
                    return f", line {number}: not an object;"
    except OSError:
        pass
    return ""


def held_out(keys: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """bool[n]: about `share` of the examples, chosen by what their keys (texts, queries) say.

    So those held out are held out again when others have been added: what a version that serves is measured on beside
    a new one, it has not learned from. What is there twice is held out whole, or not at all; never all of it is.
    """
    mixed = [hashlib.blake2b(f"{seed} {key.casefold()}".encode("utf-8", "replace"), digest_size=8) for key in keys]
    at = np.array([int.from_bytes(one.digest(), "big") / 2.0**64 for one in mixed])
    held: NDArray[np.bool_] = (at < share) & (at < at.max(initial=0.0))
    return held


def repeated(known: Sequence[str], others: Sequence[str]) -> int:
    """How many of the others are also among the known, whatever their case."""
    folded = {text.casefold() for text in known}
    return sum(text.casefold() in folded for text in others)
