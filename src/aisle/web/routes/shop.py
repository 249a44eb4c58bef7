"""/v1/shop, /v1/promotions, /v1/pages, /v1/content, /v1/groups: what stands around the products."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from aisle.types import FacetValue
from aisle.web.edge import Edge, described, keyed, query_string, read_query
from aisle.web.frame_models import (
    ContentAnswer,
    ContentParams,
    GroupsAnswer,
    PagesAnswer,
    PromotionsAnswer,
    ShopAnswer,
)
from aisle.web.serialise import answer, page_answer, promotion_answer, reading_answer

_PROBLEMS = (401, 403, 429, 503)


def shop_router(edge: Edge) -> APIRouter:
    """The shop's own facts; they need the scope `search`."""
    router = APIRouter(dependencies=[Depends(edge.gate.needs("search"))], tags=["shop"])
    shop = edge.shop

    def facts() -> dict[str, Any]:
        slate = shop.search("", facets=["product_type"], hits_per_page=1, record=False)
        return {
            "name": edge.settings.shop.name,
            "language": edge.settings.shop.language,
            "currency": edge.settings.shop.currency,
            "n_products": slate.n_hits,
            "categories": category_tree(slate.facets.get("product_type", ())),
        }

    @router.get("/v1/shop", responses=described(ShopAnswer, problems=_PROBLEMS), openapi_extra=keyed("search"))
    async def about() -> Response:
        """The shop's name, language, currency and tree of categories."""
        return answer(await edge.workers.run(facts))

    @router.get(
        "/v1/promotions", responses=described(PromotionsAnswer, problems=_PROBLEMS), openapi_extra=keyed("search")
    )
    async def promotions() -> Response:
        """The offers that hold now."""
        found = await edge.workers.run(shop.promotions)
        return answer({"promotions": [promotion_answer(p) for p in found]})

    @router.get("/v1/pages", responses=described(PagesAnswer, problems=_PROBLEMS), openapi_extra=keyed("search"))
    async def pages() -> Response:
        """Help and content pages."""
        found = await edge.workers.run(shop.pages)
        return answer({"pages": [page_answer(p) for p in found]})

    @router.get(
        "/v1/content",
        responses=described(ContentAnswer, problems=(*_PROBLEMS, 422)),
        openapi_extra={**keyed("search"), **query_string(ContentParams)},
    )
    async def content(request: Request) -> Response:
        """Guides, help pages and reviews about some products or, without any, for what the visitor looked at last.

        A visitor of whom nothing is known gets nothing.
        """
        params = read_query(request, ContentParams)
        language = edge.language(params.language)
        started = time.perf_counter()
        found = await edge.workers.run(
            lambda: shop.content(params.item_id, visitor_id=params.visitor_id, top_k=params.top_k)
        )
        readings = [reading_answer(one, language, own=bool(params.item_id)) for one in found]
        return answer({"readings": readings, "took_ms": round((time.perf_counter() - started) * 1000, 3)})

    @router.get("/v1/groups", responses=described(GroupsAnswer, problems=_PROBLEMS), openapi_extra=keyed("search"))
    async def groups() -> Response:
        """Groups of products to explore, found by clustering; none before `aisle train`."""
        return answer({"groups": await edge.workers.run(shop.groups)})

    return router


def category_tree(counts: tuple[FacetValue, ...]) -> list[dict[str, Any]]:
    """`A > B` paths with their counts as a tree, the largest first.

    A parent that has no count of its own gets the sum of its children.
    """
    known = {value.value: value.count for value in counts}
    roots: list[dict[str, Any]] = []
    nodes: dict[str, dict[str, Any]] = {}
    for path in sorted(known):
        parts = path.split(" > ")
        siblings = roots
        for depth in range(1, len(parts) + 1):
            prefix = " > ".join(parts[:depth])
            node = nodes.get(prefix)
            if node is None:
                node = nodes[prefix] = {
                    "name": parts[depth - 1],
                    "path": prefix,
                    "count": known.get(prefix, 0),
                    "children": [],
                }
                siblings.append(node)
            siblings = node["children"]
    return _ordered(roots)


def _ordered(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for node in nodes:
        node["children"] = _ordered(node["children"])
        node["count"] = node["count"] or sum(child["count"] for child in node["children"])
    return sorted(nodes, key=lambda node: (-node["count"], node["name"]))
