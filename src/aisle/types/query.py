"""What a shopper asked for, and what was understood."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

Kind: TypeAlias = Literal[
    "price", "color", "gender", "age", "size", "brand", "category", "material", "attribute", "sale", "sort", "item",
    "word",
]  # fmt: skip
"""What a part of a query is about. `sort` and `word` (a word not wanted) are no fields of a product."""

Intent: TypeAlias = Literal["product", "navigation", "help", "order", "promotion"]
"""What the shopper came for."""

_NO_FIELDS = frozenset({"sort", "word"})


@dataclass(frozen=True, slots=True)
class Understood:
    """A part of the query that was given a meaning.

    `hard` clauses filter, others only boost. `text` is the shopper's words,
    `confidence` lies in [0, 1]. A sort's clause holds its name, `price_asc`,
    `price_desc`, `rating` or `newest`.
    """

    kind: Kind
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
    encoder reads (the words without limits, wishes and what is not wanted).
    `corrected` is the text with its typing errors mended, empty when there
    were none. `given_up` are conditions that were let go because nothing met them.
    """

    text: str
    language: str = "en"
    terms: tuple[Term, ...] = ()
    semantic_text: str = ""
    understood: tuple[Understood, ...] = ()
    corrected: str = ""
    intent: Intent = "product"
    intent_confidence: float = 1.0
    given_up: tuple[Understood, ...] = ()

    @property
    def filters(self) -> Filters:
        """The clauses that must hold because the shopper said so; of one field, any of the values said."""
        merged: list[Clause] = []
        for u in self.understood:
            if not u.hard or u.kind in _NO_FIELDS:
                continue
            clause = u.clause
            for i, other in enumerate(merged):
                if clause.values and other.values and (other.field, other.exclude) == (clause.field, clause.exclude):
                    merged[i] = replace(other, values=tuple(dict.fromkeys((*other.values, *clause.values))))
                    break
            else:
                merged.append(clause)
        return tuple(merged)

    @property
    def boosts(self) -> tuple[Understood, ...]:
        """What was understood, but not surely enough to filter."""
        return tuple(u for u in self.understood if not u.hard and u.kind not in _NO_FIELDS and not u.clause.exclude)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """Words that what a product is called must not have."""
        return tuple(v for u in self.understood if u.kind == "word" and u.hard for v in u.clause.values)

    @property
    def sort(self) -> str:
        """The order that the shopper's words ask for; empty: by relevance."""
        return next((u.clause.values[0] for u in self.understood if u.kind == "sort"), "")

    @property
    def nothing_asked(self) -> bool:
        """Whether no word is left that a product could have: then everything under the conditions is an answer."""
        return not self.terms and (bool(self.understood) or self.intent != "product" or not self.semantic_text.strip())


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody says a text is, for a task such as `intent`; `by` names who of the shop's people said so."""

    task: str
    text: str
    label: str
    by: str = ""
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of a product for a query: `grade` 0 is irrelevant, more is better."""

    query: str
    item_id: str
    grade: float
