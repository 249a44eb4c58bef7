"""Words being typed to the texts that hold them: the index under suggestions.

Texts are rows; words are a sorted vocabulary, so the words that begin with a
prefix are one slice, and so are their postings. The texts with the rarest of
the words typed are looked at one by one: what a keystroke costs depends on
those, not on how many texts there are. A typing error is looked for by
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


FEW: Final = 1_000
"""Texts that are looked at one by one without sifting them first."""

MOST: Final = 5_000
"""Texts that are looked at when none has all the words."""

Words: TypeAlias = tuple[str, ...]
Rows: TypeAlias = NDArray[np.integer]
_Range: TypeAlias = tuple[int, int, int]
"""Numbers of words that are meant, from and below; and that of the word itself, or -1."""


class Match(NamedTuple):
    """A text that matches; `words` are the beginnings that were looked for in the end, `whole` that none is missing."""

    row: int
    score: float
    words: Words
    whole: bool = True


class _Typo:
    """What the word at `at` may have been: for each known word its gain (-inf: not that) and the edit it comes of."""

    def __init__(self, at: int, n_words: int) -> None:
        self.at = at
        self.gain = np.full(n_words, -np.inf, np.float32)
        self.edit = np.zeros(n_words, np.int32)
        self.chosen: dict[int, int] = {}

    def offer(self, low: int, high: int, edit: int, gain: float) -> None:
        better = self.gain[low:high] < gain
        self.gain[low:high][better] = gain
        self.edit[low:high][better] = edit


def _size(places: slice) -> int:
    return int(places.stop - places.start)


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
        self._rows, places = (packed >> PLACE_BITS).astype(np.int32), packed & (2**PLACE_BITS - 1)
        self._base = np.asarray(boosts, np.float32) - PER_WORD * lengths
        self._alone = self._base[self._rows] + np.where(places == 0, 1 + AT_START, 1).astype(np.float32)
        # The same the other way round: the words of each text, in their order.
        word_of = np.repeat(np.arange(len(self._words), dtype=np.int32), np.diff(self._starts))
        self._words_of = word_of[np.argsort(packed, kind="stable")]
        self._texts = np.zeros(self.n + 1, np.int64)
        np.cumsum(np.bincount(self._rows, minlength=self.n), out=self._texts[1:])
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
        wanted = [self._range(word, last_whole or at + 1 < len(words)) for at, word in enumerate(words)]
        rows = self._rows_with(wanted) if len(words) > 1 else self._likely([(wanted[0], 0.0)], top_k)
        found = self._best(*self._scored(rows, wanted), top_k, tuple(words))
        if not forgiving:
            return found
        if len(found) < (1 if len(words) > SURE_WORDS else min(top_k, ENOUGH)):
            # Where no text has a word, an error in another word helps nobody.
            lacking = [at for at, (low, high, _) in enumerate(wanted) if low == high]
            for at in range(len(words)) if not lacking else lacking if len(lacking) == 1 else ():
                word = words[at]
                if len(word) > 1 and not word.isdigit():  # another number is another product
                    found += self._mistyped(words, wanted, at, last_whole or at + 1 < len(words), top_k)
        if not found and len(words) > 1:
            rows, scores = self._scored(self._rows_with_most(wanted), wanted, all_held=False)
            found = [m._replace(whole=False) for m in self._best(rows, scores - MISSING, top_k, tuple(words))]
        return sorted(found, key=lambda m: (-m.score, m.row))[: 2 * top_k]

    def _range(self, word: str, whole: bool) -> _Range:
        """The numbers of the words that are meant: this one if it is whole and there is such a word, else all begun."""
        at = self._word_at.get(word, -1)
        if at >= 0 and whole:
            return at, at + 1, at
        low = bisect_left(self._words, word)
        return low, bisect_left(self._words, word + "\U0010ffff", low), at

    def _postings(self, wanted: _Range) -> slice:
        return slice(int(self._starts[wanted[0]]), int(self._starts[wanted[1]]))

    def _rows_with(self, wanted: Sequence[_Range]) -> Rows:
        """Texts among which are all that have all of the words: those with the rarest, sifted when they are many."""
        rarest, *others = sorted((self._postings(w) for w in wanted), key=_size)
        rows = np.unique(self._rows[rarest])
        return self._sifted(rows, [[places] for places in others])

    def _sifted(self, rows: Rows, needed: Sequence[Sequence[slice]]) -> Rows:
        """Of many texts those that have postings in one slice at least of each of the `needed`."""
        for slices in needed:
            if len(rows) <= FEW:
                break
            has = np.zeros(self.n, bool)
            for places in slices:
                has[self._rows[places]] = True
            rows = rows[has[rows]]
        return rows

    def _rows_with_most(self, wanted: Sequence[_Range]) -> Rows:
        """The texts that have the most of the words; of very many the most wanted ones."""
        held = np.zeros(self.n, np.int8)
        for w in wanted:
            held[np.unique(self._rows[self._postings(w)])] += 1
        rows = np.flatnonzero(held == max(1, int(held.max())))
        return rows if len(rows) <= MOST else rows[np.argpartition(-self._base[rows], MOST)[:MOST]]

    def _likely(self, meanings: Sequence[tuple[_Range, float]], top_k: int) -> Rows:
        """The texts that may be best where one word was typed, given what it may mean at which cost."""
        rows, scores = [], []
        for wanted, cost in meanings:
            places = self._postings(wanted)
            alone = self._alone[places] - np.float32(cost)
            if wanted[2] >= 0:
                alone[: int(self._starts[wanted[2] + 1]) - places.start] += WHOLE_WORD
            here = self._rows[places]
            if len(alone) > 8 * top_k:
                best = np.argpartition(-alone, 8 * top_k)[: 8 * top_k]
                here, alone = here[best], alone[best]
            rows.append(here)
            scores.append(alone)
        together, score = np.concatenate(rows), np.concatenate(scores)
        if len(score) > 8 * top_k:
            together = together[np.argpartition(-score, 8 * top_k)[: 8 * top_k]]
        return np.unique(together)

    def _scored(
        self, rows: Rows, wanted: Sequence[_Range], *, all_held: bool = True, typo: _Typo | None = None
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Those of the texts that have the words, and how well they fit.

        `typo` replaces one of the words by those an error away, and is told which of them each text has.
        """
        if not len(rows):
            return rows, np.empty(0, np.float32)
        starts = self._texts[rows]
        sizes = self._texts[rows + 1] - starts
        begins = np.cumsum(sizes) - sizes
        ids = self._words_of[np.arange(int(sizes.sum())) + np.repeat(starts - begins, sizes)]
        first = np.zeros(len(ids), bool)
        first[begins] = True
        usual = np.where(first, np.float32(1 + AT_START), np.float32(1))
        total, held = np.zeros(len(rows), np.float32), np.ones(len(rows), bool)
        before: NDArray[np.bool_] | None = None
        for at, (low, high, exact) in enumerate(wanted):
            mistyped = typo is not None and typo.at == at
            here = np.isfinite(typo.gain[ids]) if typo is not None and mistyped else (ids >= low) & (ids < high)
            fits = np.where(here, usual, np.float32(0))
            if before is not None:
                fits[1:][here[1:] & before[:-1] & ~first[1:]] = 1 + FOLLOWS
            if typo is not None and mistyped:
                fits[here] += typo.gain[ids[here]]
                best = np.maximum.reduceat(fits, begins)
                chosen = np.flatnonzero(here & (fits == np.repeat(best, sizes)))
                typo.chosen = dict(zip(rows[np.searchsorted(begins, chosen, "right") - 1].tolist(),
                                       typo.edit[ids[chosen]].tolist(), strict=True))  # fmt: skip
            else:
                best = np.maximum.reduceat(fits, begins)
                if exact >= 0:
                    best += WHOLE_WORD * np.logical_or.reduceat(ids == exact, begins)
            held &= best > 0
            total += best
            before = here
        return (rows[held], total[held]) if all_held else (rows, total)

    def _best(self, rows: Rows, scores: NDArray[np.float32], top_k: int, words: Words) -> list[Match]:
        scores = scores + self._base[rows]
        if len(rows) > 4 * top_k:
            best = np.argpartition(-scores, top_k)[:top_k]
            rows, scores = rows[best], scores[best]
        best = np.lexsort((rows, -scores))[:top_k]
        return [Match(row, score, words) for row, score in zip(rows[best].tolist(), scores[best].tolist(), strict=True)]

    def _mistyped(
        self, words: Sequence[str], wanted: Sequence[_Range], at: int, whole: bool, top_k: int
    ) -> list[Match]:
        """Texts with all the other words and one that is an error away from the word at `at`."""
        edits = self._edits(words[at], whole=whole)
        if not edits:
            return []
        meanings = [(self._range(word, whole), cost) for word, cost in edits]
        typo = _Typo(at, len(self._words))
        for number, ((low, high, exact), cost) in enumerate(meanings):
            typo.offer(low, high, number, -cost)
            if exact >= 0:
                typo.offer(exact, exact + 1, number, WHOLE_WORD - cost)
        others = [w for place, w in enumerate(wanted) if place != at]
        if not others:
            rows = self._likely(meanings, top_k)
        else:
            rows = self._sifted(self._rows_with(others), [[self._postings(m) for m, _ in meanings]])
        rows, scores = self._scored(rows, wanted, typo=typo)
        return [
            match._replace(words=(*words[:at], edits[typo.chosen[match.row]][0], *words[at + 1 :]))
            for match in self._best(rows, scores, 4 * top_k, tuple(words))
        ]

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
