"""Algolia's filter language."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.errors import InvalidFilter
from aisle.types import Clause
from aisle.understand.filters import MAX_CHARS, parse_filters


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("   ", ()),
        ("color:Red", (Clause("color", ("Red",)),)),
        ("color:Red AND size:M", (Clause("color", ("Red",)), Clause("size", ("M",)))),
        ("(size:M OR size:L)", (Clause("size", ("M", "L")),)),
        ("size:M OR size:L OR size:M", (Clause("size", ("M", "L")),)),
        ("((color:Red) AND (size:M))", (Clause("color", ("Red",)), Clause("size", ("M",)))),
        ('NOT brand:"Foo Bar"', (Clause("brand", ("Foo Bar",), exclude=True),)),
        ("NOT NOT a:b", (Clause("a", ("b",)),)),
        ("NOT (a:b OR a:c)", (Clause("a", ("b", "c"), exclude=True),)),
        (r'brand:"the \"best\" AND \\"', (Clause("brand", ('the "best" AND \\',)),)),
        ("brand:'Foo: Bar'", (Clause("brand", ("Foo: Bar",)),)),
        ("brand:Levi's", (Clause("brand", ("Levi's",)),)),
        ("category:Men > Tops AND a:b", (Clause("category", ("Men > Tops",)), Clause("a", ("b",)))),
        ("size:6 foot", (Clause("size", ("6 foot",)),)),
        ("price:20 TO 40.5", (Clause("price", low=20, high=40.5),)),
        ("price <= 60", (Clause("price", high=60),)),
        ("price>=20 AND price:<=30", (Clause("price", low=20), Clause("price", high=30))),
        ("price < 60", (Clause("price", high=math.nextafter(60, -math.inf)),)),
        ("price > 60", (Clause("price", low=math.nextafter(60, math.inf)),)),
        ("price = 60", (Clause("price", low=60, high=60),)),
        ("price != 60", (Clause("price", low=60, high=60, exclude=True),)),
        ("color:-Red", (Clause("color", ("Red",), exclude=True),)),
        ("颜色:红色", (Clause("颜色", ("红色",)),)),
    ],
)
def test_reads(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse_filters(text) == clauses


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("color", "expected : or a comparison after 'color', at the end"),
        ("color:", "expected a value of color, at the end"),
        (":Red", "expected a field's name, at character 1"),
        ("color:Red color:Blue", "expected AND, at character 11"),
        ("color:Red AND", "expected a field's name, at the end"),
        ("(color:Red", r'expected "\)", at the end'),
        ("color:Red)", "expected AND or the end, at character 10"),
        ('color:"Red', "a quote that is not closed at character 7"),
        ("color:Red OR size:M", "OR joins values of one field only, at character 1"),
        ("(a:b AND c:d) OR a:e", "OR joins single conditions"),
        ("a:b OR NOT a:c", "NOT cannot stand beside OR"),
        ("price<3 OR price>9", "OR cannot join ranges"),
        ("NOT (a:b AND c:d)", "NOT needs a single condition"),
        ("price < cheap", "expected a number, not 'cheap', at character 9"),
        ("price < nan", "expected a number"),
        ("price:a TO b", "expected numbers around TO"),
        ("(" * 100 + "a:b" + ")" * 100, "nested deeper"),
        ("a:b AND " * 200 + "a:b", "more than"),
        ("x" * (MAX_CHARS + 1), "longer than"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, says: str) -> None:
    with pytest.raises(InvalidFilter, match=says) as caught:
        parse_filters(text)
    assert caught.value.field == "filters"


@given(st.one_of(st.text(max_size=60), st.text(alphabet=" abAND OR NOT():<>=!\"'\\-1", max_size=60)))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        clauses = parse_filters(text)
    except InvalidFilter:
        return
    assert all(c.field and (c.values or c.low is not None or c.high is not None) for c in clauses)
