"""Frozen values made four times as fast, where a page of them is read from the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


def constructor(kind: type[T]) -> Callable[..., T]:
    """Makes `kind`, a frozen dataclass with slots, from all its fields in order.

    A frozen dataclass sets each field through `object.__setattr__`: 5 us for
    the 22 fields of a Product, more than reading its JSON. A twin with the same
    slots that is not frozen takes 1 us, and then becomes `kind` by its class.
    """
    twin: Any = make_dataclass(kind.__name__, [field.name for field in fields(kind)], slots=True)  # type: ignore[arg-type]

    def make(*values: object) -> T:
        made = twin(*values)
        made.__class__ = kind
        return cast(T, made)

    return make
