"""Words being typed to the texts that hold them: the index under suggestions.

Texts are rows; words are a sorted vocabulary, so the words that begin with a
prefix are one slice, and so are their postings. A typing error is looked for by
walking the tree of prefixes: at each letter of what was typed, try every letter
that really follows there (Levenshtein automata over a trie, with transpositions
as Damerau counts them). An error in the first letter costs no more than another.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.han import has_han, simplified

WORD: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
"""A word, or one Chinese character."""

MAX_WORDS: Final = 10
MAX_CHINESE: Final = 31
"""Words of a text with Chinese, in which every character is one."""
PLACE_BITS: Final = 5
MAX_PREFIX: Final = 14
"""Letters up to which the tree of prefixes is kept."""

FOLLOWS: Final = 0.5
AT_START: Final = 0.3
WHOLE_WORD: Final = 0.15
EDITED: Final = 0.8
EDITED_FIRST: Final = 0.15
PER_WORD: Final = 0.03
MISSING: Final = 1.0
NOWHERE: Final = -9
ENOUGH: Final = 8
"""With so many texts found, a typing error is not looked for."""

SURE_WORDS: Final = 2
"""With more words than this, all found in one text, a typing error is no longer looked for."""


Words: TypeAlias = tuple[str, ...]


class Match(NamedTuple):
    """A text that matches; `words` are the beginnings that were looked for in the end, `whole` that none is missing."""

    row: int
    score: float
    words: Words
    whole: bool = True


def fold_word(word: str) -> str:
    """A word without case, width and accents; Chinese as simplified characters."""
    if word.isascii():
        return word.lower()
    if len(word) == 1 and "㐀" <= word <= "\ufaff":
        return simplified(word)
    plain = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFKC", "".join(c for c in plain if not unicodedata.combining(c))).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text, folded, at most MAX_WORDS, or MAX_CHINESE where there is Chinese among them."""
    found = WORD.findall(text)
    if len(found) > MAX_WORDS:
        found = found[: MAX_CHINESE if has_han(text) else MAX_WORDS]
    return [fold_word(m) for m in found]


