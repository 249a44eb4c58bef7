"""A group of variants as one document: the words that match, the values that filter, the numbers that sort.

The same folding serves documents and filters, so `color:RED` finds "Red".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

from aisle.types import Group, Product

FACET_FIELDS: tuple[str, ...] = (
    "product_type", "brand", "color", "size", "gender", "material", "pattern", "age_group",
    "availability", "condition", "on_sale",
)  # fmt: skip
"""Fields every catalogue has, though perhaps without values; attributes come on top."""

ID_FIELDS: tuple[str, ...] = ("item_id", "group_id")
"""Fields that filter but are not counted: every value would count one."""

VARIANT_FIELDS: tuple[str, ...] = ("availability", "color", "size")
"""Fields whose conditions must hold in one and the same variant: red AND M means a red one in M."""

ALIASES: Mapping[str, str] = {
    "category": "product_type",
    "categories": "product_type",
    "colour": "color",
    "id": "item_id",
}

MAX_VALUE_CHARS = 250
MAX_TEXT_CHARS = 20_000
MAX_TITLE_CHARS = 1_000
MAX_VALUES = 200
"""Values kept of one attribute of one group."""

JOIN = "|"
"""Stands between the values of a variant token; values never contain it."""

_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
_SEVERAL = re.compile(r"\s*/\s*")
_GENDER_SPLIT = re.compile(r"[/,;&\s]+")
_MALE = frozenset(
    {"male", "men", "man", "mens", "men's", "boy", "boys", "m", "男", "男士", "男款", "男性", "男装", "男童"}
)
_FEMALE = frozenset(
    {"female", "women", "woman", "womens", "women's", "ladies", "girl", "girls", "f", "w"}
    | {"女", "女士", "女款", "女性", "女装", "女童"}
)
_UNISEX = frozenset({"unisex", "all", "both", "中性", "男女通用", "男女", "通用"})


@dataclass(frozen=True, slots=True)
class Document:
    """What is indexed of one group.

    `values` are folded and filter; `shown` are the same values as displayed.
    `variants` maps a set of variant fields, as "color|size", to the
    combinations that exist. `prices` are what each variant costs now.
    """

    ord: int
    item_ids: tuple[str, ...]
    group_id: str
    title: str
    kind: str
    brand: str
    traits: str
    details: str
    text: str
    values: Mapping[str, Sequence[str]]
    shown: Mapping[str, Sequence[str]]
    variants: Mapping[str, Sequence[str]]
    prices: tuple[float, ...]
    first_seen_ms: int


def document(group: Group) -> Document:
    """The document of a group that has products."""
    lead = group.lead
    values: dict[str, dict[str, str]] = {}
    for item in group.products:
        for name, shown in item_values(item):
            key = filter_key(name, shown)
            if key:
                values.setdefault(name, {}).setdefault(key, shown)
    values["on_sale"] = {"true": "true"} if any(_on_sale(p) for p in group.products) else {"false": "false"}
    traits = [v for name in ("color", "size", "gender", "material", "pattern") for v in values.get(name, {}).values()]
    details = [v for name, found in values.items() if name not in FACET_FIELDS for v in found.values()]
    details += [t for p in group.products[:1] for t in p.additional_product_types]
    title = shared_title(group)
    details += _own_words(group.products, f"{title} {' '.join(traits)}")
    return Document(
        ord=group.ord,
        item_ids=tuple(dict.fromkeys(clean(p.item_id) for p in group.products)),
        group_id=clean(group.group_id),
        title=title[:MAX_TITLE_CHARS],
        kind=lead.product_type[:MAX_TITLE_CHARS],
        brand=lead.brand[:MAX_VALUE_CHARS],
        traits=" ".join(traits)[:MAX_TEXT_CHARS],
        details=" ".join(details)[:MAX_TEXT_CHARS],
        text=lead.description[:MAX_TEXT_CHARS],
        values={name: list(found)[:MAX_VALUES] for name, found in values.items()},
        shown={name: list(found.values())[:MAX_VALUES] for name, found in values.items()},
        variants=variant_tokens(group.products),
        prices=tuple(sorted({float(p.current_price.amount) for p in group.products if p.current_price})),
        first_seen_ms=max(0, group.first_seen_ms),
    )


def shared_title(group: Group) -> str:
    """What the variants' titles share ("Chaz Hoodie" of "Chaz Hoodie-XS-Black"), else the lead's title."""
    titles = [p.title for p in group.products]
    lead = group.lead.title.strip()
    if len(titles) < 2:
        return lead
    low, high = min(titles), max(titles)
    n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    if n == len(low) == len(high):
        return lead
    shared = low[:n]
    if n < len(low) and low[n].isalnum() and shared and shared[-1].isalnum():
        shared = re.sub(r"[^\W_]+$", "", shared)  # do not cut through a word
    traits = {fold(v) for p in group.products for v in (p.color, p.size) if v}
    shared = shared.rstrip(" -–—,/|(:·")
    while traits:  # all variants share a colour, say: it is still no part of the name
        head, dash, tail = shared.rpartition("-")
        if not dash or fold(tail) not in traits:
            break
        shared = head.rstrip(" -–—,/|(:·")
    return shared if len(shared) >= 3 and len(shared) * 4 >= len(lead) else lead


def _own_words(products: Sequence[Product], known: str) -> list[str]:
    """Words of variants' titles that the group's title and traits lack: a variant must be found by its own name."""
    if len(products) < 2:
        return []
    said = set(_WORD.findall(known.casefold()))
    words = dict.fromkeys(w for p in products for w in _WORD.findall(p.title[:MAX_TITLE_CHARS].casefold()))
    return [word for word in words if word not in said]


def item_values(item: Product) -> Iterable[tuple[str, str]]:
    """(field, value as displayed) of one product; Merchant's "A/B" gives each."""
    for kind in (item.product_type, *item.additional_product_types):
        if not kind:
            continue
        levels = [clean(level) for level in kind.split(">")]
        levels = [level for level in levels if level]
        for depth in range(1, len(levels) + 1):
            yield "product_type", " > ".join(levels[:depth])
    for name, value in (("color", item.color), ("material", item.material), ("pattern", item.pattern)):
        if not value:
            continue
        for part in _SEVERAL.split(value):
            if part.strip():
                yield name, clean(part)
    if item.gender.strip():
        yield "gender", gender_of(item.gender)
    for name, value in (
        ("brand", item.brand), ("size", item.size), ("age_group", item.age_group),
        ("availability", item.availability), ("condition", item.condition),
    ):  # fmt: skip
        if value and value.strip():
            yield name, clean(value)
    for name, several in item.attributes.items():
        key = field_name(name)
        if key and key not in FACET_FIELDS and key not in ID_FIELDS and key != "price":
            for value in several:
                # A paragraph is no value to choose from; its words are found through the details.
                if value.strip() and len(value) <= MAX_VALUE_CHARS:
                    yield key, clean(value)


