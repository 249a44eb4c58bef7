"""Words that the catalogue does not know: typing errors, glued and parted compounds.

Candidates come from small buckets (a typing error seldom touches both the
first and the last letter), measured by rapidfuzz's optimal string alignment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from aisle.types import NOTHING
from aisle.understand.text import stem

MIN_LENGTH = 4
TWO_ERRORS_FROM = 8
MAX_CANDIDATES = 3


class Speller:
    """Corrects against words with their document frequencies."""

    def __init__(self, words: Mapping[str, int], *, searched: Mapping[str, int] = NOTHING) -> None:
        """`searched` counts searches with a word: of two known words, the one asked for is the likelier."""
        self._frequency = {w: n + searched.get(w, 0) for w, n in words.items()} if searched else words
        buckets: dict[tuple[str, str, int], list[str]] = {}
        for word in words:
            n = len(word)
            if MIN_LENGTH - 1 <= n <= 24 and word.isalpha():
                buckets.setdefault(("first", word[0], n), []).append(word)
                buckets.setdefault(("last", word[-1], n), []).append(word)
        self._buckets = buckets
        self.candidates = lru_cache(4096)(self._candidates)

    def _candidates(self, word: str) -> tuple[tuple[str, float], ...]:
        """Known words that may have been meant, best first, with weights in (0, 1)."""
        n = len(word)
        if n == MIN_LENGTH - 1 and word.isalpha():
            # Of so short a word only two letters that changed places are safe.
            swapped = {w for w in (word[1] + word[0] + word[2], word[0] + word[2] + word[1]) if w in self._frequency}
            return ((swapped.pop(), 0.8),) if len(swapped) == 1 else ()
        if n < MIN_LENGTH or n > 24 or not word.isalpha() or not word.isascii():
            return ()
        most = 1 if n < TWO_ERRORS_FROM else 2
        best: dict[str, tuple[int, float]] = {}
        for end, letter in (("first", word[0]), ("last", word[-1])):
            for length in range(n - most, n + most + 1):
                bucket = self._buckets.get((end, letter, length))
                if not bucket:
                    continue
                for found, distance, _ in process.extract(
                    word, bucket, scorer=OSA.distance, score_cutoff=most, limit=8
                ):
                    frequency = self._frequency.get(found, 1)
                    # A swap or a slip within a word is likelier than a wrong first letter.
                    cost = distance - 0.12 * math.log1p(frequency) + (0.3 if found[0] != word[0] else 0.0)
                    best[found] = (int(distance), cost)
        ordered = sorted(best.items(), key=lambda pair: (pair[1][1], pair[0]))
        if not ordered:
            return ()
        least = ordered[0][1][1]
        kept: list[tuple[str, float]] = []
        for found, (distance, cost) in ordered:
            weight = (0.85 if distance == 1 else 0.7) * math.exp(least - cost)
            # Plural and singular are one word to the index.
            if weight >= 0.3 and all(stem(found) != stem(k) for k, _ in kept):
                kept.append((found, round(weight, 3)))
        return tuple(kept[:MAX_CANDIDATES])

    def split(self, word: str) -> str:
        """ "yogastrap" → "yoga strap" when both are known words; else nothing."""
        best, found = 0, ""
        if not 6 <= len(word) <= 30 or not word.isalpha():
            return ""
        for i in range(3, len(word) - 2):
            rarer = min(self._frequency.get(word[:i], 0), self._frequency.get(word[i:], 0))
            if rarer > best:
                best, found = rarer, f"{word[:i]} {word[i:]}"
        return found

    def joined(self, parts: Sequence[str]) -> str:
        """ "back", "pack" → "backpack" when that is a known word; else nothing."""
        whole = "".join(parts)
        return whole if len(whole) >= MIN_LENGTH and self._frequency.get(whole, 0) else ""
