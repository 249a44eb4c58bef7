"""A query's typing errors mended before it is read, so that a mended word means all that it would have meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from aisle.understand import intent
from aisle.understand.lexicon import Lexicon
from aisle.understand.spelling import Speller
from aisle.understand.text import Word, words
from aisle.understand.units import other_forms
from aisle.understand.wordlists import (
    AGES,
    GENDERS,
    GENDERS_AFTER_FOR,
    NEAR_COLORS,
    NEGATIONS,
    RECIPIENTS,
    SAME_COLORS,
    SPELLINGS,
    STOP_WORDS,
    SYNONYMS,
)

_CONDITIONS = frozenset(
    """under below less than over above more between around about cheap cheaper cheapest expensive lowest highest
    price prices priced dollars euros pounds rated reviewed reviews rating ratings newest latest arrivals
    recently sale sales discounted reduced clearance small medium large extra size sizes color colour without
    except affordable inexpensive stars starting least most maximum minimum gift gifts present""".split()  # noqa: SIM905
)
_SAME = {w: tuple(o for o in group if o != w) for group in SPELLINGS for w in group}
_NEAR: dict[str, tuple[str, ...]] = {}
for _group in SYNONYMS:
    for _word in _group:
        _NEAR[_word] = (*_NEAR.get(_word, ()), *(o for o in _group if o != _word))

OWN = (
    STOP_WORDS | NEGATIONS | _CONDITIONS | intent.WORDS | set(GENDERS) | set(GENDERS_AFTER_FOR) | set(RECIPIENTS)
    | set(AGES) | set(SAME_COLORS) | set(NEAR_COLORS)
)  # fmt: skip
"""Words that are understood in any shop."""

_OWN_SPELLER = Speller({w: 20 for w in OWN if w.isascii() and w.isalpha() and len(w) >= 5})


@dataclass(frozen=True, slots=True)
class Mended:
    """The text as it was meant. `forms` are what else a mended word, by its start, may have been, with weights."""

    text: str
    forms: dict[int, tuple[tuple[str, float], ...]]
    sure: dict[int, float]
    corrected: bool


@lru_cache(8192)
def other_names(word: str) -> tuple[str, ...]:
    """The same thing, written otherwise."""
    return _SAME.get(word, _SAME.get(word.removesuffix("s"), ()))


def stand_ins(word: str) -> tuple[str, ...]:
    """Things near enough to show where a shop does not know the word."""
    return _NEAR.get(word, _NEAR.get(word.removesuffix("s"), ()))


def mend(text: str, lexicon: Lexicon) -> Mended:
    """Each word that neither this shop nor any knows, replaced by what was likely meant."""
    if not lexicon.words:
        return Mended(text, {}, {}, False)
    changes: list[tuple[Word, str, tuple[tuple[str, float], ...], float]] = []
    corrected = False
    for word in words(text):
        if not _unknown(word, lexicon):
            continue
        if parts := lexicon.speller.split(word.text):
            changes.append((word, parts, (), 0.95))
            continue
        found, own = lexicon.speller.candidates(word.text), _OWN_SPELLER.candidates(word.text)
        if own and (not found or own[0][1] > found[0][1] + 0.01):
            found = own[:1]
        if found:
            corrected = True
            changes.append((word, found[0][0], found[1:], found[0][1]))
    forms: dict[int, tuple[tuple[str, float], ...]] = {}
    sure: dict[int, float] = {}
    moved, mended, at = 0, [], 0
    for word, new, others, weight in changes:
        mended += [text[at : word.start], new]
        forms[word.start + moved], sure[word.start + moved] = others, weight
        moved += len(new) - (word.end - word.start)
        at = word.end
    return Mended("".join((*mended, text[at:])), forms, sure, corrected)


def _unknown(word: Word, lexicon: Lexicon) -> bool:
    text = word.text
    if word.is_han or len(text) < 3 or text in OWN or "'" in text or any(c.isdigit() for c in text):
        return False
    if lexicon.knows(text) or other_forms(text) or lexicon.is_word(text):
        return False
    return not any(lexicon.knows(w) for w in (*other_names(text), *stand_ins(text))) and not (
        "-" in text and lexicon.knows(text.replace("-", " "))
    )