class Completions:
    """An immutable index of texts, given as their words; `boosts` float[n] say which are wanted more."""

    def __init__(self, texts: Sequence[Sequence[str]], boosts: Sequence[float]) -> None:
        postings: dict[str, array[int]] = {}
        lengths = np.ones(len(texts), np.float32)
        for row, words in enumerate(texts):
            lengths[row] = len(words)
            for place, word in enumerate(words):
                of_word = postings.get(word)
                if of_word is None:
                    of_word = postings[word] = array("I")
                of_word.append(row << PLACE_BITS | place)
        self.n = len(texts)
        self._words = sorted(postings)
        self._word_at = {word: at for at, word in enumerate(self._words)}
        self._starts = np.zeros(len(self._words) + 1, np.int64)
        np.cumsum([len(postings[w]) for w in self._words], out=self._starts[1:])
        packed = np.concatenate(
            [np.frombuffer(postings[w], np.uint32) for w in self._words] or [np.empty(0, np.uint32)]
        )
        self._rows, self._places = (
            (packed >> PLACE_BITS).astype(np.int32),
            (packed & (2**PLACE_BITS - 1)).astype(np.int8),
        )
        self._base = np.asarray(boosts, np.float32) - PER_WORD * lengths
        self._next = self._tree()

    def _tree(self) -> dict[str, str]:
        """The letters that follow each prefix."""
        following: dict[str, dict[str, None]] = {}
        before = ""
        for word in self._words:
            shared = 0
            while shared < min(len(before), len(word)) and before[shared] == word[shared]:
                shared += 1
            for end in range(shared, min(len(word), MAX_PREFIX)):
                following.setdefault(word[:end], {})[word[end]] = None
            before = word
        shared_strings: dict[str, str] = {}
        return {prefix: shared_strings.setdefault(s := "".join(letters), s) for prefix, letters in following.items()}

    def knows(self, word: str) -> bool:
        """Whether it is a whole word of some text."""
        return word in self._word_at

    def likeliest(self, begun: str) -> str:
        """The word of most texts among those that begin so; empty when none does."""
        low = bisect_left(self._words, begun)
        high = bisect_left(self._words, begun + "\U0010ffff", low)
        return self._words[low + int(np.diff(self._starts[low : high + 1]).argmax())] if low < high else ""

    # --------------------------------------------------------------- search

    def search(self, words: Sequence[str], *, last_whole: bool, top_k: int, forgiving: bool = True) -> list[Match]:
        """Texts with all the words, the last one begun unless `last_whole`; best first.

        When those are few, also texts with one typing error in
        one of the words; when there are none of either, texts with most of the words.
        Only those with all words as typed when not `forgiving`.
        """
        if not self.n or not words:
            return []
        # Dense float32[n] by word: 0 where a text lacks it. Sums and counts then cost microseconds each.
        slices = [self._slice(w, last_whole or at + 1 < len(words)) for at, w in enumerate(words)]
        places: list[NDArray[np.int8]] = []
        parts: list[NDArray[np.float32]] = []
        for bounds in slices:
            parts.append(self._parts(bounds, places[-1] if places else None))
            places.append(self._places_of(bounds))
        total = parts[0].copy()
        held = (parts[0] > 0).astype(np.int8)
        for part in parts[1:]:
            total += part
            held += part > 0
        rows = np.flatnonzero(held == len(words))
        found = self._best(rows, total[rows], top_k, tuple(words))
        if not forgiving:
            return found
        if len(found) < (1 if len(words) > SURE_WORDS else min(top_k, ENOUGH)):
            # Where no text has a word, an error in another word helps nobody.
            lacking = [at for at, (begin, end, _) in enumerate(slices) if begin == end]
            for at in range(len(words)) if not lacking else lacking if len(lacking) == 1 else ():
                word = words[at]
                if len(word) > 1 and not word.isdigit():  # another number is another product
                    whole = last_whole or at + 1 < len(words)
                    before = places[at - 1] if at else None
                    found += self._mistyped(words, at, whole, before, total - parts[at], held - (parts[at] > 0), top_k)
        if not found and len(words) > 1:
            rows = np.flatnonzero(held == max(1, int(held.max())))
            found = [m._replace(whole=False) for m in self._best(rows, total[rows] - MISSING, top_k, tuple(words))]
        return sorted(found, key=lambda m: (-m.score, m.row))[: 2 * top_k]

    def _slice(self, word: str, whole: bool) -> tuple[int, int, int]:
        """Where the postings of a word begin and end, and where those of the whole word end.

        A word before the last is taken whole if there is such a word, else as begun.
        """
        at = self._word_at.get(word)
        if at is not None and whole:
            return int(self._starts[at]), int(self._starts[at + 1]), int(self._starts[at + 1])
        low = bisect_left(self._words, word)
        high = bisect_left(self._words, word + "\U0010ffff", low)
        exact_end = self._starts[at + 1] if at is not None else self._starts[low]
        return int(self._starts[low]), int(self._starts[high]), int(exact_end)

    def _places_of(self, bounds: tuple[int, int, int]) -> NDArray[np.int8]:
        """Where the word stands in each text; NOWHERE in those that lack it."""
        dense = np.full(self.n, NOWHERE, np.int8)
        dense[self._rows[bounds[0] : bounds[1]]] = self._places[bounds[0] : bounds[1]]
        return dense

    def _parts(self, bounds: tuple[int, int, int], before: NDArray[np.int8] | None) -> NDArray[np.float32]:
        """What a word adds to each text; `before` is where the word typed before it stands.

        Later writes win: those at the start, then those that follow the word before.
        """
        begin, end, exact_end = bounds
        rows, places = self._rows[begin:end], self._places[begin:end]
        dense = np.zeros(self.n, np.float32)
        dense[rows] = 1.0
        dense[rows[places == 0]] = 1.0 + AT_START
        if before is not None:
            dense[rows[places == before[rows] + 1]] = 1.0 + FOLLOWS
        dense[self._rows[begin:exact_end]] += WHOLE_WORD
        return dense

    def _best(self, rows: NDArray[np.int64], scores: NDArray[np.float32], top_k: int, words: Words) -> list[Match]:
        scores = scores + self._base[rows]
        if len(rows) > 4 * top_k:
            best = np.argpartition(-scores, top_k)[:top_k]
            rows, scores = rows[best], scores[best]
        best = np.lexsort((rows, -scores))[:top_k]
        return [Match(row, score, words) for row, score in zip(rows[best].tolist(), scores[best].tolist(), strict=True)]

    def _mistyped(
        self,
        words: Sequence[str],
        at: int,
        whole: bool,
        before: NDArray[np.int8] | None,
        others: NDArray[np.float32],
        n_others: NDArray[np.int8],
        top_k: int,
    ) -> list[Match]:
        """Texts with all the other words and one that is an error away from the word at `at`."""
        edits = self._edits(words[at], whole=whole)
        if not edits:
            return []
        bounds = np.array([self._slice(word, whole) for word, _ in edits])
        sizes = bounds[:, 1] - bounds[:, 0]
        of_edit = np.repeat(np.arange(len(edits)), sizes)
        cells = np.arange(int(sizes.sum())) + np.repeat(bounds[:, 0] - (np.cumsum(sizes) - sizes), sizes)
        rows = self._rows[cells]
        kept = np.flatnonzero(n_others[rows] == len(words) - 1)
        rows, of_edit, cells = rows[kept], of_edit[kept], cells[kept]
        places = self._places[cells]
        scores = others[rows] + self._base[rows] + 1 + AT_START * (places == 0)
        if before is not None:
            scores += FOLLOWS * (places == before[rows] + 1)
        scores += WHOLE_WORD * (cells < bounds[of_edit, 2]) - np.array([cost for _, cost in edits])[of_edit]
        if len(rows) > 8 * top_k:
            best = np.argpartition(-scores, 4 * top_k)[: 4 * top_k]
            rows, scores, of_edit = rows[best], scores[best], of_edit[best]
        order = np.lexsort((rows, -scores))[: 4 * top_k]
        found = zip(rows[order].tolist(), scores[order].tolist(), of_edit[order].tolist(), strict=True)
        return [Match(row, score, (*words[:at], edits[edit][0], *words[at + 1 :])) for row, score, edit in found]

    # ---------------------------------------------------------- typing errors

    def _edits(self, word: str, *, whole: bool) -> list[tuple[str, float]]:
        """Words (whole) or prefixes of words at one insertion, deletion, substitution or swap."""
        known, following = (self._word_at if whole else self._next), self._next
        found: dict[str, float] = {}

        def offer(candidate: str, at: int) -> None:
            if candidate != word and (candidate in known or (not whole and candidate in self._word_at)):
                found.setdefault(candidate, EDITED + EDITED_FIRST * (at == 0))

        for at in range(min(len(word), MAX_PREFIX) + 1):
            head, tail = word[:at], word[at:]
            letters = following.get(head)
            if letters is None:
                break  # nothing begins like this: the error lies before
            if len(tail) > 1 and tail[0] != tail[1]:
                offer(head + tail[1] + tail[0] + tail[2:], at)
            if tail and len(word) > 2:
                offer(head + tail[1:], at)
            for letter in letters:
                offer(head + letter + tail, at)
                if tail:
                    offer(head + letter + tail[1:], at)
        return list(found.items())
