"""Rows of any tabular file, with line numbers, one at a time.

`open_table` looks at the whole shape of a file first (encoding, header, XML
well-formedness, Parquet footer, gzip checksum) and raises IntakeError; after
that a fault costs a row, not the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from aisle.errors import IntakeError
from aisle.intake import delimited, merchant_xml
from aisle.intake.sources import Source
from aisle.intake.text import brief
from aisle.types import Reject

Row: TypeAlias = dict[str, object]
Entry: TypeAlias = tuple[int, "Row | Reject"]
"""The 1-based line (or row, where there are no lines) and what stands there."""

MAX_LINE_BYTES = 32 << 20
MAX_JSON_BYTES = 512 << 20
"""A JSON list is read at once; beyond this it must be JSON lines."""
MAX_VALUE_CHARS = 200
PROBED_ROWS = 200
_WRAPPERS = ("products", "items", "events", "reviews", "promotions", "data", "rows", "entries")


@dataclass(frozen=True)
class Table:
    """An opened file: `columns` are its header, or the keys of its first rows."""

    file: str
    kind: str
    columns: tuple[str, ...]
    read: Callable[[], Iterator[Entry]]
    is_flat: bool
    """Whether every cell is a plain value (no lists or objects inside)."""


def open_table(file: Path) -> Table:
    """Check a file and make its rows readable. Raises IntakeError when it cannot be read at all."""
    source = Source(Path(file))
    match source.kind:
        case "delimited":
            dialect = delimited.probe(source)
            return Table(source.name, "delimited", dialect.columns, lambda: delimited.rows(source, dialect), True)
        case "xml":
            columns = merchant_xml.check(source)
            return Table(source.name, "xml", columns, lambda: merchant_xml.rows(source), False)
        case "parquet":
            return _parquet(source)
        case _:
            return _json(source)


def reject(file: str, line: int, field: str, reason: str, value: object = "") -> Reject:
    """A Reject whose value is short enough for a log."""
    text = value if isinstance(value, str) else "" if value is None else brief(value, MAX_VALUE_CHARS + 1)
    text = text[:MAX_VALUE_CHARS] + "…" if len(text) > MAX_VALUE_CHARS else text
    return Reject(file, line, field, reason, text.encode("utf-8", "replace").decode())


# --------------------------------------------------------------------- JSON


def _json(source: Source) -> Table:
    if source.kind == "json" or _starts_as_list(source):
        whole = _whole(source)
        if whole is not None:
            return _objects_table(source, whole)
    fault = ""
    columns: dict[str, None] = {}
    for line, entry in islice(_json_lines(source), PROBED_ROWS):
        if isinstance(entry, Reject):
            fault = fault or f"line {line}: {entry.reason}"
        else:
            columns.update(dict.fromkeys(entry))
    if not columns:
        whole = _whole(source)
        if whole is None:
            raise IntakeError(f"{source.name}, {fault or 'line 1: no JSON object'}; write one JSON object a line")
        return _objects_table(source, whole)
    return Table(source.name, "jsonl", tuple(columns), lambda: _json_lines(source), False)


def _starts_as_list(source: Source) -> bool:
    with source.open() as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _whole(source: Source) -> list[object] | None:
    """The objects of a file that is one JSON value; None when it is not."""
    if source.path.stat().st_size > MAX_JSON_BYTES:
        raise IntakeError(
            f"{source.name}: a JSON list of more than {MAX_JSON_BYTES >> 20} MiB; write JSON lines instead"
        )
    try:
        with source.open_text() as stream:
            value = orjson.loads(stream.read())
    except (orjson.JSONDecodeError, UnicodeError):
        return None
    if isinstance(value, dict):
        inner = next((value[key] for key in _WRAPPERS if len(value) <= 4 and isinstance(value.get(key), list)), None)
        value = [value] if inner is None or "item_id" in value or "name" in value or "event_name" in value else inner
    return value if isinstance(value, list) else None


def _objects_table(source: Source, objects: list[object]) -> Table:
    def read() -> Iterator[Entry]:
        for number, value in enumerate(objects, 1):
            if isinstance(value, dict):
                yield number, value
            else:
                yield number, reject(source.name, number, "", "not a JSON object", value)

    columns = {key: None for value in objects[:PROBED_ROWS] if isinstance(value, dict) for key in value}
    if objects and not columns:
        raise IntakeError(f"{source.name}: a JSON list without objects; write a list of objects, or one a line")
    return Table(source.name, "json", tuple(columns), read, False)


def _json_lines(source: Source) -> Iterator[Entry]:
    name = source.name
    loads = orjson.loads
    for number, line in _byte_lines(source):
        if line is None:
            yield number, reject(name, number, "", f"a line of more than {MAX_LINE_BYTES >> 20} MiB")
            continue
        try:
            value = loads(line)
        except orjson.JSONDecodeError as error:
            if line.isspace() or not line:
                continue
            shown = line[: MAX_VALUE_CHARS + 8].decode("utf-8", "replace").strip()
            yield number, reject(name, number, "", f"not JSON: {error.msg} (column {error.colno})", shown)
            continue
        if type(value) is dict:
            yield number, value
        else:
            yield (
                number,
                reject(name, number, "", "not a JSON object", line[:MAX_VALUE_CHARS].decode("utf-8", "replace")),
            )


def _byte_lines(source: Source) -> Iterator[tuple[int, bytes | None]]:
    """Lines in UTF-8; None for one that is too long to hold."""
    if not source.encoding[0].startswith("utf-8"):
        with source.open_text() as text:
            for number, piece in enumerate(iter(lambda: text.readline(MAX_LINE_BYTES), ""), 1):
                yield number, piece.encode("utf-8", "replace")
        return
    with source.open() as stream:
        number = 0
        readline = stream.readline
        while line := readline(MAX_LINE_BYTES):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
                while (rest := readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield number, None
                continue
            yield number, line


# ------------------------------------------------------------------ Parquet


def _parquet(source: Source) -> Table:
    # A server takes events through this module and never needs polars: its import costs time and memory.
    import polars as pl

    def fault(error: BaseException) -> IntakeError:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return IntakeError(f"{source.name}: cannot be read as Parquet ({reason}); write it again")

    # A damaged file can make polars panic, which is no Exception.
    faults = (Exception, pl.exceptions.PanicException)
    try:
        frame = pl.scan_parquet(source.path, glob=False)
        schema = frame.collect_schema()
        frame.head(1).collect()
    except faults as error:
        raise fault(error) from None
    columns = tuple(schema.names())
    if not columns:
        raise IntakeError(f"{source.name}: a Parquet file without columns")
    is_flat = not any(kind.is_nested() for kind in schema.dtypes())

    def read() -> Iterator[Entry]:
        number = 0
        try:
            batches = iter(pl.scan_parquet(source.path, glob=False).collect_batches(chunk_size=10_000))
            while True:
                batch = next(batches, None)
                if batch is None:
                    return
                for cells in batch.rows():
                    number += 1
                    yield number, dict(zip(columns, cells, strict=True))
        except GeneratorExit:
            raise
        except faults as error:
            raise fault(error) from None

    return Table(source.name, "parquet", columns, read, is_flat)


def text_of(row: Mapping[str, Any], limit: int = MAX_VALUE_CHARS) -> str:
    """A whole row for a reject's value."""
    return brief(dict(islice(row.items(), 8)), limit)
