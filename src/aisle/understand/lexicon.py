"""What a catalogue's words mean: its own values, by phrase, as one frozen picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, TypeAlias

from aisle.errors import AisleError
from aisle.han import simplified
from aisle.ports import LexicalIndex, TextEncoder
from aisle.types import NOTHING, Clause, Query
from aisle.understand.shelves import Shelves
from aisle.understand.spelling import Speller
from aisle.understand.text import is_han, key, words
from aisle.understand.units import measure_name

Kind: TypeAlias = Literal["color", "gender", "size", "brand", "category", "material", "attribute"]

MAX_WORDS = 200_000
MAX_BRANDS = 20_000
MAX_VALUES = 400
"""Values of one attribute that are read; one with more is no choice but a name or a number."""
MAX_ATTRIBUTES = 60
MAX_PHRASE_WORDS = 4
MAX_SIZED = 200
"""Categories whose sizes are known."""

_PLAIN = frozenset({"yes", "no", "true", "false", "new", "sale", "other", "none", "all", "any", "n/a", "default"})
_YES = frozenset({"yes", "true", "1", "1.0", "是"})
_FLAGS = _YES | {"no", "false", "0", "0.0", "否"}
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
    values to shown ones, `sizes_of` a category's path to the folded sizes it
    comes in, `labels` the stems of a category's whole name to its paths.
    `frequency` counts the products that have a word; `id_field` names the field
    that has a word as one of its ids; `shelves` tell where a title's words lead.
    """

    phrases: Mapping[str, tuple[Meaning, ...]] = field(default_factory=lambda: NOTHING)
    colors: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    sizes: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    genders: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    ages: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    words: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    frequency: Callable[[str], int] = field(default=lambda word: 0)
    speller: Speller = field(default_factory=lambda: Speller({}))
    sizes_of: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOTHING)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    id_field: Callable[[str], str] = field(default=lambda word: "")
    shelves: Shelves = field(default_factory=lambda: Shelves(()))
    is_word: Callable[[str], bool] = field(default=lambda word: False)
    has_prices: bool = True
    has_sales: bool = False

    @classmethod
    def empty(cls) -> Lexicon:
        """Of a shop that has nothing yet."""
        return cls()

    @classmethod
    def of(
        cls,
        index: LexicalIndex,
        titles: Iterable[tuple[str, str]] = (),
        searched: Mapping[str, int] = NOTHING,
        encoder: TextEncoder | None = None,
    ) -> Lexicon:
        """Read an index's vocabulary: about half a second with 45,000 products, so not while a shopper waits.

        `titles` are products' titles with their categories; `searched` counts the searches that shoppers made,
        the `encoder` knows common words, which are no typing errors though the shop has no such thing.
        """

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
            if found and all(value.casefold() in _FLAGS for value, _ in found):
                yes = tuple(value for value, _ in found if value.casefold() in _YES)
                if yes and " " in (said := name.replace("_", " ")):
                    _add(phrases, Meaning("attribute", name, yes, 0.5), said)
            elif len(found) <= MAX_VALUES:
                for value, _ in found:
                    if (
                        (len(value) >= 3 or is_han(value))
                        and value.casefold() not in _PLAIN
                        and not value.replace(".", "").isdigit()
                    ):
                        _add(phrases, Meaning("attribute", name, (value,), 0.4))
        _add_material_words(phrases, [value for value, _ in values("material")])
        return cls(
            phrases=MappingProxyType({k: tuple(v) for k, v in phrases.items()}),
            colors=MappingProxyType(_colors(values("color"))),
            sizes=MappingProxyType({_plain_size(v): v for v, _ in reversed(values("size"))}),
            sizes_of=MappingProxyType(_sizes_of(index, values("product_type")[:MAX_SIZED])),
            labels=MappingProxyType(_labels(values("product_type"))),
            id_field=_id_finder(index),
            shelves=Shelves(titles),
            is_word=lru_cache(8192)(encoder.knows) if encoder is not None else lambda word: False,
            has_sales=any(value == "true" for value, _ in values("on_sale")),
            genders=MappingProxyType({v.casefold(): v for v, _ in values("gender")}),
            ages=MappingProxyType({v.casefold(): v for v, _ in values("age_group")}),
            words=known,
            frequency=index.document_frequency,
            speller=Speller(known, searched=_counted(searched)),
            has_prices="price" in index.search(Query(""), facets=("price",), top_k=1).facet_stats,
        )

    def knows(self, word: str) -> bool:
        """Whether any product has the word, in whichever form."""
        return word in self.words or self.frequency(word) > 0


