"""Attributes of a product: `k:v1/v2;k:v`, Google's `section:name:value`, lists and plain cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from aisle.intake.columns import plain_name
from aisle.intake.text import one_line

MAX_VALUE_CHARS = 500
MAX_VALUES = 50
MAX_NAMES = 200
"""Names read from one detail; the product keeps fewer."""


def attribute_values(value: object) -> tuple[str, ...]:
    """The values of one attribute: each on one line, at most 500 characters, without repeats."""
    parts: Iterable[object] = value[: 4 * MAX_VALUES] if isinstance(value, list | tuple) else (value,)
    texts = (one_line(part, MAX_VALUE_CHARS) for part in parts)
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_VALUES]


def details(value: object) -> dict[str, tuple[str, ...]]:
    """`product_detail` in any of its forms as attribute name → values."""
    if isinstance(value, str):
        return dict(_from_text(value))
    found: dict[str, tuple[str, ...]] = {}
    for entry in value[:MAX_NAMES] if isinstance(value, list | tuple) else [value]:
        if isinstance(entry, Mapping):
            # Google's API and XML: section_name, attribute_name, attribute_value.
            name = plain_name(one_line(entry.get("attribute_name", entry.get("attributeName")), 100))
            values = attribute_values(entry.get("attribute_value", entry.get("attributeValue")))
            if name and values:
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), *values)))[:MAX_VALUES]
        elif isinstance(entry, str):
            found.update(_from_text(entry))
    return found


@lru_cache(maxsize=2048)
def _from_text(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    text = text[:100_000]
    googles = [part.split(":") for part in text.split(",")] if ";" not in text else []
    found: dict[str, tuple[str, ...]] = {}
    if googles and all(len(parts) == 3 for parts in googles):
        for _, name, value in googles[:MAX_NAMES]:
            _add(found, name, attribute_values(value))
    else:
        for part in text.split(";", MAX_NAMES)[:MAX_NAMES]:
            name, _, value = part.partition(":")
            _add(found, name, attribute_values([value] if "://" in value else value.split("/")))
    return tuple(found.items())


def _add(found: dict[str, tuple[str, ...]], name: str, values: tuple[str, ...]) -> None:
    name = plain_name(one_line(name, 100))
    if name and values:
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *values)))[:MAX_VALUES]
