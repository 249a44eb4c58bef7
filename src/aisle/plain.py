"""Frozen values as plain JSON: what exports, overviews and `--json` print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from aisle.types import Money


def plain(value: Any) -> Any:
    """A value as dictionaries, lists and scalars, ready for JSON; money as `52.00 USD`.

    Unlike dataclasses.asdict it takes read-only mappings.
    """
    if isinstance(value, Money):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
