"""What an import or a training leaves behind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from aisle.types.arrays import NOTHING

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage's name, how much is done, and of how much (0: not known)."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken, and why. `line` is 1-based and counts the header."""

    file: str
    line: int
    field: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `n_removed` counts items absent from a full feed."""

    kind: Literal["products", "events", "reviews", "promotions", "pages", "judgements"]
    n_read: int = 0
    n_added: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_removed: int = 0
    n_rejected: int = 0
    rejects_file: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model in the registry. `metrics` were measured before it was promoted."""

    name: str
    version: str
    created_ms: int
    active: bool = False
    metrics: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    params: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    note: str = ""


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return math.floor(time.time() * 1000)
