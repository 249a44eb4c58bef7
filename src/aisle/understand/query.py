"""A shopper's words to a `Query`: what filters, what only speaks for a product, what must match.

A hard condition is a promise to leave products out, so only what is sure gets
one: a price limit, a gender, a size in clear form, and a colour of this shop
said beside other words. When a guess still empties the page, `relax` makes
wishes of all but the price.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from aisle.han import simplified
from aisle.types import Clause, Query, Term, Understood
from aisle.understand import chinese
from aisle.understand.lexicon import MAX_PHRASE_WORDS, Lexicon
from aisle.understand.prices import PriceLimit, find_prices
from aisle.understand.text import Word, language_of, normalise, words
from aisle.understand.wordlists import (
    AGES,
    GENDERS,
    GENDERS_AFTER_FOR,
    NEAR_COLORS,
    NEGATIONS,
    SAME_COLORS,
    SPELLINGS,
    STOP_WORDS,
    SYNONYMS,
)

MAX_TERMS = 16
MAX_ATTRIBUTE_BOOSTS = 3

_SIZE_LETTERS = re.compile(r"^(?:x{1,4}s|x{1,5}l|[2-6]xl|[2-6]xs|xxs|xxxl)$")
_SAME: dict[str, tuple[str, ...]] = {w: tuple(o for o in group if o != w) for group in SPELLINGS for w in group}
_NEAR: dict[str, tuple[str, ...]] = {}
for _group in SYNONYMS:
    for _word in _group:
        _NEAR[_word] = (*_NEAR.get(_word, ()), *(o for o in _group if o != _word))


class Understander:
    """Reads queries against one picture of the catalogue; a few tens of microseconds each."""

    def __init__(self, lexicon: Lexicon | Callable[[], Lexicon], *, max_chars: int = 512) -> None:
        self._lexicon = lexicon if callable(lexicon) else lambda: lexicon
        self._max_chars = max_chars

    def understand(self, text: str) -> Query:
        """The meaning of any text; never raises."""
        cleaned = normalise(text, self._max_chars)
        if not cleaned:
            return Query("")
        # Traditional characters are read as simplified ones, one for one, and stay in what is shown.
        return replace(_Reading(self._lexicon(), simplified(cleaned)).query(), text=cleaned)


def relax(query: Query) -> list[Query]:
    """Ever milder readings of a query that has hard conditions, for when they left no hits.

    First everything but the price becomes a wish, since it may have been a
    misunderstanding; then the price too, for nothing at that price may be had.
    """
    milder = [_wishing(query, lambda u: u.kind != "price"), _wishing(query, lambda u: True)]
    return [q for n, q in enumerate(milder) if q != query and q not in milder[:n]]


def _wishing(query: Query, which: Callable[[Understood], bool]) -> Query:
    soft = tuple(replace(u, hard=False) if u.hard and which(u) else u for u in query.understood)
    return replace(query, understood=soft)


def without(query: Query, kinds: Collection[str]) -> Query:
    """The same query with what was understood of these kinds taken back by the shopper."""
    if not kinds:
        return query
    return replace(query, understood=tuple(u for u in query.understood if u.kind not in kinds))


@dataclass(slots=True)
class _Reading:
    """One pass over one text."""

    lexicon: Lexicon
    text: str
    understood: list[Understood] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    """Starts of words that are conditions and no words to match."""
    optional: set[int] = field(default_factory=set)
    """Starts of words that need not match again: a filter already asks for them."""
    forms: dict[int, list[tuple[str, float]]] = field(default_factory=dict)
    corrections: dict[int, str] = field(default_factory=dict)

    def query(self) -> Query:
        language = language_of(self.text)
        prices = find_prices(self.text)
        self._prices(prices)
        spoken = words(_blanked(self.text, prices))
        if any(w.is_han for w in spoken):
            spoken = self._chinese(spoken)
        spoken = self._affirmed(spoken)
        self._sizes(spoken)
        self._genders(spoken)
        self._colors(spoken)
        self._phrases(spoken)
        terms = self._terms(spoken)
        corrected = self._corrected(prices)
        without_prices = _cut(self.text, [(p.start, p.end, " ") for p in prices])
        semantic = _cut(self.text, self._changes(prices)) if corrected else without_prices
        return Query(self.text, language, terms, semantic, tuple(self.understood), corrected)

    # -------------------------------------------------------------- conditions

    def _affirmed(self, spoken: list[Word]) -> list[Word]:
        """Without the words after not, without, except, or a minus: what is not wanted must not be asked for."""
        kept: list[Word] = []
        for i, word in enumerate(spoken):
            before = spoken[i - 1].text if i else ""
            minus = word.start > 0 and self.text[word.start - 1] == "-" and self.text[: word.start - 1].endswith(" ")
            if word.text in NEGATIONS or (i and before in NEGATIONS) or minus:
                self.gone.add(word.start)
            else:
                kept.append(word)
        return kept or spoken

    def _add(self, understood: Understood) -> None:
        same = (understood.kind, understood.clause.field)
        for i, other in enumerate(self.understood):
            if (other.kind, other.clause.field) == same and other.hard == understood.hard and other.clause.values:
                values = tuple(dict.fromkeys((*other.clause.values, *understood.clause.values)))
                self.understood[i] = replace(
                    other, text=f"{other.text} {understood.text}", clause=replace(other.clause, values=values)
                )
                return
        self.understood.append(understood)

    def _prices(self, prices: list[PriceLimit]) -> None:
        for p in prices:
            clause = Clause("price", low=p.low, high=p.high)
            self.understood.append(
                Understood("price", self.text[p.start : p.end].strip(), clause, 1.0, hard=self.lexicon.has_prices)
            )

    def _sizes(self, spoken: list[Word]) -> None:
        sizes = self.lexicon.sizes
        if not sizes:
            return
        for name, start, end in chinese.find_sizes(self.text, sizes):
            self._size(name, self.text[start:end], [w for w in spoken if start <= w.start < end])
        for i, word in enumerate(spoken):
            if word.text in ("size", "sizes", "sz") and i + 1 < len(spoken):
                after = spoken[i + 1]
                both = f"{after.text} {spoken[i + 2].text}" if i + 2 < len(spoken) else ""
                if both in sizes:
                    self._size(both, f"{word.text} {both}", spoken[i : i + 3])
                elif after.text in sizes:
                    self._size(after.text, f"{word.text} {after.text}", spoken[i : i + 2])
            elif _SIZE_LETTERS.match(word.text) and word.start not in self.gone:
                name = word.text if word.text in sizes else _other_size(word.text)
                if name in sizes:
                    self._size(name, word.text, [word])

    def _size(self, name: str, text: str, used: list[Word]) -> None:
        clause = Clause("size", (self.lexicon.sizes[name],))
        self._add(Understood("size", text, clause, 0.95, hard=True))
        self.gone.update(w.start for w in used)

    def _genders(self, spoken: list[Word]) -> None:
        genders = self.lexicon.genders
        for i, word in enumerate(spoken):
            meant = GENDERS.get(word.text)
            if meant is None and i and spoken[i - 1].text == "for":
                meant = GENDERS_AFTER_FOR.get(word.text)
            age = AGES.get(word.text)
            if age and age in self.lexicon.ages:
                self._add(Understood("attribute", word.text, Clause("age_group", (self.lexicon.ages[age],)), 0.9))
            if meant is None:
                continue
            # Who asks for men's things also wants what is for everybody.
            values = tuple(genders[g] for g in (*meant, "unisex") if g in genders)
            if values and any(g in genders for g in meant):
                self._add(
                    Understood("gender", word.text, Clause("gender", tuple(dict.fromkeys(values))), 0.95, hard=True)
                )
                self.optional.add(word.start)

    def _colors(self, spoken: list[Word]) -> None:
        colors = self.lexicon.colors
        if not colors:
            return
        others = [w for w in spoken if w.text not in STOP_WORDS]
        for word in spoken:
            name = SAME_COLORS.get(word.text, word.text)
            values = colors.get(word.text) or colors.get(name) or colors.get(_alternate(name))
            if values:
                known = self.lexicon.phrases.get(word.stem, ())
                # "Orange" may be a maker, "Rose" a scent: then the colour is only a guess.
                sure = len(others) > 1 and not any(m.kind in ("brand", "category") for m in known)
                clause = Clause("color", values)
                self._add(Understood("color", word.text, clause, 0.95 if sure else 0.8, hard=sure))
                if sure:
                    self.optional.add(word.start)
                else:
                    self.forms.setdefault(word.start, []).extend((v.lower(), 0.95) for v in values[:4])
            elif (near := NEAR_COLORS.get(name)) and (values := colors.get(near)):
                self._add(Understood("color", word.text, Clause("color", values), 0.5))
                self.forms.setdefault(word.start, []).append((near, 0.6))

    def _phrases(self, spoken: list[Word]) -> None:
        """Brands, categories, materials and attributes: the longest phrase first, each word once a kind."""
        phrases = self.lexicon.phrases
        if not phrases:
            return
        used: set[tuple[str, int]] = set()
        n_attributes = 0
        for n in range(min(MAX_PHRASE_WORDS, len(spoken)), 0, -1):
            for i in range(len(spoken) - n + 1):
                part = spoken[i : i + n]
                found = phrases.get(" ".join(w.stem for w in part)) or chinese.meanings(part, self.lexicon)
                if not found or (n == 1 and (part[0].text in STOP_WORDS or part[0].text in GENDERS)):
                    continue
                for meaning in found:
                    places = {(meaning.kind, w.start) for w in part}
                    if places & used or any(w.start in self.gone for w in part):
                        continue
                    if meaning.kind == "attribute":
                        n_attributes += 1
                        if n_attributes > MAX_ATTRIBUTE_BOOSTS:
                            continue
                    used |= places
                    text = self.text[part[0].start : part[-1].end]
                    clause = Clause(meaning.field, meaning.values)
                    self._add(Understood(meaning.kind, text, clause, meaning.confidence))

    # ------------------------------------------------------------------- words

    def _chinese(self, spoken: list[Word]) -> list[Word]:
        """Runs of Chinese cut into words, with other names for those that the catalogue lacks."""
        found = chinese.cut(spoken, self.lexicon)
        for word in found:
            if word.is_han and (others := chinese.stand_ins(word.text, self.lexicon)):
                self.forms.setdefault(word.start, []).extend((other, chinese.STAND_IN) for other in others)
        return found

    def _terms(self, spoken: list[Word]) -> tuple[Term, ...]:
        content = [w for w in spoken if w.start not in self.gone]
        kept = [w for w in content if w.text not in STOP_WORDS]
        if not kept and not self.understood:
            kept = content  # "to be or not to be" is all stop words, and a film
        terms: list[Term] = []
        for i, word in enumerate(kept[:MAX_TERMS]):
            forms = dict(self.forms.get(word.start, ()))
            required = word.start not in self.optional
            if not word.is_han:
                for other in (kept[i - 1] if i else None, kept[i + 1] if i + 1 < len(kept) else None):
                    if other is not None and required and not other.is_han:
                        first, second = (other, word) if other.start < word.start else (word, other)
                        if whole := self.lexicon.speller.joined((first.text, second.text)):
                            forms.setdefault(whole, 0.9)
                self._spell(word, forms)
            forms.pop(word.text, None)
            terms.append(Term(word.text, 1.0, tuple(forms.items()), required))
        return tuple(terms)

    def _spell(self, word: Word, forms: dict[str, float]) -> None:
        """Other spellings always; corrections, splits and synonyms only of a word no product has."""
        lexicon = self.lexicon
        for same in _SAME.get(word.text, _SAME.get(word.text.removesuffix("s"), ())):
            if lexicon.knows(same):
                forms.setdefault(same, 0.9)
        if "-" in word.text and lexicon.knows(whole := word.text.replace("-", "")):
            forms.setdefault(whole, 0.9)
        if not lexicon.words or len(word.text) < 3 or word.start in self.optional or lexicon.knows(word.text):
            return
        if forms:
            return  # it has another form already
        for near in _NEAR.get(word.text, _NEAR.get(word.text.removesuffix("s"), ())):
            if lexicon.knows(near):
                forms.setdefault(near, 0.6)
        if forms:
            return
        if parts := lexicon.speller.split(word.text):
            forms[parts] = 0.9
        candidates = lexicon.speller.candidates(word.text)
        for candidate, weight in candidates:
            forms.setdefault(candidate, weight)
        if forms:
            self.corrections[word.start] = parts or candidates[0][0]

    def _changes(self, prices: list[PriceLimit]) -> list[tuple[int, int, str]]:
        changes = [(p.start, p.end, " ") for p in prices]
        ends = {w.start: w.end for w in words(self.text)}
        changes += [(start, ends[start], new) for start, new in self.corrections.items() if start in ends]
        return changes

    def _corrected(self, prices: list[PriceLimit]) -> str:
        """The text with corrections, the price words left in place; empty when there are none."""
        if not self.corrections:
            return ""
        return _cut(self.text, [c for c in self._changes(prices) if c[2] != " "])


def _blanked(text: str, prices: list[PriceLimit]) -> str:
    """The text with spaces for the price limits: in Chinese the next word touches them."""
    for p in prices:
        text = text[: p.start] + " " * (p.end - p.start) + text[p.end :]
    return text


def _cut(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return re.sub(r"\s+", " ", text).strip()


def _alternate(color: str) -> str:
    """gray ↔ grey, and the Chinese name where the catalogue writes Chinese."""
    return next((other for other, name in SAME_COLORS.items() if name == color), "grey" if color == "gray" else color)


def _other_size(name: str) -> str:
    """2xl ↔ xxl."""
    if name[0].isdigit():
        return "x" * int(name[0]) + name[-1]
    n = name.count("x")
    return f"{n}x{name[-1]}" if n > 1 else name