def variant_tokens(products: Sequence[Product]) -> dict[str, list[str]]:
    """For each set of two or more variant fields, the combinations of values that some variant has."""
    tokens: dict[str, dict[str, None]] = {}
    for item in products:
        if not (item.color or item.size):
            continue
        colors = [filter_key("color", part) for part in _SEVERAL.split(item.color) if part.strip()]
        has = {
            "availability": [filter_key("availability", item.availability)],
            "color": colors,
            "size": [filter_key("size", item.size)] if item.size.strip() else [],
        }
        for n in range(2, len(VARIANT_FIELDS) + 1):
            for names in combinations(VARIANT_FIELDS, n):
                for combination in product(*(has[name] for name in names)):
                    tokens.setdefault(JOIN.join(names), {})[variant_token(combination)] = None
    return {names: list(found) for names, found in tokens.items()}


def variant_token(values: Sequence[str]) -> str:
    """Folded values, in the order of VARIANT_FIELDS, as one token."""
    return JOIN.join(values)


@lru_cache(8192)
def filter_key(name: str, value: str) -> str:
    """The form in which a field's value is indexed and looked up."""
    if name == "product_type":
        return " > ".join(part for level in value.split(">") if (part := fold(level)))[:MAX_VALUE_CHARS]
    if name == "gender":
        return gender_of(value)
    if name == "availability":
        return re.sub(r"[\s-]+", "_", fold(value)).replace(JOIN, "¦")
    if name in VARIANT_FIELDS:
        return fold(value).replace(JOIN, "¦")
    if name == "on_sale":
        return "true" if fold(value) in {"true", "1", "yes", "1.0"} else "false"
    return fold(value)


def gender_of(value: str) -> str:
    """male, female or unisex from what feeds write ("Men", "Men/Women/Unisex", 女士)."""
    words = {w for w in _GENDER_SPLIT.split(fold(value)) if w}
    male, female = bool(words & _MALE), bool(words & _FEMALE)
    if words & _UNISEX or (male and female):
        return "unisex"
    if male or female:
        return "male" if male else "female"
    return fold(value)


def field_name(name: str) -> str:
    """An attribute's name as filters write it: lower case, words joined by underscores."""
    return re.sub(r"[\W_]+", "_", fold(name))[:80].strip("_")


def fold(value: str) -> str:
    """NFKC, case and white space folded, control characters gone."""
    return clean(unicodedata.normalize("NFKC", value).casefold())


def clean(value: str) -> str:
    """As displayed: one line, no control characters, at most MAX_VALUE_CHARS."""
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value[: 4 * MAX_VALUE_CHARS])
    elif len(value) <= MAX_VALUE_CHARS and "  " not in value and " " not in value[:1] + value[-1:] and value.isascii():
        return value  # nearly always
    return _SPACE.sub(" ", value).strip()[:MAX_VALUE_CHARS].strip()


def _on_sale(item: Product) -> bool:
    return bool(item.sale_price and (item.price is None or item.sale_price.amount < item.price.amount))
