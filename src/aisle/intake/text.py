"""Cleaning text from strangers: Unicode NFC, no control characters, no tags; emoji and every script stay."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import orjson

MAX_RAW_CHARS = 400_000
"""Characters of one text that are looked at; a shop's longest description is far below."""

# C0 and C1 controls except tab and line ends, byte-order marks, lone surrogates, and
# the directional overrides (which can make a price read backwards; marks and isolates stay).
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff\u202a-\u202e]")
_TAG = re.compile(r"<(?:/?[a-zA-Z]|!)[^<>]*>")
_SILENT = re.compile(r"<(/?)(script|style|template|noscript)\b[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?li|/?ul|/?ol|/?tr|/?table|/?h[1-6])\b[^<>]*>", re.IGNORECASE)
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")
_UNDECODED = re.compile("[\ud800-\udfff]")


def scalar_text(value: object, depth: int = 4) -> str:
    """A cell as text: numbers without a needless `.0`, lists joined by `/`, nothing for None and NaN."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**300 else ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        # JSON may nest a thousand lists; no cell means that.
        return "/".join(part for each in value if (part := scalar_text(each, depth - 1))) if depth else ""
    if isinstance(value, Mapping):
        try:
            return orjson.dumps(dict(value), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except (TypeError, ValueError, RecursionError):
            return ""
    if isinstance(value, bytes):
        return ""
    return str(value)


def brief(value: object, limit: int = 200) -> str:
    """Any value as Python writes it, for a message; never fails."""
    try:
        return str(value)[:limit]
    except (ValueError, RecursionError):
        return "…"


def one_line(value: object, limit: int) -> str:
    """Text on one line, trimmed, at most `limit` characters."""
    text = value if type(value) is str else scalar_text(value)
    if text.isascii() and text.isprintable() and "  " not in text and "&" not in text:
        return text.strip()[:limit]
    text = _clean(text[:MAX_RAW_CHARS])
    if "&" in text:
        text = _clean(html.unescape(text))
    return " ".join(text.split())[:limit].rstrip()


def prose(value: object, limit: int) -> tuple[str, bool]:
    """Text of several lines without HTML, and whether it had to be cut at `limit` characters."""
    raw = value if type(value) is str else scalar_text(value)
    text = raw[:MAX_RAW_CHARS]
    if "<" in text or "&" in text:
        # Feeds often hold HTML escaped a second time: `&lt;p&gt;`.
        text = without_tags(html.unescape(without_tags(text)))
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()[:limit], len(raw) > limit
    text = _clean(text)
    text = _LINES.sub("\n", _SPACES.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()
    cut = len(text) > limit or len(raw) > MAX_RAW_CHARS
    return (text[:limit].rstrip() if len(text) > limit else text), cut


def without_tags(text: str) -> str:
    """The words of an HTML text; what scripts and styles hold is dropped. Linear in its length."""
    if "<" not in text:
        return text
    text = _without_comments(text)
    kept: list[str] = []
    start, silent = 0, ""
    for token in _SILENT.finditer(text):
        closing, name = token[1], token[2].lower()
        if not silent and not closing:
            kept.append(text[start : token.start()])
            silent = name
        elif silent and closing and name == silent:
            start, silent = token.end(), ""
    if not silent:
        kept.append(text[start:])
    return _TAG.sub("", _BREAK.sub("\n", " ".join(kept) if len(kept) > 1 else "".join(kept)))


def _without_comments(text: str) -> str:
    parts, start = [], 0
    while (opening := text.find("<!--", start)) >= 0:
        parts.append(text[start:opening])
        closing = text.find("-->", opening + 4)
        if closing < 0:
            return "".join(parts)
        start = closing + 3
    return "".join((*parts, text[start:])) if parts else text


def has_surrogate(text: str) -> bool:
    """Whether a byte of it could not be decoded."""
    return not text.isascii() and _UNDECODED.search(text) is not None


def _clean(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        text = _UNWANTED.sub("", text)
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
    return text
