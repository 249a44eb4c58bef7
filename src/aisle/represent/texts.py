"""What the encoder reads of a product."""

from __future__ import annotations

import hashlib
import html
import re

from aisle.types import Group

_DESCRIPTION_CHARS = 160
"""Of the description, where there is no category: its start says what the thing is."""

_N_COLORS = 4
_BETWEEN = " -,/(|:·–"
_TAG = re.compile(r"<[^>]{0,200}>")
_SPACE = re.compile(r"\s+")


def text_of(group: Group) -> str:
    """Title, innermost category and colours; without a category, brand and the start of the description.

    Few words on purpose: a vector is the mean of its words, and each one more
    that shoppers do not search by moves the product away from those they do.
    On a shop of sports wear, descriptions and materials made queries for a kind
    of product clearly worse. A group without products has the empty text.
    """
    if not group.products:
        return ""
    lead = group.lead
    parts = [_title(group)]
    kind = lead.product_type.rsplit(">", 1)[-1]
    if kind.strip():
        parts.append(kind)
    else:
        if lead.brand.casefold() not in lead.title.casefold():
            parts.append(lead.brand)
        parts.append(_plain(lead.description))
    parts.append(" ".join(list(dict.fromkeys(p.color for p in group.products if p.color))[:_N_COLORS]))
    return ". ".join(part for part in (_SPACE.sub(" ", p).strip(" .") for p in parts) if part)


def hash_of(text: str) -> str:
    """The key under which a text's vector is kept: 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _title(group: Group) -> str:
    """What the variants' titles share: "Chaz Hoodie" of "Chaz Hoodie-XS-Black" and "Chaz Hoodie-S-Red"."""
    titles = {p.title for p in group.products}
    if len(titles) == 1:
        return group.lead.title
    first, last = min(titles), max(titles)
    shared = first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
    end = max((shared.rfind(c) for c in _BETWEEN), default=-1)  # the last word may be cut in two
    shared = shared[: end + 1].rstrip(_BETWEEN)
    return shared if len(shared) >= 4 else group.lead.title


def _plain(description: str) -> str:
    """The first words of a description, without markup, not cut inside a word."""
    text = html.unescape(_TAG.sub(" ", description[: 8 * _DESCRIPTION_CHARS]))
    text = _SPACE.sub(" ", text).strip()
    if len(text) <= _DESCRIPTION_CHARS:
        return text
    return text[: _DESCRIPTION_CHARS + 1].rsplit(" ", 1)[0][:_DESCRIPTION_CHARS]
