"""One consistent state of the index, and the search over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import tantivy
from tantivy import Occur

from aisle.adapters.tantivy.facets import Display, Facets
from aisle.adapters.tantivy.filters import FilterCompiler, Parts
from aisle.adapters.tantivy.matching import HANDFUL, Matcher, Matching, n_found, n_matching
from aisle.adapters.tantivy.schema import CHINESE_TITLE, WORDS, ChineseWords
from aisle.errors import InvalidFilter, InvalidRequest
from aisle.index.documents import FACET_FIELDS, ID_FIELDS
from aisle.ports import LexicalResult
from aisle.types import FacetValue, Filters, Ords, Query, Scores

_WORDS = {"words": WORDS, "chinese": CHINESE_TITLE}
_SORTS = {
    "price_asc": ("price_low", tantivy.Order.Asc),
    "price_desc": ("price_low", tantivy.Order.Desc),
    "newest": ("first_seen", tantivy.Order.Desc),
}


class View:
    """What one searcher sees."""

    def __init__(
        self,
        schema: tantivy.Schema,
        searcher: tantivy.Searcher,
        chinese: ChineseWords,
        boost: float,
        display: Display,
    ) -> None:
        self.searcher = searcher
        self._schema, self._boost = schema, boost
        request = {"f": {"terms": {"field": "fields", "size": 2000, "segment_size": 2000}}}
        found = sorted(b["key"] for b in searcher.aggregate(tantivy.Query.all_query(), request)["f"]["buckets"])
        self.facetable = (*FACET_FIELDS, *(name for name in found if name not in FACET_FIELDS))
        self.fields = (*self.facetable, "price", *ID_FIELDS)
        self._compiler = FilterCompiler(schema, frozenset(self.fields))
        self._matcher = Matcher(schema, searcher, chinese)
        self._facets = Facets(searcher, self._compiler, display)
        self.frequency = lru_cache(20_000)(self._matcher.document_frequency)

    def vocabulary(self, field_name: str, limit: int) -> list[tuple[str, int]]:
        if field_name in _WORDS:
            terms = self.searcher.terms_with_prefix(_WORDS[field_name], "")
            return sorted(terms, key=lambda pair: (-pair[1], pair[0]))[:limit]
        return self._facets.vocabulary(self._facet(field_name), limit)

    def search(
        self,
        query: Query,
        neighbours: Callable[[], Ords] | None,
        filters: Filters,
        facets: Sequence[str],
        top_k: int,
        sort: str,
        offset: int,
    ) -> LexicalResult:
        if sort != "relevance" and sort not in _SORTS:
            raise InvalidRequest(f"sort is relevance, {', '.join(_SORTS)}; not {sort[:40]!r}", field="sort")
        if top_k < 1 or offset < 0:
            raise InvalidRequest("top_k is at least 1 and offset at least 0", field="top_k")
        names = [self._facet(name) for name in facets]
        unwanted = self._matcher.unwanted(query)
        chosen = [*self._compiler.compile(filters), *unwanted]
        matching = self._matcher.match(query)
        boosts = self._boosts(query, matching)
        by_relevance = sort == "relevance"
        level, found = self._lexical(query, matching, filters, chosen, boosts, top_k if by_relevance else 1)
        ords, scores = self._read(found) if by_relevance and found is not None else _NONE
        near = None
        # What the words found already need not join again.
        known = set(ords.tolist())
        joining = np.array(
            [o for o in neighbours().tolist() if o not in known] if neighbours is not None else (), np.int32
        )
        if len(joining):
            near = self._term_set(joining)

        def hit_set(under: Filters) -> tantivy.Query:
            words = _words(query, matching, level, scored=False)
            sources = [q for q in (words, near) if q is not None]
            return _under(sources, chosen if under is filters else [*self._compiler.compile(under), *unwanted])

        def counted() -> tuple[int, dict[str, tuple[FacetValue, ...]], dict[str, tuple[float, float]]]:
            if names:
                n_hits, counts, bounds = self._facets.count(hit_set, names, filters)
                return n_hits, {a: counts[n] for a, n in zip(facets, names, strict=True) if n in counts}, bounds
            if near is None and found is not None:
                return n_found(found), {}, {}
            return n_matching(self.searcher, hit_set(filters)), {}, {}

        if not by_relevance:
            field, order = _SORTS[sort]
            page = self.searcher.search(
                hit_set(filters), top_k, count=False, order_by_field=field, offset=offset, order=order
            )
            ords, _ = self._read(page)
            return LexicalResult(ords, np.zeros(len(ords), np.float32), *counted())
        if near is None:
            return LexicalResult(ords, scores, *counted())
        counting = _COUNTING.submit(counted)  # tantivy counts while it scores
        words = _words(query, matching, level, scored=False)
        if words is not None and found is not None and n_found(found) > len(ords):
            # More match than were read: some of the neighbours may be among them.
            both = tantivy.Query.boolean_query([(Occur.Must, near), (Occur.Must, words), *chosen])
            both = tantivy.Query.const_score_query(both, 0.0)  # or each of its words would be scored
            known.update(self._read(self.searcher.search(both, len(joining), count=False))[0].tolist())
        more, their_scores = self._scored(near, len(joining), matching, chosen, boosts)
        ords, scores = np.append(ords, more), np.append(scores, their_scores)
        best_first = np.argsort(-scores, kind="stable")
        ords, scores = ords[best_first], scores[best_first]
        matched = np.fromiter((o in known for o in ords.tolist()), np.bool_, len(ords))
        return LexicalResult(ords, scores, *counting.result(), matched)

    # ---------------------------------------------------------------- the parts

    def _facet(self, name: str) -> str:
        canonical = self._compiler.canonical(name)
        if canonical in ID_FIELDS:
            raise InvalidFilter(f"{canonical} filters, but is not counted: each value is one product", field=name[:60])
        return canonical

    def _lexical(
        self,
        query: Query,
        matching: Matching,
        filters: Filters,
        chosen: Parts,
        boosts: Parts,
        top_k: int,
    ) -> tuple[int, Any]:
        """Ask for all required words, then for fewer until a handful is found: the level, and tantivy's result."""
        own = tuple(c for c in filters if c in query.filters)
        levels = matching.levels()
        found = None
        for level in levels:
            words = _words(query, matching, level, scored=True)
            if words is None:
                return level, None
            scored = tantivy.Query.boolean_query([(Occur.Must, words), *boosts, *chosen])
            found = self.searcher.search(scored, top_k, count=True)
            if n_found(found) >= HANDFUL or level == levels[-1]:
                return level, found
            if len(own) < len(filters):
                under = _under([words], self._compiler.compile(own))
                if n_matching(self.searcher, under) >= HANDFUL:
                    return level, found
        return levels[-1], found

    def _boosts(self, query: Query, matching: Matching) -> Parts:
        parts: Parts = []
        for understood in query.boosts:
            try:
                products = self._compiler.matches(understood.clause)
            except InvalidFilter:
                continue  # understood from a catalogue that has changed since
            score = self._boost * understood.confidence * matching.ideal
            parts.append((Occur.Should, tantivy.Query.const_score_query(products, score)))
        return parts

    def _scored(
        self, near: tantivy.Query, n: int, matching: Matching, chosen: Parts, boosts: Parts
    ) -> tuple[Ords, Scores]:
        """The neighbours that pass the filters, each with its own score."""
        parts = [(Occur.Must, near), *matching.scoring(), *boosts, *chosen]
        return self._read(self.searcher.search(tantivy.Query.boolean_query(parts), n, count=False))

    def _term_set(self, ords: Ords) -> tantivy.Query:
        # A hundred term queries: five times faster than a term set, which walks the whole dictionary.
        term, should, schema = tantivy.Query.term_query, Occur.Should, self._schema
        terms = [(should, term(schema, "ord", o, "basic")) for o in ords.tolist() if o >= 0]
        return tantivy.Query.const_score_query(tantivy.Query.boolean_query(terms), 0.0)

    def _read(self, found: tantivy.SearchResult) -> tuple[Ords, Scores]:
        hits = found.hits
        ords = self.searcher.fast_field_values("ord", [address for _, address in hits])
        scores = np.array([score if isinstance(score, float) else 0.0 for score, _ in hits], np.float32)
        return np.array(ords, np.int32), scores


_COUNTING = ThreadPoolExecutor(4, "aisle-counting")
_NONE: tuple[Ords, Scores] = (np.empty(0, np.int32), np.empty(0, np.float32))


def _words(query: Query, matching: Matching, level: int, *, scored: bool) -> tantivy.Query | None:
    """What the words alone match; None: nothing."""
    if matching.required:
        return matching.query(level, scored=scored)
    wished = query.understood or query.intent in ("help", "order", "promotion")
    if query.filters or query.unwanted or query.nothing_asked or (wished and not any(t.required for t in query.terms)):
        return matching.query(0, scored=scored)  # all was understood, or nothing was asked: browse
    return tantivy.Query.boolean_query(matching.scoring()) if matching.slots else None


def _under(sources: Sequence[tantivy.Query], parts: Parts) -> tantivy.Query:
    """The union of the sources, under the filters."""
    if not sources:
        return tantivy.Query.empty_query()
    union = sources[0] if len(sources) == 1 else tantivy.Query.boolean_query([(Occur.Should, q) for q in sources])
    return tantivy.Query.boolean_query([(Occur.Must, union), *parts])
