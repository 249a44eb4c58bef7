"""Algolia's facetFilters and numericFilters as one text in its `filters` language.

One language means one parser: nothing here decides what a filter means.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from aisle.errors import InvalidFilter

_NUMERIC = re.compile(r"^\s*([\w.\- ]{1,100}?)\s*(<=|>=|!=|=|<|>)\s*(-?\d{1,15}(?:\.\d{1,6})?)\s*$", re.ASCII)
_RANGE = re.compile(r"^\s*([\w.\- ]{1,100}?)\s*:\s*(-?\d+(?:\.\d+)?)\s+TO\s+(-?\d+(?:\.\d+)?)\s*$", re.ASCII)
_MAX_CONDITIONS = 200


def filter_text(filters: str, facet_filters: Any, numeric_filters: Any) -> str:
    """All three joined by AND. Raises InvalidFilter naming the parameter that is wrong."""
    parts = [f"({filters})"] if filters.strip() else []
    parts += _joined(_listed(facet_filters, "facetFilters"), _facet, "facetFilters")
    parts += _joined(_listed(numeric_filters, "numericFilters"), _number, "numericFilters")
    return filters if len(parts) == 1 and filters.strip() else " AND ".join(parts)


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise InvalidFilter(f"{name} is a list, or a list of lists", field=name)
    if not value.strip():
        return []
    if value.lstrip().startswith("["):
        try:
            listed = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InvalidFilter(f"{name} is not JSON: {error}", field=name) from None
        return listed if isinstance(listed, list) else [listed]
    return [part for part in value.split(",") if part.strip()]


def _joined(conditions: list[Any], write: Any, name: str) -> list[str]:
    """A list means AND, a list in it OR."""
    if sum(len(c) if isinstance(c, list) else 1 for c in conditions) > _MAX_CONDITIONS:
        raise InvalidFilter(f"{name} has more than {_MAX_CONDITIONS} conditions", field=name)
    texts = []
    for condition in conditions:
        any_of = condition if isinstance(condition, list) else [condition]
        if not all(isinstance(one, str) for one in any_of):
            raise InvalidFilter(f"{name} is a list of texts, or of lists of texts", field=name)
        if any_of:
            written = [write(one) for one in any_of]
            texts.append(written[0] if len(written) == 1 else f"({' OR '.join(written)})")
    return texts


def _facet(condition: str) -> str:
    name, colon, value = condition.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not name or not value:
        raise InvalidFilter(f"facetFilters: {condition[:80]!r} is not field:value", field="facetFilters")
    negated = value.startswith("-") or name.startswith("-")
    value, name = value.removeprefix("\\").removeprefix("-"), name.removeprefix("-")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{"NOT " if negated else ""}{name}:"{quoted}"'


def _number(condition: str) -> str:
    found = _NUMERIC.match(condition)
    if found:
        return f"{found[1]} {found[2]} {found[3]}"
    found = _RANGE.match(condition)
    if found:
        return f"{found[1]}:{found[2]} TO {found[3]}"
    raise InvalidFilter(f"numericFilters: {condition[:80]!r} is not like price<60", field="numericFilters")