def _add(phrases: dict[str, list[Meaning]], meaning: Meaning, phrase: str = "") -> None:
    """Under the phrase's stems, and with its hyphens open and closed: t-shirt, t shirt, tshirt."""
    written = phrase or meaning.values[0]
    several = {key(written)}
    if "&" in written:
        several.add(key(written.replace("&", " and ")))
    if "-" in written:
        several |= {key(written.replace("-", " ")), key(written.replace("-", ""))}
    for name in several:
        if not name or name.count(" ") >= MAX_PHRASE_WORDS or (len(name) < 2 and not is_han(name)):
            continue
        there = phrases.setdefault(name, [])
        for i, other in enumerate(there):
            if other.kind == meaning.kind and other.field == meaning.field:
                if meaning.kind == "category" and meaning.confidence != other.confidence:
                    there[i] = max(meaning, other, key=lambda m: m.confidence)  # "Bags" itself, not also "Tote Bags"
                else:
                    values = dict.fromkeys((*other.values, *meaning.values))
                    most = max(other.confidence, meaning.confidence)
                    there[i] = Meaning(other.kind, other.field, tuple(values), most)
                break
        else:
            there.append(meaning)


def _add_categories(phrases: dict[str, list[Meaning]], paths: list[tuple[str, int]]) -> None:
    """The last level by name and by its parts ("Hoodies & Sweatshirts"), and by its last word with less trust."""
    parents = {path.rpartition(" > ")[0] for path, _ in paths}
    for path, _ in paths:
        label = path.rpartition(" > ")[2]
        trust = 0.6 if path in parents else 0.9
        parts = [p for p in _LEAF_PARTS.split(label) if p]
        _add(phrases, Meaning("category", "product_type", (path,), trust), label)
        for part in parts:
            if part != label:  # "Books" itself, where there is one, rather than "Books & Paper" around it
                _add(phrases, Meaning("category", "product_type", (path,), trust - 0.02 * (path in parents)), part)
        for part in parts:
            last = words(part)[-1:]
            if last and len(words(part)) > 1:
                _add(phrases, Meaning("category", "product_type", (path,), round(trust * 0.6, 3)), last[0].text)


def _add_material_words(phrases: dict[str, list[Meaning]], values: list[str]) -> None:
    """ "polyester" for Recycled Polyester, "merino" for Merino Wool: a word that only materials have."""
    having: dict[str, list[str]] = {}
    for value in values:
        found = words(value)
        if 1 < len(found) <= MAX_PHRASE_WORDS:
            having.setdefault(found[-1].text, []).append(value)
            having.setdefault(found[0].text, []).append(value)
    last = {words(value)[-1].text for value in values if words(value)}
    for word, several in having.items():
        if not phrases.get(key(word)) and (word in last or len(several) == 1):
            for value in several:
                _add(phrases, Meaning("material", "material", (value,), 0.4), word)


def _labels(paths: list[tuple[str, int]]) -> dict[str, tuple[str, ...]]:
    """Each level's whole name to the paths that end with it, the largest first."""
    found: dict[str, dict[str, None]] = {}
    for path, _ in paths:
        found.setdefault(key(path.rpartition(" > ")[2]), {})[path] = None
        found.setdefault(key(path.replace(">", " ")), {})[path] = None
    return {name: tuple(several) for name, several in found.items() if name}


def _sizes_of(index: LexicalIndex, paths: list[tuple[str, int]]) -> dict[str, frozenset[str]]:
    found = {}
    for path, _ in paths:
        try:
            facets = index.search(
                Query(""), filters=(Clause("product_type", (path,)),), facets=("size",), top_k=1
            ).facets
        except AisleError:
            return {}
        found[path] = frozenset(_plain_size(v.value) for v in facets.get("size", ()))
    return found


def _id_finder(index: LexicalIndex) -> Callable[[str], str]:
    def found(word: str) -> str:
        for name in ("group_id", "item_id"):
            try:
                if index.search(Query(""), filters=(Clause(name, (word,)),), top_k=1).n_hits:
                    return name
            except AisleError:
                return ""
        return ""

    return lru_cache(4096)(found)


def _counted(searched: Mapping[str, int]) -> dict[str, int]:
    """How many searches have each word."""
    counts: dict[str, int] = {}
    for text, n in searched.items():
        for word in words(text):
            counts[word.text] = counts.get(word.text, 0) + n
    return counts


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
    return measure_name(re.sub(r"\s+", " ", value.casefold()).strip())
