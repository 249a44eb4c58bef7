"""The shopper's words to tantivy queries.

Words become term queries, never a parsed query string: quotes, colons and
brackets are only characters that the analyzer drops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tantivy
from tantivy import Occur

from aisle.adapters.tantivy.schema import (
    CHINESE_PARTS,
    CHINESE_WEIGHTS,
    FIELD_WEIGHTS,
    PARTS_WEIGHT,
    STEMMED,
    ChineseWords,
    chinese_parts,
)
from aisle.han import HAN_RUN, has_han
from aisle.types import Query, Term

TIE = 0.3
"""Share of a word's weaker fields that is added to its best one (disjunction max)."""

NAMED = ("title", "kind", "traits", "details")
"""Where a word must not stand when it is not wanted; a description may say what a product does without."""
CHINESE_NAMED = ("zh_title",)

HANDFUL = 8
"""With fewer hits than this, one more word may be missing."""

COMPLETE = 0.15
"""Added to the few products that have all words while others lack some, as a share of the query's ideal score."""

MAX_SLOTS = 24
MAX_FORM_CHARS = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """What matches one word of the query in any of its forms; `ideal` is about the score of a match in a title."""

    query: tantivy.Query
    required: bool
    ideal: float


@dataclass(frozen=True, slots=True)
class Matching:
    """Those words of a query that some product has, as slots."""

    slots: tuple[Slot, ...]

    @property
    def required(self) -> tuple[Slot, ...]:
        return tuple(s for s in self.slots if s.required)

    @property
    def ideal(self) -> float:
        return sum(s.ideal for s in self.slots) or 1.0

    def levels(self) -> list[int]:
        """How many required words must match: all of them, then one less, half, any."""
        n = len(self.required)
        return sorted({n, max(1, n - 1), max(1, (n + 1) // 2), 1}, reverse=True) if n else [0]

    def query(self, n_matching: int, *, scored: bool = True) -> tantivy.Query:
        """Products that have `n_matching` of the required words, scored by all words; 0: any product."""
        required = self.required
        optional = [(Occur.Should, s.query) for s in self.slots if scored and not s.required]
        if not required or n_matching == 0:
            everything = tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)
            return _boolean([(Occur.Must, everything), *(self.scoring() if scored else ())])
        if n_matching >= len(required):
            return _boolean([*((Occur.Must, s.query) for s in required), *optional])
        some = tantivy.Query.boolean_query(
            [(Occur.Should, s.query) for s in required], minimum_number_should_match=n_matching
        )
        if scored:
            every = tantivy.Query.boolean_query([(Occur.Must, s.query) for s in required])
            optional.append((Occur.Should, tantivy.Query.const_score_query(every, COMPLETE * self.ideal)))
        return _boolean([(Occur.Must, some), *optional])

    def scoring(self) -> list[tuple[Occur, tantivy.Query]]:
        """Every word as something that adds to a score."""
        return [(Occur.Should, s.query) for s in self.slots]


class Matcher:
    """Builds slots against the document frequencies of one searcher."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher, chinese: ChineseWords) -> None:
        self._schema, self._searcher, self._chinese = schema, searcher, chinese
        self._n_docs = max(1, searcher.num_docs)

    def match(self, query: Query) -> Matching:
        slots: list[Slot] = []
        seen: set[tuple[str, ...]] = set()
        for term in query.terms:
            for part in self._parts(term):
                tokens = tuple(self._tokens(part.text))
                if not tokens or tokens in seen or len(slots) >= MAX_SLOTS:
                    continue
                seen.add(tokens)
                slot = self._slot(part, tokens)
                if slot is not None:
                    slots.append(slot)
        return Matching(tuple(slots))

    def unwanted(self, query: Query) -> list[tuple[Occur, tantivy.Query]]:
        """What keeps out the products that are called by a word that is not wanted."""
        parts: list[tuple[Occur, tantivy.Query]] = []
        for word in query.unwanted:
            tokens = self._tokens(word)
            fields = CHINESE_NAMED if has_han(word) else NAMED
            for field in fields if tokens else ():
                found = [(Occur.Must, tantivy.Query.term_query(self._schema, field, t, "basic")) for t in tokens]
                parts.append((Occur.MustNot, _boolean(found)))
        if parts:
            parts.append((Occur.Must, tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)))
        return parts

    def document_frequency(self, word: str) -> int:
        """In how many documents all tokens of `word` occur, in whichever fields."""
        tokens = self._tokens(word)
        found = [q for t in tokens if (q := self._token(t, 1.0)) is not None]
        if not found or len(found) < len(tokens):
            return 0
        return n_matching(self._searcher, _boolean([(Occur.Must, q) for q, _ in found]))

    def _parts(self, term: Term) -> Sequence[Term]:
        """A Chinese run is several words, each of which may be missing on its own.

        A word that no product has, since it was cut wrongly or is written
        together here, is looked for by its pairs of characters, or by its last
        one, which says what the thing is: 红茶 is 茶.
        """
        if term.expansions or not has_han(term.text):
            return (term,)
        words: list[str] = []
        for word in self._tokens(term.text):
            if len(word) < 2 or not has_han(word) or self._token(word, 1.0) is not None:
                words.append(word)
            else:
                pairs = [part for part in chinese_parts(word) if len(part) == 2 and self._token(part, 1.0) is not None]
                words += pairs or [word[-1]]
        return [Term(word, term.weight, (), term.required) for word in words]

    def _tokens(self, text: str) -> list[str]:
        text = text[:MAX_FORM_CHARS]
        if not has_han(text):
            return STEMMED.analyze(text)
        return [*self._chinese.cut(text, finely=False), *STEMMED.analyze(HAN_RUN.sub(" ", text))]

    def _slot(self, term: Term, tokens: Sequence[str]) -> Slot | None:
        forms: list[tuple[tantivy.Query, float]] = []
        for text_tokens, weight in ((tokens, 1.0), *((self._tokens(t), w) for t, w in term.expansions)):
            found = [q for t in text_tokens if (q := self._token(t, weight * term.weight)) is not None]
            if found and len(found) == len(text_tokens):
                forms.append((_boolean([(Occur.Must, q) for q, _ in found]), sum(ideal for _, ideal in found)))
        if not forms:
            return None
        query = forms[0][0] if len(forms) == 1 else tantivy.Query.disjunction_max_query([q for q, _ in forms], 0.0)
        return Slot(query, term.required, max(ideal for _, ideal in forms))

    def _token(self, token: str, weight: float) -> tuple[tantivy.Query, float] | None:
        is_chinese = has_han(token)
        weights = CHINESE_WEIGHTS if is_chinese else FIELD_WEIGHTS
        found: list[tantivy.Query] = []
        most = 0
        for field, field_weight in weights.items():
            frequency = self._searcher.doc_freq(field, token)
            if frequency:
                most = max(most, frequency)
                term = tantivy.Query.term_query(self._schema, field, token, "freq")
                found.append(tantivy.Query.boost_query(term, field_weight * weight))
        if is_chinese and (inside := self._inside(token)) is not None:
            query, frequency = inside
            most = max(most, frequency)
            found.append(tantivy.Query.boost_query(query, PARTS_WEIGHT * weight / max(1, len(token) - 1)))
        if not found:
            return None
        ideal = weight * max(weights.values()) * math.log(1 + (self._n_docs - most + 0.5) / (most + 0.5))
        query = found[0] if len(found) == 1 else tantivy.Query.disjunction_max_query(found, TIE)
        return query, max(ideal, 0.1 * weight)

    def _inside(self, token: str) -> tuple[tantivy.Query, int] | None:
        """Names that hold the characters, in pairs, whichever way they were cut; about how many."""
        parts = [token] if len(token) == 1 else [token[i : i + 2] for i in range(len(token) - 1)]
        frequency = min(self._searcher.doc_freq(CHINESE_PARTS, part) for part in parts)
        if not frequency:
            return None
        terms = [tantivy.Query.term_query(self._schema, CHINESE_PARTS, part, "basic") for part in parts]
        return _boolean([(Occur.Must, term) for term in terms]), frequency


def n_found(result: Any) -> int:
    """How many documents matched; tantivy's type stub lacks the attribute."""
    return int(result.count)


def n_matching(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many documents match: counting scores nothing, which a search for the best does even for one."""
    return int(searcher.aggregate(query, {"n": {"value_count": {"field": "ord"}}})["n"]["value"])


def _boolean(parts: Sequence[tuple[Occur, tantivy.Query]]) -> tantivy.Query:
    if len(parts) == 1 and parts[0][0] == Occur.Must:
        return parts[0][1]
    return tantivy.Query.boolean_query(list(parts))
