"""Judgements from the files that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle.errors import IntakeError
from aisle.intake.judgements import read_judgements
from aisle.learn.judgements import Judgements
from aisle.types import Judgement, Reject


def test_reads_trec_with_its_queries(tmp_path: Path) -> None:
    qrels, queries = tmp_path / "qrels.txt", tmp_path / "queries.csv"
    qrels.write_text("q1 0 A 3\nq1 0 B 1\nq2 0 A 2.33\nq9 0 A 1\nq1 0 C\nq1 0 D much\n")
    queries.write_text('query_id,text\nq1,red shoe\nq2,"boots, brown"\n')
    rows = list(read_judgements(qrels, queries=queries, irrelevant=1.0))
    good = [row for row in rows if isinstance(row, Judgement)]
    assert good[:2] == [Judgement("red shoe", "A", 2.0), Judgement("red shoe", "B", 0.0)]
    assert good[2].query == "boots, brown"
    assert good[2].grade == pytest.approx(1.33)
    assert [(r.line, r.field) for r in rows if isinstance(r, Reject)] == [(4, "query_id"), (5, ""), (6, "grade")]


def test_reads_a_table(tmp_path: Path) -> None:
    file = tmp_path / "judged.csv"
    file.write_text("search_term,product_id,relevance\nred shoe,A,2\n,B,1\nboot,,1\n")
    rows = list(read_judgements(file))
    assert rows[0] == Judgement("red shoe", "A", 2.0)
    assert [(r.line, r.field) for r in rows if isinstance(r, Reject)] == [(3, "query"), (4, "item_id")]


def test_says_what_is_missing(tmp_path: Path) -> None:
    qrels, table = tmp_path / "qrels.txt", tmp_path / "table.csv"
    qrels.write_text("q1 0 A 3\n")
    table.write_text("query,grade\nred,1\n")
    with pytest.raises(IntakeError, match="--queries"):
        read_judgements(qrels)
    with pytest.raises(IntakeError, match="no item_id column"):
        read_judgements(table)
    with pytest.raises(IntakeError, match="no query_id column"):
        read_judgements(qrels, queries=table)


def test_as_columns() -> None:
    ord_of = {"A": 0, "A-red": 0, "B": 1}.get
    judged = [
        Judgement("shoe", "A", 1.0),
        Judgement("boot", "B", 4.0),
        Judgement("shoe", "A-red", 2.0),
        Judgement("shoe", "gone", 4.0),
        Judgement("shoe", "B", 0.0),
    ]
    found = Judgements.of(judged, lambda item: ord_of(item, -1))
    assert found.queries == ("shoe", "boot")
    assert found.query.tolist() == [0, 0, 1]
    assert found.ords.tolist() == [0, 1, 1]
    assert found.gain.tolist() == [0.5, 0.0, 1.0]
    boots = found.take(found.fold(2) == found.fold(2)[1]) if found.fold(2)[0] != found.fold(2)[1] else found
    assert boots.queries[-1] == "boot"
    assert boots.ords[boots.query == len(boots.queries) - 1].tolist() == [1]
    assert len(Judgements.of([], lambda item: -1)) == 0
