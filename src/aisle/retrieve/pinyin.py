"""What is typed in pinyin to the Chinese that it stands for: paobuxie, pao bu xie, pbx, paobu鞋 → 跑步鞋.

An input method for the shop's own vocabulary: each phrase is kept by its syllables
joined and by their initials, sorted, so what begins with the typed letters is one slice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from aisle.han import has_han, syllables

MAX_PHRASES: Final = 20_000
MAX_PHRASE_CHARS: Final = 12
MAX_LETTERS: Final = 40
MIN_LETTERS: Final = 2
MIN_INITIALS: Final = 2
MAX_READINGS: Final = 8
"""Ways in which the Chinese characters among the typed letters may be read together."""

BY_INITIALS: Final = 0.25
PER_LETTER_LEFT: Final = 0.02
MAX_LEFT: Final = 0.2
EXACT: Final = 0.15


class Reading(NamedTuple):
    """A phrase that may be meant; `score` in about [0.5, 1.4], `begins` words of what was typed stand before it."""

    phrase: str
    score: float
    begins: int


class Pinyin:
    """An immutable index of phrases with their weights in [0, 1]; pypinyin is loaded when one is Chinese."""

    def __init__(self, phrases: Mapping[str, float]) -> None:
        chosen = [p for p in phrases if 2 <= len(p) <= MAX_PHRASE_CHARS and has_han(p)]
        chosen = sorted(chosen, key=lambda p: (-phrases[p], p))[:MAX_PHRASES]
        self._phrases = chosen
        self._weights = np.array([phrases[p] for p in chosen], np.float32)
        self._readings: dict[str, tuple[str, ...]] = {}
        keys: list[tuple[str, int, bool]] = []
        for row, phrase in enumerate(chosen):
            said = syllables(phrase)
            keys.append(("".join(said), row, False))
            if len(said) >= MIN_INITIALS:
                keys.append(("".join(s[0] for s in said), row, True))
            self._learn(phrase, said)
        keys.sort()
        self._keys = [key for key, _, _ in keys]
        self._rows = np.array([row for _, row, _ in keys], np.int32)
        self._of_initials = np.array([initials for _, _, initials in keys], np.bool_)
        self._lengths = np.array([len(key) for key in self._keys], np.int32)

    def __len__(self) -> int:
        return len(self._phrases)

    def _learn(self, phrase: str, said: tuple[str, ...]) -> None:
        """How each character is read here: 长 is chang in 长裤."""
        if len(said) == len(phrase):
            for char, syllable in zip(phrase, said, strict=True):
                known = self._readings.get(char, ())
                if syllable not in known:
                    self._readings[char] = (*known, syllable)

    def read(self, words: Sequence[str], top_k: int) -> list[Reading]:
        """The phrases that the words, or the last of them, may stand for; best first.

        `words` are folded, Chinese ones a character each. Words before those that are
        read stay as they are, as in 红色 paobuxie or fjordlane mkb.
        """
        if not self._phrases:
            return []
        for begins in range(len(words)):
            rest = words[begins:]
            if rest[0].isascii() or not any(w.isascii() for w in words[:begins]):
                if not any(w.isascii() and w.isalpha() for w in rest):
                    break  # no letters are left to be read
                if found := self._meant(rest, top_k, begins):
                    return found
        return []

    def _meant(self, words: Sequence[str], top_k: int, begins: int) -> list[Reading]:
        han = [w for w in words if not w.isascii()]
        best: dict[int, float] = {}
        for letters in self._spelt(words):
            low = bisect_left(self._keys, letters)
            high = bisect_left(self._keys, letters + "\x7f", low)
            if low == high:
                continue
            left = np.minimum((self._lengths[low:high] - len(letters)) * PER_LETTER_LEFT, MAX_LEFT)
            scores = 1 + 0.1 * self._weights[self._rows[low:high]] - left
            scores += EXACT * (self._lengths[low:high] == len(letters)) - BY_INITIALS * self._of_initials[low:high]
            order = np.argsort(-scores, kind="stable")[: 4 * top_k]
            for row, score in zip(self._rows[low:high][order].tolist(), scores[order].tolist(), strict=True):
                if score > best.get(row, 0.0) and _in_order(han, self._phrases[row]):
                    best[row] = score
        ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:top_k]
        return [Reading(self._phrases[row], score, begins) for row, score in ranked]

    def _spelt(self, words: Sequence[str]) -> Iterator[str]:
        """The words as letters without spaces, in each reading of the Chinese among them."""
        ways = [(w,) if w.isascii() else self._readings.get(w, ()) for w in words]
        for n, way in enumerate(product(*ways)):
            letters = "".join(way)
            if n == MAX_READINGS or len(letters) > MAX_LETTERS:
                return
            if len(letters) >= MIN_LETTERS:
                yield letters


def _in_order(chars: Sequence[str], phrase: str) -> bool:
    rest = iter(phrase)
    return all(char in rest for char in chars)
