"""Every surface from top to bottom: who asks and when, retrieve, rank, show.

`SURFACES` in `aisle.rank.mix` says which sources a surface listens to and how
much; this module gives them the shopper, the seeds and the moment. Answers get
their identity, and are remembered, in `aisle.shop`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from aisle.errors import InvalidRequest, NotFound
from aisle.explain.reasons import MatchReasons, leaf, reasons_for_source
from aisle.learn.circumstances import Lift
from aisle.ports import Recommender, Shopper
from aisle.rank.browse import Browsed, browse_order
from aisle.rank.explore import explore, n_wanted
from aisle.rank.mix import SURFACES, mix
from aisle.retrieve.followed import follows_mask, taste
from aisle.retrieve.graph import Graph
from aisle.retrieve.groups import Groups
from aisle.retrieve.hybrid import Retrieved
from aisle.retrieve.reading import Reading
from aisle.retrieve.trending import Trending, TrendingCategory
from aisle.types import Candidates, Context, Filters, Group, Ords, Query, Reason, Scores, Slate, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

NOW: Final = Context()
"""Now, by somebody of whom nothing else is known."""

BROWSED: Final = 2000
"""Products of a category page that are ordered; more than can be paged through."""

POPULAR_KEPT: Final = 4000
"""Popular products that are ordered anew for a moment."""

NEAR: Final = 0.35
"""Least cosine for a product to be called close in meaning to a search that found nothing."""

DUE: Final = 0.05
"""Least probability that something is bought again within a week for it to be shown to who has it."""

_DUE_KEPT: Final = 50
_RESCUED: Final = 12
_READ_ABOUT: Final = 4
_LEAST_OF_GROUP: Final = 4
_ORDERS_KEPT: Final = 1024
Value = TypeVar("Value")


class Surfaces:
    """Answers every surface of a shop. May be asked by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._groups: tuple[Groups, int, list[dict[str, Any]]] | None = None
        self._popular: _Kept[tuple[Lift, Ords, Ords, Scores]] = _Kept(64)
        self._pages: _Kept[Retrieved] = _Kept(64)
        self._orders: _Kept[tuple[object, Browsed]] = _Kept(_ORDERS_KEPT)

    def recommend(
        self,
        surface: str,
        *,
        visitor_id: str = "",
        item_ids: Sequence[str] = (),
        product_type: str = "",
        query: str = "",
        group: str = "",
        context: Context = NOW,
        top_k: int = 12,
    ) -> Slate:
        """Products for a surface, best first; see `Shop.recommend`."""
        if surface not in SURFACES:
            raise InvalidRequest(f"no surface {surface!r}: use one of {', '.join(SURFACES)}", field="surface")
        parts, facts = self._parts, self._parts.columns.facts
        settings, moment = parts.settings.recommend, dated(context)
        shopper = parts.shoppers.view(visitor_id, now_ms())
        seeds = facts.ords_of(item_ids)
        if not len(seeds) and surface == "after_purchase":
            seeds = shopper.purchased[:5]
        lift = parts.circumstances.lift(moment, facts.category, len(facts.categories), facts.version)
        named: dict[str, str] = {}
        asked_for = Candidates.none("")
        if surface == "rescue":
            asked_for, named["near_query"], category = self._near(query)
            product_type = product_type or category
        elif surface == "group":
            asked_for, named["in_group"] = self._members(group)
        proposals = [
            (source.recommend(shopper, seeds, settings.top_k), weight)
            for source, weight in parts.sources(surface, self._of_moment(lift, product_type))
        ]
        if surface == "buy_again":
            proposals = [(_due_of(found), weight) for found, weight in proposals]
        if len(asked_for):
            proposals.append((asked_for, SURFACES[surface][asked_for.source]))
        ranked = mix(
            proposals,
            shopper=shopper,
            seeds=seeds,
            facts=facts,
            top_k=n_wanted(top_k, surface, settings.exploration),
            surface=surface,
            in_stock_only=settings.in_stock_only,
            due=self._due(shopper),
        )
        places, propensities = explore(len(ranked), top_k, settings.exploration, visitor_id, moment.time_ms)
        ranked = ranked.take(places)
        subjects = parts.hits.subjects(ranked.because)
        codes = facts.category[ranked.ords]

        def why(row: int, shown: Group) -> tuple[Reason, ...]:
            return reasons_for_source(
                ranked.sources[row],
                subjects[row][0],
                item_id=subjects[row][1],
                relation=ranked.relations[row],
                category=shown.lead.product_type,
                named=named | {"followed": _followed(shopper, shown)},
                moment=lift.telling[codes[row]] if lift and codes[row] >= 0 else "",
                shared=partial(self._shared, int(ranked.because[row]), int(ranked.ords[row])),
            )

        hits = parts.hits.hits(ranked.ords, ranked.scores, sources=ranked.sources, reasons=why)
        features = dict(ranked.features)
        if lift is not None and len(hits):
            features["lift_of_moment"] = np.where(codes >= 0, lift.factor[codes], 1.0).tolist()
        return Slate(
            list_id="",
            surface=surface,
            hits=hits,
            n_hits=len(hits),
            hits_per_page=top_k,
            features=features,
            propensities=propensities[: len(hits)],
            model_versions=parts.model_versions(),
            context=moment,
        )

    def _shared(self, seed: int, shown: int) -> list[tuple[str, str]]:
        """What the knowledge graph knows of both; nothing without one."""
        graph = self._parts.models.now.sources.get(Graph.name)
        if seed < 0 or not isinstance(graph, Graph):
            return []
        return [(step.relation, step.name) for step in graph.facts((seed,), shown)]

    def _due(self, shopper: Shopper) -> Ords | None:
        """What the shopper bought and needs again by now; None where nobody buys again."""
        source = self._parts.models.now.sources.get("buy_again")
        if source is None or not len(shopper.purchased):
            return None
        return _due_of(source.recommend(shopper, np.empty(0, np.int32), _DUE_KEPT)).ords

    # -------------------------------------------------------- popular, just now

    def _of_moment(self, lift: Lift | None, product_type: str) -> Mapping[str, Recommender]:
        """What is popular, in a category and at this moment."""
        if lift is None and not product_type:
            return {}
        facts = self._parts.columns.facts
        kept = self._lifted(lift)

        def popular() -> tuple[Ords, Scores]:
            return kept

        made = (Trending(popular, lambda: facts), TrendingCategory(popular, lambda: facts, product_type))
        return {source.name: source for source in made}

    def _lifted(self, lift: Lift | None) -> tuple[Ords, Scores]:
        """The popular products, each by what the moment does to its category."""
        ords, scores = self._parts.popular()
        if lift is None or not len(ords):
            return ords, scores
        kept = self._popular.get(id(lift))
        if kept is None or kept[0] is not lift or kept[1] is not ords:
            facts = self._parts.columns.facts
            first = ords[:POPULAR_KEPT]
            codes = facts.category[np.minimum(first, len(facts.category) - 1)]
            moved = scores[:POPULAR_KEPT] * np.where(codes >= 0, lift.factor[codes], 1.0)
            best = np.argsort(-moved, kind="stable")
            kept = (lift, ords, first[best], (moved[best] / moved[best[0]]).astype(np.float32))
            self._popular.put(id(lift), kept)
        return kept[2], kept[3]

    # ------------------------------------------- when a search finds nothing

    def _near(self, text: str) -> tuple[Candidates, str, str]:
        """What is near the words in meaning, the words, and the category that was understood."""
        parts = self._parts
        query = parts.understander.understand(text)
        ords, cosines = parts.retriever.nearest(query, parts.settings.recommend.top_k)
        close = cosines >= NEAR
        kinds = [u.clause.values[0] for u in query.understood if u.kind == "category" and u.clause.values]
        return Candidates("near_query", ords[close], cosines[close]), text.strip(), kinds[0] if kinds else ""

    def rescue(self, slate: Slate, visitor_id: str, context: Context) -> Slate | None:
        """What to show instead of a search that found nothing; None when there is no need or nothing to show."""
        if slate.n_hits or slate.query is None or not slate.query.text.strip():
            return None
        found = self.recommend("rescue", visitor_id=visitor_id, query=slate.query.text, context=context, top_k=_RESCUED)
        return found if found.hits else None

    # ------------------------------------------------------- a category's page

    def browse(
        self,
        conditions: Filters,
        facets: Sequence[str],
        page: int,
        hits_per_page: int,
        *,
        visitor_id: str,
        context: Context,
    ) -> Slate:
        """A page of everything under the conditions, in this shopper's own order.

        The first page makes the order; the further ones go on with it, so that
        none repeats or skips a product whatever happens between them.
        """
        parts, offset = self._parts, page * hits_per_page
        found = self._page(conditions, tuple(facets))
        order = self._order(found, conditions, page, visitor_id, context)
        rows = slice(offset, offset + hits_per_page)
        shopper = parts.shoppers.view(visitor_id, now_ms())
        sources = order.sources(rows)
        subjects = parts.hits.subjects(order.because[rows])
        plainly = MatchReasons(Query(""))

        def why(row: int, shown: Group) -> tuple[Reason, ...]:
            told = reasons_for_source(
                sources[row],
                subjects[row][0],
                item_id=subjects[row][1],
                relation="viewed",
                category=shown.lead.product_type,
                named={"followed": _followed(shopper, shown)},
            )
            return tuple(dict.fromkeys((*(told if sources[row] else ()), *plainly(shown))))[:3]

        hits = parts.hits.hits(
            order.ords[rows], order.scores[rows], first_position=offset, wanted=conditions, sources=sources, reasons=why
        )
        return Slate(
            list_id="",
            surface="category",
            hits=hits,
            query=Query(""),
            n_hits=found.n_hits,
            page=page,
            hits_per_page=hits_per_page,
            facets=found.facets,
            facet_stats=found.facet_stats,
            features={"browse": order.scores[rows].tolist()[: len(hits)]},
            propensities=(1.0,) * len(hits),
            model_versions=parts.model_versions(),
            degraded=parts.lacking,
            context=dated(context),
        )

    # ------------------------------------------------------ groups to explore

    def groups(self) -> list[dict[str, Any]]:
        """The groups that have a name and products, the largest first."""
        known = self._parts.models.now.sources.get("kindred")
        if not isinstance(known, Groups):
            return []
        kept = self._groups
        facts = self._parts.columns.facts
        if kept is None or kept[0] is not known or kept[1] != facts.version:
            found = [one for n, name in enumerate(known.names) if name and (one := self._group(known, n, name))]
            kept = self._groups = (known, facts.version, sorted(found, key=lambda one: -one["count"]))
        return kept[2]

    def _group(self, known: Groups, number: int, name: str) -> dict[str, Any] | None:
        parts, facts = self._parts, self._parts.columns.facts
        ords = known.members(number)
        ords = ords[ords < len(facts.alive)]
        ords = ords[facts.recommendable[ords]]
        if len(ords) < _LEAST_OF_GROUP:
            return None
        shown = [g for g in parts.stores.catalog.groups(ords[:12].tolist()) if g is not None and g.products]
        return {
            "group": str(number),
            "name": name,
            "count": len(ords),
            "image_link": next((g.lead.image_link for g in shown if g.lead.image_link), ""),
            "item_ids": [g.lead.item_id for g in shown],
        }

    def _members(self, group: str) -> tuple[Candidates, str]:
        """A group's products, the typical and the popular first, and its name. Raises NotFound."""
        known = self._parts.models.now.sources.get("kindred")
        if not isinstance(known, Groups) or not group.isdecimal() or int(group) >= len(known.names):
            raise NotFound(f"there is no group {group[:20]!r}: GET /v1/groups names them")
        ords = known.members(int(group))
        popular, scores = self._parts.popular()
        place = np.zeros(int(max(ords.max(initial=0), popular.max(initial=0))) + 1, np.float32)
        place[popular] = scores
        worth = np.linspace(1, 0.5, len(ords), dtype=np.float32) + np.sqrt(place[ords])
        best = np.argsort(-worth, kind="stable")
        return Candidates("in_group", ords[best], worth[best]), known.names[int(group)]

    # -------------------------------------------------------- things to read

    def content(self, item_ids: Sequence[str], visitor_id: str, top_k: int) -> list[Reading]:
        """Pages and reviews about some products or, without any, about what the shopper looked at last."""
        parts, facts = self._parts, self._parts.columns.facts
        ords = facts.ords_of(item_ids)
        if not item_ids:
            recent = parts.shoppers.view(visitor_id, now_ms()).recent[:_READ_ABOUT]
            ords = recent[recent < len(facts.category)]
        groups = [group for group in parts.stores.catalog.groups(ords.tolist()) if group is not None and group.products]
        dense = parts.indexes.dense
        known = np.array([group.ord for group in groups], np.int32)
        vectors = dense.dense.vectors(known) if dense is not None and len(known) else None
        pages = parts.library.pages_about(groups, vectors, top_k)
        return [*pages, *parts.library.reviews_of(groups, top_k, each=2 if item_ids else 1)]

    # ----------------------------------------------------------------- parts

    def forget(self, visitor_id: str) -> None:
        """Keep nothing of a shopper who was erased."""
        self._orders.drop(lambda key: isinstance(key, tuple) and key[0] == visitor_id)

    def _page(self, conditions: Filters, facets: tuple[str, ...]) -> Retrieved:
        """What meets the conditions; kept until the catalogue changes."""
        parts = self._parts
        asked = (conditions, facets, parts.versions())
        found = self._pages.get(asked)
        if found is None:
            found = parts.retriever.retrieve(Query(""), filters=conditions, facets=facets, top_k=BROWSED)
            if found.n_hits > len(found.ords):
                # More than are ordered: the popular ones must be among them.
                popular = parts.popular()[0][: parts.settings.search.neighbours or 1]
                also = parts.indexes.lexical.search(
                    Query(""), neighbours=lambda: popular, filters=conditions, top_k=1
                ).ords
                rest = found.ords[~np.isin(found.ords, also)]
                ords = np.concatenate([also, rest])[:BROWSED].astype(np.int32)
                found = replace(found, ords=ords)
            self._pages.put(asked, found)
        return found

    def _order(self, found: Retrieved, conditions: Filters, page: int, visitor_id: str, context: Context) -> Browsed:
        parts, facts = self._parts, self._parts.columns.facts
        kept = self._orders.get((visitor_id, conditions))
        if page and kept is not None and kept[0] is found.ords:
            return kept[1]
        ords = found.ords[found.ords < len(facts.category)]
        shopper = parts.shoppers.view(visitor_id, now_ms())
        lift = parts.circumstances.lift(dated(context), facts.category, len(facts.categories), facts.version)
        own = parts.models.now.sources.get("for_you")
        nobody = np.empty(0, np.int32)
        made = browse_order(
            ords,
            shopper=shopper,
            facts=facts,
            popular=self._lifted(lift),
            taste=taste(shopper, facts, ords),
            follows=follows_mask(shopper, facts)[ords] if shopper.follows else np.zeros(len(ords), np.bool_),
            personal=own.recommend(shopper, nobody, 1000) if own is not None else Candidates.none("for_you"),
        )
        self._orders.put((visitor_id, conditions), (found.ords, made))
        return made


def _due_of(found: Candidates) -> Candidates:
    """Those of what may be bought again that are likely to be bought again by now."""
    due = found.scores >= DUE
    return Candidates(found.source, found.ords[due], found.scores[due], None)


def dated(context: Context) -> Context:
    """With the time that it is, when none was said."""
    return context if context.time_ms else replace(context, time_ms=now_ms())


def _followed(shopper: Shopper, shown: Group) -> str:
    """What of a product the shopper follows: its brand, else its category."""
    brand = shown.lead.brand
    return brand if brand and ("brand", brand) in shopper.follows else leaf(shown.lead.product_type)


class _Kept(Generic[Value]):
    """The last values by key; assignments and look-ups of a dictionary are whole, so no lock is needed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        return self._values.get(key)

    def drop(self, those: Callable[[Hashable], bool]) -> None:
        for key in [key for key in list(self._values) if those(key)]:
            self._values.pop(key, None)

    def put(self, key: Hashable, value: Value) -> None:
        self._values[key] = value
        while len(self._values) > self._size:
            try:
                self._values.popitem(last=False)
            except KeyError:  # another thread was quicker
                break
