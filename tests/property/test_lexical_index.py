"""Any text is only words, and every count is what a click would find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.index.documents import filter_key
from aisle.testing.lexical import counted, group, item, shop, words
from aisle.types import Clause, Group, Product, Query, Term

COLORS = ["Red", "red", "Blue", "Red/Blue", "Sea|Green", "a.*b", "红", "C++ (x)", ""]
SIZES = ["S", "M", "m", "6 foot", '10"', "[x]", ""]
FIELDS = ("color", "size", "availability")

_variant = st.builds(
    lambda color, size, stock, price: (color, size, stock, price),
    st.sampled_from(COLORS),
    st.sampled_from(SIZES),
    st.sampled_from(["in_stock", "out_of_stock"]),
    st.sampled_from([None, 1.0, 5.5, 20.0]),
)
_catalogue = st.lists(
    st.tuples(st.sampled_from(["hoodie", "yoga strap", "watch"]), st.lists(_variant, min_size=1, max_size=4)),
    min_size=1,
    max_size=8,
)
_clauses = st.lists(
    st.one_of(
        st.builds(
            lambda field, values, exclude: Clause(field, tuple(values), exclude=exclude),
            st.sampled_from(FIELDS),
            st.lists(st.sampled_from([*COLORS[:-1], *SIZES[:-1], "in_stock"]), min_size=1, max_size=3),
            st.booleans(),
        ),
        st.builds(lambda low: Clause("price", low=low), st.sampled_from([2.0, 10.0])),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> TantivyLexicalIndex:
    folder = tmp_path_factory.mktemp("lexical")
    index = TantivyLexicalIndex(folder / "index")
    index.upsert(shop())
    index.commit(1)
    index.close()
    return index


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80), required=st.booleans())
def test_any_text_is_searched_without_an_error(filled: TantivyLexicalIndex, text: str, required: bool) -> None:
    query = Query(text, terms=(Term(text, required=required), *(Term(t) for t in text.split())))
    result = filled.search(query, facets=("color",))
    assert result.n_hits == len(result.ords)


def build(catalogue: list[tuple[str, list[tuple[str, str, str, float | None]]]]) -> list[Group]:
    return [
        group(
            o,
            *(
                item(title, item_id=f"{o}-{v}", color=color, size=size, availability=stock, price=price)  # type: ignore[arg-type]
                for v, (color, size, stock, price) in enumerate(variants)
            ),
        )
        for o, (title, variants) in enumerate(catalogue)
    ]


def holds(product: Product, clause: Clause) -> bool:
    values = {
        "color": product.color.split("/"),
        "size": [product.size],
        "availability": [product.availability],
    }[clause.field]
    wanted = {filter_key(clause.field, v) for v in clause.values}
    return any(filter_key(clause.field, v) in wanted for v in values if v.strip())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(catalogue=_catalogue, clauses=_clauses, text=st.sampled_from(["", "yoga", "yoga watch"]), near=st.booleans())
def test_filters_hold_and_counts_are_what_a_click_finds(
    tmp_path_factory: pytest.TempPathFactory,
    catalogue: list[tuple[str, list[tuple[str, str, str, float | None]]]],
    clauses: list[Clause],
    text: str,
    near: bool,
) -> None:
    folder: Path = tmp_path_factory.mktemp("lexical")
    index = TantivyLexicalIndex(folder / "index")
    groups = build(catalogue)
    index.upsert(groups)
    index.commit(1)
    neighbours = (lambda: np.array([0, 2, 5], np.int32)) if near else None
    chosen = tuple(clauses)
    result = index.search(words(text), neighbours=neighbours, filters=chosen, facets=FIELDS)
    assert result.n_hits == len(result.ords)
    if not text:
        for g in groups:
            plain = [c for c in clauses if c.field != "price"]
            if len({c.field for c in plain if not c.exclude}) == len([c for c in plain if not c.exclude]):
                some = any(all(holds(p, c) for c in plain if not c.exclude) for p in g.products)
                none = not any(holds(p, c) for c in plain if c.exclude for p in g.products)
                low = max((c.low for c in clauses if c.low is not None), default=None)
                priced = low is None or any(p.price and float(p.price.amount) >= low for p in g.products)
                assert (g.ord in result.ords) == (some and none and priced)
    for field in FIELDS:
        for value, count in counted(result, field).items():
            clicked = index.search(words(text), neighbours=neighbours, filters=(*chosen, Clause(field, (value,))))
            assert (field, value, count) == (field, value, clicked.n_hits)
    index.close()
