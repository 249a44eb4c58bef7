"""What a shopper asked for, and what was understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: `field` is any of `values`, or lies in [low, high]; `exclude` negates it."""

    field: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    exclude: bool = False


Filters: TypeAlias = tuple[Clause, ...]
"""Clauses that must all hold."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A part of the query that was given a meaning.

    `hard` clauses filter, others only boost. `text` is the shopper's words,
    `confidence` lies in [0, 1].
    """

    kind: Literal["price", "color", "gender", "size", "brand", "category", "material", "attribute"]
    text: str
    clause: Clause
    confidence: float = 1.0
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A word to match, with further forms of it and their weights in (0, 1]."""

    text: str
    weight: float = 1.0
    expansions: tuple[tuple[str, float], ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """What the shopper typed and what was understood.

    `terms` are what lexical retrieval matches; `semantic_text` is what the
    encoder reads (the words without the price limit).
    """

    text: str
    language: str = "en"
    terms: tuple[Term, ...] = ()
    semantic_text: str = ""
    understood: tuple[Understood, ...] = ()
    corrected: str = ""

    @property
    def filters(self) -> Filters:
        """The clauses that must hold because the shopper said so."""
        return tuple(u.clause for u in self.understood if u.hard)

    @property
    def boosts(self) -> tuple[Understood, ...]:
        """What was understood, but not surely enough to filter."""
        return tuple(u for u in self.understood if not u.hard)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of a product for a query: `grade` 0 is irrelevant, more is better."""

    query: str
    item_id: str
    grade: float
