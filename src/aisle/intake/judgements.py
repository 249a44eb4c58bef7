"""Judgements of products for queries: TREC qrels with their queries, or a table that has both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from aisle.errors import IntakeError
from aisle.intake.columns import Columns, listing
from aisle.intake.sources import Source
from aisle.intake.tables import Table, open_table, reject, text_of
from aisle.intake.text import one_line, scalar_text
from aisle.types import Judgement, Reject

MAX_QUERY_CHARS = 512
MAX_ID_CHARS = 256

JUDGEMENT_COLUMNS = Columns(
    {
        "query": ("text", "search_term", "search_query", "keywords"),
        "query_id": ("qid", "topic", "topic_id", "id"),
        "item_id": ("product_id", "doc_id", "docid", "docno", "sku", "upc", "group_id"),
        "grade": ("relevance", "rel", "rating", "label", "score", "judgement", "judgment"),
    }
)
QUERY_COLUMNS = Columns({"query_id": ("qid", "id", "topic"), "query": ("text", "query_text", "search_term", "title")})


def read_judgements(
    source: Path, *, queries: Path | None = None, irrelevant: float = 0.0
) -> Iterator[Judgement | Reject]:
    """Judgements and rejects of a file, streamed; a grade up to `irrelevant` becomes 0, others what they are above it.

    TREC qrels (`query_id 0 item_id grade`, no header) name queries by id, and
    `queries` (columns query_id and text) says what each is. A table with the
    columns query, item_id and grade needs no second file.

    Raises IntakeError at once when a file cannot be read or the queries are missing.
    """
    opened = Source(Path(source))
    if _is_trec(opened):
        rows = _trec(opened)
        by_id = True
    else:
        table = open_table(source)
        chosen = JUDGEMENT_COLUMNS.resolve(table.columns)
        for needed in ("item_id", "grade"):
            if needed not in chosen:
                raise IntakeError(f"{table.file}, line 1: no {needed} column; it has: {listing(table.columns)}")
        by_id = "query" not in chosen
        if by_id and "query_id" not in chosen:
            raise IntakeError(f"{table.file}, line 1: no query column; it has: {listing(table.columns)}")
        rows = _columns(table, chosen, "query_id" if by_id else "query")
    if by_id and queries is None:
        raise IntakeError(f"{opened.name} names queries by id: say what they are with --queries FILE (query_id, text)")
    texts = _queries(queries) if by_id and queries is not None else None
    return _judgements(opened.name, rows, texts, irrelevant)


_Rows = Iterator[tuple[int, "tuple[str, str, str] | Reject"]]


def _judgements(
    file: str, rows: _Rows, texts: Mapping[str, str] | None, irrelevant: float
) -> Iterator[Judgement | Reject]:
    for line, row in rows:
        if isinstance(row, Reject):
            yield row
            continue
        query, item_id, grade_text = row
        if texts is not None:
            if query not in texts:
                yield reject(file, line, "query_id", "the file of queries has no such id", query)
                continue
            query = texts[query]
        query = one_line(query, MAX_QUERY_CHARS)
        if not query:
            yield reject(file, line, "query", "a judgement needs a query")
        elif not item_id or len(item_id) > MAX_ID_CHARS:
            yield reject(file, line, "item_id", f"an item_id has from 1 to {MAX_ID_CHARS} characters", item_id)
        elif math.isnan(grade := _number(grade_text)):
            yield reject(file, line, "grade", "not a number", grade_text)
        else:
            yield Judgement(query, item_id, max(0.0, grade - irrelevant))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _is_trec(source: Source) -> bool:
    """Whether the first line is `query_id iteration item_id grade`, with neither header nor separators."""
    if source.kind != "delimited":
        return False
    with source.open_text() as stream:
        words = stream.readline(4096).split()
    return len(words) == 4 and not math.isnan(_number(words[3])) and not math.isnan(_number(words[1]))


def _trec(source: Source) -> _Rows:
    with source.open_text() as stream:
        for number, line in enumerate(iter(lambda: stream.readline(4096), ""), 1):
            words = line.split()
            if len(words) == 4:
                yield number, (words[0], words[2], words[3])
            elif words:
                yield number, reject(source.name, number, "", "not `query_id 0 item_id grade`", line.strip())


def _columns(table: Table, chosen: Mapping[str, str], query: str) -> _Rows:
    wanted = [chosen[name] for name in (query, "item_id", "grade")]
    for line, row in table.read():
        if isinstance(row, Reject):
            yield line, row
        else:
            found = [scalar_text(row.get(column)).strip() for column in wanted]
            yield line, (found[0], found[1], found[2])


def _queries(file: Path) -> dict[str, str]:
    """What each query id stands for."""
    table = open_table(file)
    chosen = QUERY_COLUMNS.resolve(table.columns)
    for needed in ("query_id", "query"):
        if needed not in chosen:
            raise IntakeError(f"{table.file}, line 1: no {needed} column; it has: {listing(table.columns)}")
    texts: dict[str, str] = {}
    for line, row in table.read():
        if isinstance(row, Reject):
            raise IntakeError(f"{table.file}, line {line}: {row.reason}")
        query_id = scalar_text(row.get(chosen["query_id"])).strip()
        text = one_line(row.get(chosen["query"]), MAX_QUERY_CHARS)
        if not query_id or not text:
            raise IntakeError(f"{table.file}, line {line}: a query needs an id and a text: {text_of(row)}")
        texts[query_id] = text
    return texts
