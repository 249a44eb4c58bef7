"""A search from top to bottom: understand the query, retrieve candidates, rank them, show.

Answers get their identity, and are remembered, in `aisle.shop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from aisle.explain.reasons import MatchReasons
from aisle.ports import Shopper
from aisle.rank.page import rank_page
from aisle.types import Filters, Query, Slate
from aisle.understand.highlight import highlighter
from aisle.understand.query import relax, without

if TYPE_CHECKING:
    from aisle.parts import Parts


class Searching:
    """Answers the searches of a shop. May be asked by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

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
        window = settings.search.top_k if sort == "relevance" else hits_per_page
        retrieve = partial(
            parts.retriever.retrieve, filters=conditions, facets=facets, sort=sort, offset=offset, top_k=window
        )
        query = without(parts.understander.understand(text), ignore)
        found = retrieve(query)
        for milder in relax(query):
            if found.n_hits:
                break  # a guess must never empty the page: else what was understood becomes a wish
            query, found = milder, retrieve(milder)
        if found.n_hits == 0 and parts.ord_of(text.strip()) >= 0:  # a product's own id, as its seller types it
            found = retrieve(Query(""), filters=(*conditions, parts.group_clause(text.strip())))
        beyond = None
        if sort == "relevance" and len(found.ords) < min(offset + hits_per_page, found.n_hits):
            beyond = retrieve(query, top_k=offset + hits_per_page + len(found.ords), facets=()).ords
        ordered = parts.ranking.order(query, found, shopper)
        ranked = rank_page(
            found.ords,
            ordered.scores,
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
