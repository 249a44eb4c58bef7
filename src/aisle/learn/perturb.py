"""Queries as hurried fingers type them: what an encoder should not mind."""

from __future__ import annotations

from typing import Final

import numpy as np

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LEAST: Final = 4
"""Letters of a word that may be mistyped: in a shorter one the mistake is mostly another word."""


def _neighbours() -> dict[str, str]:
    """The keys beside, above and below each letter."""
    found = {}
    for row, keys in enumerate(_ROWS):
        for place, key in enumerate(keys):
            beside = keys[max(0, place - 1) : place] + keys[place + 1 : place + 2]
            above = _ROWS[row - 1][place : place + 2] if row else ""
            below = _ROWS[row + 1][max(0, place - 1) : place + 1] if row + 1 < len(_ROWS) else ""
            found[key] = beside + above + below
    return found


_NEAR: Final = _neighbours()


def mistyped(query: str, rng: np.random.Generator) -> str:
    """One letter of one word swapped with the next, left out, typed twice or missed for a key beside it.

    The first letter stays, as it mostly does, and so do words with a digit in
    them: a number mistyped is another number. Unchanged when no word is long enough.
    """
    words = query.split()
    able = [place for place, word in enumerate(words) if len(word) >= _LEAST and word.isalpha()]
    if not able:
        return query
    place = able[int(rng.integers(len(able)))]
    words[place] = _slip(words[place], rng)
    return " ".join(words)


def _slip(word: str, rng: np.random.Generator) -> str:
    at, kind = int(rng.integers(1, len(word) - 1)), int(rng.integers(4))
    if kind == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    keys = _NEAR.get(word[at].lower(), "")
    if not keys:
        return word[:at] + word[at + 1 :]
    return word[:at] + keys[int(rng.integers(len(keys)))] + word[at + 1 :]


def dropped(query: str, rng: np.random.Generator) -> str:
    """Without one of its words; unchanged with fewer than three, for two words without one are another query."""
    words = query.split()
    if len(words) < 3:
        return query
    del words[int(rng.integers(len(words)))]
    return " ".join(words)


def swapped(query: str, rng: np.random.Generator) -> str:
    """Two words that stand together, the other way round; unchanged when it has one word."""
    words = query.split()
    if len(words) < 2:
        return query
    at = int(rng.integers(len(words) - 1))
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def perturbed(query: str, rng: np.random.Generator) -> str:
    """The query with a typing error (half of the time), a word left out or two swapped; what cannot be done is not."""
    kind = float(rng.random())
    change = mistyped if kind < 0.5 else dropped if kind < 0.75 else swapped
    found = change(query, rng)
    return found if found != query else mistyped(query, rng)
