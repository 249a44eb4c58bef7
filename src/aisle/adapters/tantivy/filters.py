"""Clauses to tantivy queries: the one implementation of filters."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import product

import tantivy
from rapidfuzz import process
from tantivy import Occur

from aisle.adapters.tantivy.schema import value_code
from aisle.errors import InvalidFilter
from aisle.index.documents import ALIASES, ID_FIELDS, JOIN, VARIANT_FIELDS, field_name, filter_key, variant_token
from aisle.types import Clause, Filters

Parts = list[tuple[Occur, tantivy.Query]]

MAX_COMBINATIONS = 10_000


class FilterCompiler:
    """Turns clauses into query parts for one schema and the fields known at one moment."""

    def __init__(self, schema: tantivy.Schema, known: Collection[str]) -> None:
        self._schema = schema
        self._known = known

    def canonical(self, name: str) -> str:
        """The field's own name; raises InvalidFilter naming the nearest known ones."""
        key = name.strip()
        key = ALIASES.get(key, key)
        if key in self._known:
            return key
        folded = field_name(key)
        folded = ALIASES.get(folded, folded)
        if folded in self._known:
            return folded
        shown = name[:60]
        near = [n for n, _, _ in process.extract(folded[:60], sorted(self._known), limit=4, score_cutoff=50)]
        known = near or sorted(self._known)[:12]
        raise InvalidFilter(f"there is no field {shown!r}; did you mean {', '.join(known)}?", field=shown)

    def compile(self, filters: Filters) -> Parts:
        """Parts for a boolean query; scores are nought. Raises InvalidFilter."""
        parts: Parts = []
        by_field: dict[str, list[Clause]] = {}
        for clause in filters:
            name = self.canonical(clause.field)
            query = self._one(name, clause)
            parts.append((Occur.MustNot if clause.exclude else Occur.Must, tantivy.Query.const_score_query(query, 0.0)))
            if name in VARIANT_FIELDS and clause.values and not clause.exclude:
                by_field.setdefault(name, []).append(clause)
        parts += self._same_variant(by_field)
        if parts and all(occur == Occur.MustNot for occur, _ in parts):
            parts.append((Occur.Must, tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)))
        return parts

    def matches(self, clause: Clause) -> tantivy.Query:
        """The products a clause describes, for boosting; `exclude` is not looked at."""
        return self._one(self.canonical(clause.field), clause)

    def _one(self, name: str, clause: Clause) -> tantivy.Query:
        if name == "price":
            return self._range(clause)
        if clause.low is not None or clause.high is not None:
            raise InvalidFilter(f"{name} has no order; ranges work on price", field=name)
        if not clause.values:
            raise InvalidFilter(f"the filter on {name} has no value", field=name)
        if name in ID_FIELDS:
            return tantivy.Query.term_set_query(self._schema, name, [v.strip().casefold() for v in clause.values])
        return self._any(f"codes.{name}", [value_code(filter_key(name, value)) for value in clause.values])

    def _any(self, path: str, keys: Sequence[str] | Sequence[int]) -> tantivy.Query:
        if len(keys) == 1:
            return tantivy.Query.term_query(self._schema, path, keys[0], "basic")
        return tantivy.Query.term_set_query(self._schema, path, keys)

    def _range(self, clause: Clause) -> tantivy.Query:
        if clause.values:
            try:
                exact = [float(v) for v in clause.values]
            except ValueError:
                raise InvalidFilter(f"price is a number, not {clause.values[0][:40]!r}", field="price") from None
            return tantivy.Query.boolean_query([(Occur.Should, self._between(v, v)) for v in exact])
        if clause.low is None and clause.high is None:
            raise InvalidFilter("the filter on price has no bound", field="price")
        return self._between(clause.low, clause.high)

    def _between(self, low: float | None, high: float | None) -> tantivy.Query:
        low = None if low == -math.inf else low
        high = None if high == math.inf else high
        if low is None and high is None:
            return tantivy.Query.exists_query("price")
        if (low is not None and not math.isfinite(low)) or (high is not None and not math.isfinite(high)):
            raise InvalidFilter("a price bound must be a finite number", field="price")
        if low is not None and high is not None and low > high:
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(self._schema, "price", tantivy.FieldType.Float, low, high)

    def _same_variant(self, by_field: dict[str, list[Clause]]) -> Parts:
        """For each way to take one clause a field, some variant must fulfil all of them."""
        names = [name for name in VARIANT_FIELDS if name in by_field]
        if len(names) < 2:
            return []
        parts: Parts = []
        path = f"variants.{JOIN.join(names)}"
        n_combinations = 0
        for clauses in product(*(by_field[name] for name in names)):
            keys = [[filter_key(n, v) for v in c.values] for n, c in zip(names, clauses, strict=True)]
            n_combinations += math.prod(len(k) for k in keys)
            if n_combinations > MAX_COMBINATIONS:
                raise InvalidFilter("too many values are combined in these filters", field=names[0])
            tokens = [variant_token(combination) for combination in product(*keys)]
            parts.append((Occur.Must, tantivy.Query.const_score_query(self._any(path, tokens), 0.0)))
        return parts


def variant_clauses(compiler: FilterCompiler, filters: Iterable[Clause]) -> dict[str, list[list[str]]]:
    """The positive conditions on variant fields: name -> for each clause its folded values."""
    found: dict[str, list[list[str]]] = {}
    for clause in filters:
        name = compiler.canonical(clause.field)
        if name in VARIANT_FIELDS and clause.values and not clause.exclude:
            found.setdefault(name, []).append([filter_key(name, v) for v in clause.values])
    return found
