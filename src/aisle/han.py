"""Chinese as text: which characters are Chinese, traditional ones as simplified, how they are read.

Every part that compares words folds them here, so that 紅色 and 红色 are one word to the
index, to understanding and to suggestions; what is displayed stays as it was written.
The tables are read from their libraries when the first Chinese character comes by.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

HAN: Final = r"㐀-䶿一-鿿豈-﫿"
"""The ranges of Chinese characters, for a character class."""

HAN_RUN: Final = re.compile(rf"[{HAN}]+")
_FIRST_HAN: Final = "㐀"


def has_han(text: str) -> bool:
    """Whether any character is Chinese. Nearly free for Latin text."""
    return not text.isascii() and HAN_RUN.search(text) is not None


def simplified(text: str) -> str:
    """Traditional characters as simplified ones, one for one: the length and all other characters stay.

    By single characters, not by phrases: a fold must only be the same on both sides.
    """
    if text.isascii() or max(text) < _FIRST_HAN:
        return text
    return text.translate(_to_simplified())


@lru_cache(1)
def _to_simplified() -> dict[int, str]:
    """OpenCC's table of characters: 4,200 pairs, read in about 30 ms."""
    import opencc

    ranges = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00))
    each = [chr(code) for codes in ranges for code in codes]
    folded = opencc.OpenCC("t2s").convert("\n".join(each)).split("\n")
    return {ord(old): new for old, new in zip(each, folded, strict=True) if old != new and len(new) == 1}


@lru_cache(16_384)
def syllables(text: str) -> tuple[str, ...]:
    """How a text is read: a syllable without its tone for each Chinese character (跑步鞋: pao, bu, xie).

    Other letters and digits stay, one word for each run; ü is v, as keyboards have it.
    """
    from pypinyin import lazy_pinyin

    words: list[str] = []
    for part in re.findall(rf"[{HAN}]+|[^\W_{HAN}]+", unicodedata.normalize("NFKC", text)):
        words += lazy_pinyin(simplified(part)) if HAN_RUN.match(part) else [part.lower()]
    return tuple(words)
