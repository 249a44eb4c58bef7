"""Text as understanding reads it: cleaned, cut into words, stemmed lightly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache

from aisle.han import HAN, simplified

_WORDS = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:[-’'][^\W_{HAN}]+)*")
_ASCII_WORDS = re.compile(r"[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*")
"""The same of plain text, in two thirds of the time."""
_HAN = re.compile(rf"[{HAN}]")
_SPACE = re.compile(r"\s+")
_VOWEL = re.compile(r"[aeiouy]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query, lower case, with its place in the cleaned text."""

    text: str
    start: int
    end: int
    stem: str

    @property
    def is_han(self) -> bool:
        return is_han(self.text)


def is_han(word: str) -> bool:
    """Whether a word of `spans` or `words` is a run of Chinese."""
    return word[:1] >= "㐀" and bool(_HAN.match(word))


def normalise(text: str, max_chars: int) -> str:
    """NFKC, one line, no control characters, at most `max_chars`."""
    text = unicodedata.normalize("NFKC", text[:max_chars])[:max_chars]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return _SPACE.sub(" ", text).strip()


def words(text: str) -> list[Word]:
    """Runs of letters and digits; hyphens and apostrophes inside stay, a run of Chinese is one word."""
    return [Word(word, start, end, stem(word)) for start, end, word in spans(text)]


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and lower-case form of each word; Chinese as simplified characters."""
    for match in (_ASCII_WORDS if text.isascii() else _WORDS).finditer(text):
        if word := _plain(match[0].lower()):
            yield match.start(), match.end(), word


def spans_like(text: str, begins: Container[str]) -> Iterator[tuple[int, int, str]]:
    """Those of `spans` that begin with two characters (or are one) out of `begins`, or have a hyphen, or are Chinese;
    in plain text, of which little is wanted, in a fraction of the time."""
    if not text.isascii():
        yield from spans(text)
        return
    for match in _ASCII_WORDS.finditer(text.lower()):
        word = match[0]
        if (word[:2] in begins or "-" in word or "'" in word) and (word := _plain(word)):
            yield match.start(), match.end(), word


def _plain(word: str) -> str:
    if "'" in word or "’" in word:
        word = word.replace("’", "'").removesuffix("'s").replace("'", "")
    return word if word.isascii() else simplified(word)


def key(text: str) -> str:
    """The stems of a phrase, by which vocabulary and query are compared."""
    return " ".join(w.stem for w in words(normalise(text, 200)))


@lru_cache(16_384)
def stem(word: str) -> str:
    """A light English stem: only for comparing words with each other, so consistent rather than pretty.

    hoodie, hoodies, hoody → hoodi; watches → watch; running → run.
    """
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        root = word.removesuffix(suffix)
        if root != word and len(root) >= 3 and _VOWEL.search(root):
            word = root[:-1] if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    if word.endswith("ie"):
        return word[:-1]
    if word.endswith("y") and len(word) > 3:
        return word[:-1] + "i"
    if word.endswith("e") and len(word) > 4:
        return word[:-1]
    return word


def language_of(text: str) -> str:
    """zh when Chinese characters prevail, und for other scripts than Latin, else en."""
    if text.isascii():
        return "en"
    han = latin = other = 0
    for char in text:
        if _HAN.match(char):
            han += 2  # a Chinese word is two characters, a Latin one about five
        elif char.isalpha():
            if char.isascii() or "LATIN" in unicodedata.name(char, ""):
                latin += 1
            else:
                other += 1
    if han and han * 2 >= latin and han >= other:
        return "zh"
    return "und" if other > latin else "en"
