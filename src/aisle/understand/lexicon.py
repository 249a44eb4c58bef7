"""What a catalogue's words mean: its own values, by phrase, as one frozen picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from aisle.errors import AisleError
from aisle.han import simplified
from aisle.ports import LexicalIndex
from aisle.types import NOTHING, Query
from aisle.understand.spelling import Speller
from aisle.understand.text import is_han, key, words

Kind: TypeAlias = Literal["color", "gender", "size", "brand", "category", "material", "attribute"]

MAX_WORDS = 200_000
MAX_BRANDS = 20_000
MAX_VALUES = 400
"""Values of one attribute that are read; one with more is no choice but a name or a number."""
MAX_ATTRIBUTES = 60
MAX_PHRASE_WORDS = 4

_PLAIN = frozenset({"yes", "no", "true", "false", "new", "sale", "other", "none", "all", "any", "n/a", "default"})
_LEAF_PARTS = re.compile(r"\s*(?:&|,|/|\+|\band\b|、|和|与)\s*", re.IGNORECASE)
_BASE = frozenset(
    {"product_type", "brand", "color", "size", "gender", "material", "pattern", "age_group", "availability",
     "condition", "on_sale", "price", "item_id", "group_id"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase may stand for: any of `values` of `field`."""

    kind: Kind
    field: str
    values: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of one state of the catalogue.

    `phrases` maps the stems of a phrase to its meanings, `colors` a colour word
    to the catalogue's values with that word, `sizes` and `genders` folded
    values to shown ones. `frequency` counts the products that have a word.
    """

    phrases: Mapping[str, tuple[Meaning, ...]] = field(default_factory=lambda: NOTHING)
    colors: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    sizes: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    genders: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    ages: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    words: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    frequency: Callable[[str], int] = field(default=lambda word: 0)
    speller: Speller = field(default_factory=lambda: Speller({}))
    has_prices: bool = True

    @classmethod
    def empty(cls) -> Lexicon:
        """Of a shop that has nothing yet."""
        return cls()

    @classmethod
    def of(cls, index: LexicalIndex) -> Lexicon:
        """Read an index's vocabulary: about 0.2 s with 45,000 products, so not while a shopper waits."""

        def values(name: str, limit: int = MAX_VALUES) -> list[tuple[str, int]]:
            try:
                return index.vocabulary(name, limit)
            except AisleError:
                return []  # this index does not count that field

        known = MappingProxyType(dict(values("words", MAX_WORDS)))
        phrases: dict[str, list[Meaning]] = {}
        for name, n in values("brand", MAX_BRANDS):
            _add(phrases, Meaning("brand", "brand", (name,), _name_confidence(name, n, known)))
        _add_categories(phrases, values("product_type"))
        for name in ("material", "pattern"):
            for value, _ in values(name):
                _add(phrases, Meaning("material" if name == "material" else "attribute", name, (value,), 0.6))
        for name in [f for f in index.fields() if f not in _BASE][:MAX_ATTRIBUTES]:
            found = values(name, MAX_VALUES + 1)
            if len(found) <= MAX_VALUES:
                for value, _ in found:
                    if (
                        (len(value) >= 3 or is_han(value))
                        and value.casefold() not in _PLAIN
                        and not value.replace(".", "").isdigit()
                    ):
                        _add(phrases, Meaning("attribute", name, (value,), 0.4))
        return cls(
            phrases=MappingProxyType({k: tuple(v) for k, v in phrases.items()}),
            colors=MappingProxyType(_colors(values("color"))),
            sizes=MappingProxyType({_plain_size(v): v for v, _ in reversed(values("size"))}),
            genders=MappingProxyType({v.casefold(): v for v, _ in values("gender")}),
            ages=MappingProxyType({v.casefold(): v for v, _ in values("age_group")}),
            words=known,
            frequency=index.document_frequency,
            speller=Speller(known),
            has_prices="price" in index.search(Query(""), facets=("price",), top_k=1).facet_stats,
        )

    def knows(self, word: str) -> bool:
        """Whether any product has the word, in whichever form."""
        return word in self.words or self.frequency(word) > 0


def _add(phrases: dict[str, list[Meaning]], meaning: Meaning, phrase: str = "") -> None:
    name = key(phrase or meaning.values[0])
    if not name or name.count(" ") >= MAX_PHRASE_WORDS or (len(name) < 2 and not is_han(name)):
        return
    there = phrases.setdefault(name, [])
    for i, other in enumerate(there):
        if other.kind == meaning.kind and other.field == meaning.field:
            values = dict.fromkeys((*other.values, *meaning.values))
            there[i] = Meaning(other.kind, other.field, tuple(values), max(other.confidence, meaning.confidence))
            return
    there.append(meaning)


def _add_categories(phrases: dict[str, list[Meaning]], paths: list[tuple[str, int]]) -> None:
    """The last level by name and by its parts ("Hoodies & Sweatshirts"), and by its last word with less trust."""
    parents = {path.rpartition(" > ")[0] for path, _ in paths}
    for path, _ in paths:
        label = path.rpartition(" > ")[2]
        trust = 0.6 if path in parents else 0.9
        parts = [p for p in _LEAF_PARTS.split(label) if p]
        for phrase in {label, *parts}:
            _add(phrases, Meaning("category", "product_type", (path,), trust), phrase)
        for part in parts:
            last = words(part)[-1:]
            if last and len(words(part)) > 1:
                _add(phrases, Meaning("category", "product_type", (path,), trust * 0.6), last[0].text)


def _name_confidence(name: str, n: int, known: Mapping[str, int]) -> float:
    """A brand that is also a common word ("Target") is seldom meant by that word."""
    parts = words(name)
    if len(parts) != 1:
        return 0.9
    return round(0.9 * min(1.0, n / max(1, known.get(parts[0].text, n))), 3)


def _colors(values: list[tuple[str, int]]) -> dict[str, tuple[str, ...]]:
    """ "blue" → Blue, Navy Blue, …: a shopper who says blue means them all."""
    found: dict[str, dict[str, None]] = {}
    for value, _ in values:
        for word in {simplified(value.casefold()), *(w.text for w in words(value))}:
            found.setdefault(word, {})[value] = None
    return {word: tuple(shown) for word, shown in found.items()}


def _plain_size(value: str) -> str:
    return re.sub(r"\s+", " ", value.casefold()).strip()
