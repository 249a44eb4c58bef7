"""What the encoder reads of a product."""

from __future__ import annotations

import hashlib
import html
import re

from aisle.types import Group, Product

_DESCRIPTION_CHARS = 240
"""Of the description: its first sentences say what the thing is, later ones dilute the mean of the tokens."""

_VALUES_A_FIELD = 4
_FIELDS = ("color", "material", "gender", "pattern")
_TAG = re.compile(r"<[^>]{0,200}>")
_SPACE = re.compile(r"\s+")


def text_of(group: Group) -> str:
    """Title, category, brand, what the variants differ in, the start of the description.

    A group without products has the empty text.
    """
    if not group.products:
        return ""
    lead = group.lead
    parts = [lead.title]
    if lead.product_type:
        parts.append(lead.product_type.replace(">", ","))
    if lead.brand and lead.brand.casefold() not in lead.title.casefold():
        parts.append(lead.brand)
    parts.extend(filter(None, (_values(group.products, name) for name in _FIELDS)))
    parts.append(_plain(lead.description))
    return ". ".join(part for part in (_SPACE.sub(" ", p).strip(" .") for p in parts) if part)


def hash_of(text: str) -> str:
    """The key under which a text's vector is kept: 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _values(products: tuple[Product, ...], name: str) -> str:
    """The first few distinct values of one field among the variants."""
    distinct = dict.fromkeys(value for p in products if (value := getattr(p, name)))
    return " ".join(list(distinct)[:_VALUES_A_FIELD])


def _plain(description: str) -> str:
    """The first words of a description, without markup, not cut inside a word."""
    text = html.unescape(_TAG.sub(" ", description[: 8 * _DESCRIPTION_CHARS]))
    text = _SPACE.sub(" ", text).strip()
    if len(text) <= _DESCRIPTION_CHARS:
        return text
    return text[: _DESCRIPTION_CHARS + 1].rsplit(" ", 1)[0][:_DESCRIPTION_CHARS]
