"""Counts over exactly the hit set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import tantivy

from aisle.adapters.tantivy.filters import FilterCompiler, variant_clauses
from aisle.adapters.tantivy.matching import n_matching
from aisle.adapters.tantivy.schema import value_code
from aisle.index.documents import JOIN, VARIANT_FIELDS, filter_key
from aisle.types import Clause, FacetValue, Filters

MAX_FACET_VALUES = 100
"""Values returned of one facet, the most frequent first."""

_SEGMENT_SIZE = 2_000
_EXACT_SIZE = 65_000
_MAX_COUNTED = 50


class Facets:
    """Facet counts and price bounds for one searcher.

    A facet's count is the number of hits there would be with that value as one
    more filter. For fields that vary within a group (colour, size,
    availability) beside filters on another such field, that is a count of
    combinations: with `color:Red`, `size: M` counts groups with a red M.
    """

    def __init__(self, searcher: tantivy.Searcher, compiler: FilterCompiler, display: Display) -> None:
        self._searcher, self._compiler, self._display = searcher, compiler, display
        self._looked: set[str] = set()

    def count(
        self, hit_set: Callable[[Filters], tantivy.Query], names: Sequence[str], filters: Filters
    ) -> tuple[int, dict[str, tuple[FacetValue, ...]], dict[str, tuple[float, float]]]:
        """(hits, values by facet, bounds by facet); `hit_set` gives the hit set under filters."""
        query = hit_set(filters)
        request: dict[str, Any] = {"n": {"value_count": {"field": "ord"}}, "price": {"stats": {"field": "price"}}}
        chosen = variant_clauses(self._compiler, filters)
        one_by_one: list[str] = []
        combined: dict[str, int] = {}
        for name in names:
            if name == "price":
                continue
            beside = {n: c for n, c in chosen.items() if n != name} if name in VARIANT_FIELDS else {}
            if not beside:
                request[f"f:{name}"] = _terms(f"codes.{name}", MAX_FACET_VALUES)
            elif all(len(clauses) == 1 and len(clauses[0]) == 1 for clauses in beside.values()):
                request[f"f:{name}"], combined[name] = _combined(name, {n: c[0][0] for n, c in beside.items()})
            else:
                request[f"f:{name}"] = _terms(f"codes.{name}", _MAX_COUNTED)
                one_by_one.append(name)
        answer = self._searcher.aggregate(query, request)
        inexact = {k: v for k, v in request.items() if answer[k].get("doc_count_error_upper_bound")}
        if inexact:
            # A segment sent only its most frequent values: rare ones may be short. Ask for all.
            for aggregation in inexact.values():
                aggregation["terms"]["segment_size"] = _EXACT_SIZE
            answer.update(self._searcher.aggregate(query, inexact))
        facets: dict[str, tuple[FacetValue, ...]] = {}
        for name in names:
            if name == "price":
                continue
            buckets = answer[f"f:{name}"]["buckets"]
            if name in combined:
                place = combined[name]
                pairs = [(value_code(b["key"].split(JOIN)[place]), b["doc_count"]) for b in buckets]
            else:
                pairs = [(int(b["key"]), b["doc_count"]) for b in buckets]
            values = self._shown(name, pairs)
            if name in one_by_one:
                exact = [(v.value, self._hits(hit_set((*filters, Clause(name, (v.value,)))))) for v in values]
                values = tuple(sorted((FacetValue(v, n) for v, n in exact if n), key=_by_count))
            facets[name] = values
        stats = answer["price"]
        bounds = {"price": (float(stats["min"]), float(stats["max"]))} if stats["count"] else {}
        return int(answer["n"]["value"]), facets, bounds

    def vocabulary(self, name: str, limit: int) -> list[tuple[str, int]]:
        """Every value of a field with its number of groups."""
        request = {"f": _terms(f"codes.{name}", limit, _EXACT_SIZE)}
        answer = self._searcher.aggregate(tantivy.Query.all_query(), request)
        values = self._shown(name, [(int(b["key"]), b["doc_count"]) for b in answer["f"]["buckets"]])
        return [(v.value, v.count) for v in values]

    def _hits(self, query: tantivy.Query) -> int:
        return n_matching(self._searcher, query)

    def _shown(self, name: str, counts: Sequence[tuple[int, int]]) -> tuple[FacetValue, ...]:
        display = self._display(name)
        if name not in self._looked and any(code not in display for code, _ in counts):
            self._looked.add(name)  # once: values beyond the largest number read stay unknown
            display = self._display(name, anew=True)
        # As plain tuples, which sort five times faster.
        shown = sorted((-n, display[code]) for code, n in counts if code in display)
        return tuple([FacetValue(value, -n) for n, value in shown])


class Display(Protocol):
    """Code -> value as most products write it, for one field; `anew` looks again."""

    def __call__(self, name: str, *, anew: bool = False) -> Mapping[int, str]: ...


def displayed(searcher: tantivy.Searcher, name: str) -> dict[int, str]:
    """Code -> the way most products write the value."""
    answer = searcher.aggregate(tantivy.Query.all_query(), {"f": _terms(f"shown.{name}", _EXACT_SIZE, _EXACT_SIZE)})
    found: dict[int, str] = {}
    for bucket in answer["f"]["buckets"]:  # most frequent first
        found.setdefault(value_code(filter_key(name, bucket["key"])), bucket["key"])
    return found


def _by_count(value: FacetValue) -> tuple[int, str]:
    return -value.count, value.value


def _terms(path: str, size: int, segment_size: int = _SEGMENT_SIZE) -> dict[str, Any]:
    return {"terms": {"field": path, "size": size, "segment_size": max(size, segment_size)}}


def _combined(name: str, beside: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    """Count the combinations in which the other variant fields have their chosen values; and where `name` stands."""
    names = [n for n in VARIANT_FIELDS if n == name or n in beside]
    request = _terms(f"variants.{JOIN.join(names)}", MAX_FACET_VALUES)
    request["terms"]["include"] = re.escape(JOIN).join(".*" if n == name else _escaped(beside[n]) for n in names)
    return request, names.index(name)


def _escaped(value: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$#&~-])", r"\\\1", value)
