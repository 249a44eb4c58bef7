"""A shopper's words to a `Query`: what filters, what only speaks for a product, what must match.

A hard condition is a promise to leave products out, so only what is sure gets
one: a price limit, a gender, a size in clear form, a colour of this shop said
beside other words, what is not wanted. When a guess still empties the page,
`relaxing` lets go of one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise

from aisle.han import simplified
from aisle.types import Clause, Query, Term, Understood
from aisle.understand import chinese
from aisle.understand.draft import Draft
from aisle.understand.intent import intent_of
from aisle.understand.lexicon import MAX_PHRASE_WORDS, Lexicon, Meaning
from aisle.understand.mending import Mended, mend, other_names, stand_ins
from aisle.understand.negation import take_unwanted
from aisle.understand.people import take_people
from aisle.understand.prices import PriceLimit, find_prices
from aisle.understand.sizes import take_sizes
from aisle.understand.sorting import SURE, Wish, find_wishes
from aisle.understand.text import Word, language_of, normalise, stem, words
from aisle.understand.units import other_forms
from aisle.understand.wordlists import (
    GENDERS,
    NEAR_COLORS,
    SAME_COLORS,
    STOP_WORDS,
)

MAX_TERMS = 16
MAX_ATTRIBUTE_BOOSTS = 3
AS_TYPED = "spelling"
"""Among what is ignored: leave the spelling alone."""

_NUMBERS = count()


class Understander:
    """Reads queries against one picture of the catalogue; about a tenth of a millisecond each."""

    def __init__(self, lexicon: Lexicon | Callable[[], Lexicon], *, max_chars: int = 512) -> None:
        self._lexicon = lexicon if callable(lexicon) else lambda: lexicon
        self._max_chars = max_chars
        self.number = next(_NUMBERS)
        """Tells two of them apart: an answer depends on what its words were taken to mean."""

    def understand(self, text: str, ignore: Collection[str] = ()) -> Query:
        """The meaning of any text; never raises.

        `ignore` takes back what was understood: a kind (`color`), one thing of
        it (`color:red`), or `spelling`; its words ask for nothing then.
        """
        typed = normalise(text, self._max_chars)
        if not typed:
            return Query("")
        lexicon = self._lexicon()
        read = simplified(typed)  # traditional characters, one for one; what is shown stays as it was typed
        mended = Mended(read, {}, {}, False) if AS_TYPED in ignore else mend(read, lexicon)
        return _Reading(lexicon, mended.text, ignore, trust=dict(mended.sure)).query(typed, mended)


@dataclass(slots=True)
class _Reading(Draft):
    """The readers, one after the other."""

    meant: dict[tuple[int, int], tuple[Meaning, ...]] = field(default_factory=dict)
    """Meanings by start and number of words, once they were looked up."""

    def query(self, typed: str, mended: Mended) -> Query:
        language = language_of(self.text)
        for start, forms in mended.forms.items():
            self.forms[start] = list(forms)
        every = words(self.text)
        wishes = self._wishes(every)
        prices = self._prices([p for p in find_prices(self.text) if not _overlaps(p, wishes)])
        cut = [*((p.start, p.end) for p in prices), *((w.start, w.end) for w in wishes)]
        spoken = _outside(every, cut)
        if any(w.is_han for w in spoken):
            spoken = self._chinese(spoken)
        self._items(spoken)
        spoken = [w for w in spoken if w.start not in self.gone]
        asked = spoken
        if intent_of(self.text, asked, ())[0] not in ("help", "order"):  # "I have not received my parcel"
            spoken = take_unwanted(self, spoken)
        cut += [(w.start, w.end) for w in asked if w.start in self.gone]
        self._phrases(spoken, ("category", "brand"))
        take_sizes(self, spoken)
        take_people(self, spoken)
        self._colors(spoken)
        self._phrases(spoken, ("material", "attribute"))
        intent, sure, only = intent_of(self.text, asked, self._product_words(spoken))
        if intent != "product" and not {"intent", f"intent:{intent}"} & set(self.ignored):
            self.gone |= only if intent == "promotion" else set()
            named = self._product_words(spoken)
            self.optional |= only | {w.start for w in spoken if intent == "promotion" and w.start not in named}
        else:
            intent, sure = ("navigation", 0.9) if self._is_place(spoken) else ("product", 1.0)
            if intent == "navigation" and not self.category:  # "women", where that is a category
                paths = self.lexicon.labels.get(_key([w for w in spoken if w.text not in STOP_WORDS]), ())
                self.add(Understood("category", self.text, Clause("product_type", paths), 0.6))
        if intent in ("product", "promotion"):
            self._shelf(spoken)
        terms = self._terms(spoken, all_optional=intent in ("help", "order"))
        semantic = _cut(self.text, cut) if every else ""  # signs alone ask for nothing
        return Query(
            typed,
            language,
            terms,
            semantic,
            tuple(self.understood),
            self.text if mended.corrected else "",
            intent,
            sure,
        )

    # -------------------------------------------------------------- conditions

    def _wishes(self, every: Sequence[Word]) -> list[Wish]:
        """Orders and sales; a weak one gives way to a name of this shop ("New Yoga Collection")."""
        kept: list[Wish] = []
        for wish in find_wishes(self.text):
            said = self.text[wish.start : wish.end]
            if wish.confidence < SURE and (self._is_named(every, wish) or not self._leads(every, wish)):
                continue
            if wish.name == "sale":
                clause, hard = Clause("on_sale", ("true",)), self.lexicon.has_sales
                self.add(Understood("sale", said, clause, wish.confidence, hard=hard))
            else:
                if any(u.kind == "sort" for u in self.understood):
                    continue
                self.add(Understood("sort", said, Clause("sort", (wish.name,)), wish.confidence))
            kept.append(wish)
        return kept

    def _leads(self, every: Sequence[Word], wish: Wish) -> bool:
        """Whether nothing but small words stands before it: "new hoodies", and not "for new construction"."""
        if wish.name != "newest":
            return True
        return all(w.text in STOP_WORDS or w.text in GENDERS for w in every if w.start < wish.start)

    def _is_named(self, every: Sequence[Word], wish: Wish) -> bool:
        for n in range(2, MAX_PHRASE_WORDS + 1):
            for i in range(len(every) - n + 1):
                part = every[i : i + n]
                if part[0].start <= wish.start < part[-1].end and self.lexicon.phrases.get(_key(part)):
                    return True
        return False

    def _prices(self, prices: list[PriceLimit]) -> list[PriceLimit]:
        if not self.lexicon.has_prices:
            return []
        for p in prices:
            clause = Clause("price", low=p.low, high=p.high)
            said = self.text[p.start : p.end].strip()
            self.add(Understood("price", said, clause, 1.0, hard=True))
        return prices

    def _items(self, spoken: Sequence[Word]) -> None:
        """A product's own id, as its seller types it: MH01, 24-wg085."""
        for word in spoken:
            if (
                len(word.text) < 3
                or not any(c.isdigit() for c in word.text)
                or (word.text.isdigit() and (len(word.text) < 5 or len(spoken) > 1))
            ):
                continue  # a number beside words is rather a model's than an id
            shown = self.text[word.start : word.end]
            if not (name := self.lexicon.id_field(word.text)) and "-" in shown:
                shown = shown.replace("-", "")
                name = self.lexicon.id_field(shown)
            if name:
                self.add(Understood("item", shown, Clause(name, (shown,)), 1.0, hard=True))
                self.gone.add(word.start)

    def _colors(self, spoken: list[Word]) -> None:
        colors = self.lexicon.colors
        if not colors:
            return
        others = [w for w in spoken if w.text not in STOP_WORDS]
        names = [u.text for u in self.understood if u.kind in ("category", "brand")]
        named = {w for name in names for w in name.casefold().split()}
        for word in spoken:
            if word.start in self.gone:
                continue
            name = SAME_COLORS.get(word.text, word.text)
            values = colors.get(word.text) or colors.get(name) or colors.get(_alternate(name))
            if not values and "-" in word.text and all(c in colors for c in word.text.split("-")):
                values = tuple(v for c in word.text.split("-") for v in colors[c])  # blue-green
            if values:
                known = self.lexicon.phrases.get(word.stem, ())
                # "Orange" may be a maker, "Rose" a scent: then the colour is only a guess.
                sure = len(others) > 1 and not any(m.kind in ("brand", "category") for m in known)
                clause = Clause("color", values)
                confidence = self.sure_of([word], 0.95 if sure else 0.8)
                self.add(Understood("color", word.text, clause, confidence, hard=sure))
                if sure:
                    self.optional.add(word.start)
                else:
                    self.forms.setdefault(word.start, []).extend((v.lower(), 0.95) for v in values[:4])
            elif (near := NEAR_COLORS.get(name)) and (values := colors.get(near)) and word.text not in named:
                self.add(Understood("color", word.text, Clause("color", values), 0.5))
                self.forms.setdefault(word.start, []).append((near, 0.6))

    def _phrases(self, spoken: list[Word], kinds: Collection[str]) -> None:
        """What this shop has a name for: the longest phrase first, each word once a kind."""
        if not self.lexicon.phrases:
            return
        used: set[tuple[str, int]] = set()
        taken = {
            w.start
            for w in spoken
            for u in self.understood
            if u.kind in ("category", "brand", "color") and w.text in u.text.casefold().split()
        }
        n_attributes = 0
        within: set[int] = set()
        for n in range(min(MAX_PHRASE_WORDS, len(spoken)), 0, -1):
            for i in range(len(spoken) - n + 1):
                part = spoken[i : i + n]
                if n == 1 and (part[0].text in STOP_WORDS or part[0].text in GENDERS):
                    continue
                place = part[0].start, n
                meanings = self.meant.get(place)
                if meanings is None:
                    meanings = self.meant[place] = self._meanings(part) or chinese.meanings(part, self.lexicon)
                if n > 1 and meanings:  # "track pants" are pants still; "light weight" is one word that was parted
                    within |= {w.start for w in (part[:-1] if _key(part) in self.lexicon.phrases else part)}
                for meaning in meanings:
                    if meaning.kind not in kinds:
                        continue
                    if n == 1 and meaning.kind == "category" and part[0].start in within:
                        continue  # "light weight" is no weight
                    places = {(meaning.kind, w.start) for w in part}
                    if places & used or any(w.start in self.gone for w in part):
                        continue
                    if meaning.kind == "attribute":
                        if all(w.start in taken for w in part):
                            continue  # "Hoodie" is a style too; the category says it already
                        n_attributes += 1
                        if n_attributes > MAX_ATTRIBUTE_BOOSTS:
                            continue
                    text = self.text[part[0].start : part[-1].end]
                    clause = Clause(meaning.field, meaning.values)
                    confidence = self.sure_of(part, meaning.confidence)
                    self.add(Understood(meaning.kind, text, clause, confidence))
                    used |= places
                    if n > 1:
                        taken |= {w.start for w in part}
        self._drop_weaker_categories()

    def _drop_weaker_categories(self) -> None:
        """Beside a category called by its name, the last word of another one says nothing."""
        named = [u.confidence for u in self.understood if u.kind == "category" and not u.clause.exclude]
        least = max(named, default=0.0) - 0.2
        self.understood = [
            u for u in self.understood if u.kind != "category" or u.clause.exclude or u.confidence >= least
        ]

    def _meanings(self, part: Sequence[Word]) -> tuple[Meaning, ...]:
        """What a phrase is called here, in any spelling of it, or what stands in for it."""
        phrases = self.lexicon.phrases
        found = phrases.get(_key(part), ()) or self._written_otherwise(part)
        if found or len(part) > 2:
            return found
        whole = "".join(w.text for w in part)
        if len(part) == 2 and (found := phrases.get(stem(whole), ())):
            return found  # water proof
        several = [*other_names(whole)]
        if not self.lexicon.knows(whole):
            several += stand_ins(whole)
        for name in several:
            if found := tuple(m for m in phrases.get(stem(name), ()) if m.kind == "category"):
                return found
        return ()

    def _written_otherwise(self, part: Sequence[Word]) -> tuple[Meaning, ...]:
        """colour-blocked, where the shop writes color-blocked; full-zip, where it writes full zip."""
        pieces = [piece for w in part for piece in w.text.split("-")]
        if len(pieces) < 2:
            return ()
        opened = self.lexicon.phrases.get(" ".join(map(stem, pieces)), ()) if len(pieces) > len(part) else ()
        if opened or not any(map(other_names, pieces)):
            return opened
        return self.lexicon.phrases.get(" ".join(stem((*other_names(p), p)[0]) for p in pieces), ())

    def _shelf(self, spoken: Sequence[Word]) -> None:
        """Where no category was named, the one that the words lead to in this shop's titles."""
        if self.category:
            return
        used = {w for u in self.understood if u.kind in ("color", "brand") for w in u.text.casefold().split()}
        free = [
            w
            for w in spoken
            if w.start not in self.gone and w.text not in STOP_WORDS and w.text not in GENDERS and w.text not in used
        ]
        stems = [w.stem for w in free]
        for a, b in pairwise(free):
            if whole := self.lexicon.speller.joined((a.text, b.text)):
                stems.append(stem(whole))
        paths, confidence = self.lexicon.shelves.predict(stems)
        if paths:
            said = " ".join(w.text for w in free if self.lexicon.shelves.knows(w.stem)) or free[0].text
            confidence = round(0.8 * confidence, 3)
            self.add(Understood("category", said, Clause("product_type", paths), self.sure_of(free, confidence)))

    def _product_words(self, spoken: Sequence[Word]) -> set[int]:
        """Starts of the words that name what this shop sells."""
        named = {
            word
            for u in self.understood
            if u.kind in ("category", "brand", "material", "item") and u.confidence >= 0.5
            for word in u.text.casefold().split()
        }
        return {w.start for w in spoken if w.text in named}

    def _is_place(self, spoken: Sequence[Word]) -> bool:
        """Whether all that was said is the name of a category, with whom it is for."""
        plain = ("category", "gender", "attribute", "brand")
        if self.trust or any(u.kind not in plain or u.clause.exclude for u in self.understood):
            return False
        content = [w for w in spoken if w.text not in STOP_WORDS]
        labels = self.lexicon.labels
        bare = [w for w in content if w.text not in GENDERS]
        return _key(content) in labels or bool(bare and _key(bare) in labels)

    # ------------------------------------------------------------------- words

    def _chinese(self, spoken: list[Word]) -> list[Word]:
        """Runs of Chinese cut into words, with other names for those that the catalogue lacks."""
        found = chinese.cut(spoken, self.lexicon)
        for word in found:
            if word.is_han and (others := chinese.stand_ins(word.text, self.lexicon)):
                self.forms.setdefault(word.start, []).extend((other, chinese.STAND_IN) for other in others)
        return found

    def _terms(self, spoken: list[Word], *, all_optional: bool = False) -> tuple[Term, ...]:
        content = [w for w in spoken if w.start not in self.gone]
        kept = [w for w in content if w.text not in STOP_WORDS]
        if not kept and not self.understood and not all_optional:
            kept = content  # "to be or not to be" is all stop words, and a film
        terms: list[Term] = []
        for i, word in enumerate(kept[:MAX_TERMS]):
            forms = dict(self.forms.get(word.start, ()))
            required = word.start not in self.optional and not all_optional
            if not word.is_han:
                for other in (kept[i - 1] if i else None, kept[i + 1] if i + 1 < len(kept) else None):
                    if other is not None and required and not other.is_han:
                        first, second = (other, word) if other.start < word.start else (word, other)
                        if whole := self.lexicon.speller.joined((first.text, second.text)):
                            forms.setdefault(whole, 0.9)
                self._other_forms(word.text, forms)
            forms.pop(word.text, None)
            terms.append(Term(word.text, 1.0, tuple(forms.items()), required))
        return tuple(terms)

    def _other_forms(self, word: str, forms: dict[str, float]) -> None:
        """Other spellings and units always; what stands in for it only for a word that no product has."""
        knows = self.lexicon.knows
        for same in (*other_names(word), *other_forms(word)):
            if knows(same):
                forms.setdefault(same, 0.9)
        if "-" in word and knows(whole := word.replace("-", "")):
            forms.setdefault(whole, 0.9)
        if not forms and self.lexicon.words and len(word) > 2 and not knows(word):
            for near in stand_ins(word):
                if knows(near):
                    forms.setdefault(near, 0.6)


def _key(part: Sequence[Word]) -> str:
    return " ".join(w.stem for w in part)


def _outside(every: Sequence[Word], cut: Sequence[tuple[int, int]]) -> list[Word]:
    """The words that no span holds; of a run of Chinese, what is left of it."""
    if not cut:
        return list(every)
    found: list[Word] = []
    spans = sorted(cut)
    for word in every:
        if not word.is_han:
            if not any(start <= word.start < end for start, end in spans):
                found.append(word)
            continue
        at = word.start
        for start, end in [*spans, (word.end, word.end)]:
            piece = word.text[at - word.start : max(0, min(start, word.end) - word.start)]
            if piece:
                found.append(Word(piece, at, at + len(piece), piece))
            at = max(at, min(end, word.end))
    return found


def _overlaps(price: PriceLimit, wishes: Sequence[Wish]) -> bool:
    return any(price.start < w.end and w.start < price.end for w in wishes)


def _cut(text: str, spans: Collection[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    return re.sub(r"\s+", " ", text).strip()


def _alternate(color: str) -> str:
    """gray ↔ grey, and the Chinese name where the catalogue writes Chinese."""
    return next((other for other, name in SAME_COLORS.items() if name == color), "grey" if color == "gray" else color)
