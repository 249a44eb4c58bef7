"""A search from top to bottom: understand the query, retrieve candidates, rank them, show.

Answers get their identity, and are remembered, in `aisle.shop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aisle.explain.reasons import MatchReasons
from aisle.ports import Shopper
from aisle.rank.page import SORTS, rank_page
from aisle.retrieve.hybrid import Retrieved
from aisle.serving.wishing import Wishing
from aisle.types import Filters, Query, Slate
from aisle.understand.highlight import highlighter
from aisle.understand.relaxing import relax

if TYPE_CHECKING:
    from aisle.parts import Parts


_WISHED = 1000
"""How many matches are read when the words wish for an order: the cheapest may match the words least."""


def _relaxed(query: Query, found: Retrieved, retrieve: Callable[[Query], Retrieved]) -> tuple[Query, Retrieved]:
    """The first milder reading whose words are found; else the first that finds anything."""
    best = (query, found) if found.n_hits else None
    for milder in relax(query):
        again = retrieve(milder)
        if again.n_hits and again.matched.any():
            return milder, again
        if again.n_hits and best is None:
            best = milder, again
    return best or (query, found)


class Searching:
    """Answers the searches of a shop. May be asked by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._wishing = Wishing(parts)

    def search(
        self,
        text: str,
        conditions: Filters,
        facets: Sequence[str],
        page: int,
        hits_per_page: int,
        sort: str,
        ignore: Sequence[str],
        shopper: Shopper | None = None,
    ) -> Slate:
        """One page of products for the words; see `Shop.search`."""
        parts, settings, offset = self._parts, self._parts.settings, page * hits_per_page
        query = parts.understander.understand(text, ignore)
        wish = query.sort if sort == "relevance" else ""
        if wish in SORTS and not any(term.required for term in query.terms):
            sort, wish = wish, ""  # nothing to be relevant to: the index orders everything
        window = settings.search.top_k if sort == "relevance" else hits_per_page
        retrieve = partial(
            parts.retriever.retrieve,
            filters=conditions,
            facets=facets,
            sort=sort,
            offset=offset,
            top_k=max(window, _WISHED) if wish else window,
        )
        found = retrieve(query)
        if not found.n_hits or not found.matched.any():
            query, found = _relaxed(query, found, retrieve)
        if found.n_hits == 0 and parts.ord_of(text.strip()) >= 0:  # a product's own id, as its seller types it
            found = retrieve(Query(""), filters=(*conditions, parts.group_clause(text.strip())))
        beyond = None
        if sort == "relevance" and len(found.ords) < min(offset + hits_per_page, found.n_hits):
            beyond = retrieve(query, top_k=offset + hits_per_page + len(found.ords), facets=()).ords
        ordered = parts.ranking.order(query, found, shopper, n_shown=offset + hits_per_page)
        scores = self._wishing.ordered(wish, query, ordered.scores, found) if wish else ordered.scores
        ranked = rank_page(
            found.ords,
            scores,
            ordered.features,
            offset=offset,
            n=hits_per_page,
            beyond=beyond,
            in_order=sort != "relevance",
        )
        why = MatchReasons(query, by_meaning=found.vector is not None)
        hits = parts.hits.hits(
            ranked.ords,
            ranked.scores,
            first_position=offset,
            wanted=(*conditions, *(u.clause for u in query.understood)),
            sources=ranked.sources,
            reasons=lambda _row, group: why(group),
            highlights=highlighter(query),
        )
        return Slate(
            list_id="",
            surface="search",
            hits=hits,
            query=query,
            n_hits=found.n_hits,
            page=page,
            hits_per_page=hits_per_page,
            facets=found.facets,
            facet_stats=found.facet_stats,
            features=ranked.features,
            propensities=(1.0,) * len(hits),
            model_versions=parts.model_versions(),
            degraded=(*(found.degraded or parts.lacking), *ordered.degraded),
        )

    def beside(self, shopper: Shopper, slate: Slate) -> Slate:
        """The same answer with how like what the shopper engaged with each hit is, for the log."""
        ords = np.fromiter((self._parts.ord_of(hit.item_id) for hit in slate.hits), np.int32, len(slate.hits))
        if not len(ords) or ords.min() < 0:  # a product that has just gone
            return slate
        columns = {name: column.tolist() for name, column in self._parts.ranking.likeness(shopper, ords).items()}
        return replace(slate, features={**slate.features, **columns})
