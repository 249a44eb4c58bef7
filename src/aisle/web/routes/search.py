"""/v1/search, /v1/suggest and /v1/recommend: what shoppers wait for."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from aisle.errors import InvalidRequest
from aisle.web.algolia import filter_text
from aisle.web.edge import Edge, described, json_body, keyed, query_string, read_query, validated
from aisle.web.limits import read_json
from aisle.web.models import (
    RecommendAnswer,
    RecommendParams,
    SearchAnswer,
    SearchBody,
    SearchParams,
    SuggestAnswer,
    SuggestParams,
    Surface,
)
from aisle.web.serialise import answer, dump, recommend_answer, search_answer, suggest_answer

Asked = TypeVar("Asked", bound=BaseModel)

_SEEDED = ("similar", "together", "viewed", "complementary")


def search_router(edge: Edge) -> APIRouter:
    """Search, suggestions and recommendations; they need the scope `search`.

    The routes admit and read their parameters themselves: the framework's
    resolving of dependencies would take longer than all else HTTP adds.
    """
    router = APIRouter(tags=["shoppers"])
    shop = edge.shop

    def asked_by(request: Request, model: type[Asked]) -> Asked:
        edge.gate.admit(request.scope, "search")
        return read_query(request, model)

    async def searched(params: SearchParams, request: Request) -> Response:
        asked = _checked(params, edge)
        asked["context"] = edge.context(request, params.place, params.device)
        language = edge.language(params.language)

        def work() -> bytes:
            slate = shop.search(**asked)
            if slate.degraded:
                edge.metrics.degraded(slate.degraded)
            return dump(search_answer(slate, language))

        return Response(await edge.workers.run(work), media_type="application/json")

    @router.get(
        "/v1/search", responses=described(SearchAnswer), openapi_extra={**keyed("search"), **query_string(SearchParams)}
    )
    async def search(request: Request) -> Response:
        """Find products by words and meaning."""
        return await searched(asked_by(request, SearchParams), request)

    @router.post(
        "/v1/search",
        responses=described(SearchAnswer, problems=(400, 401, 403, 413, 422, 429, 503)),
        openapi_extra={**keyed("search"), **json_body(SearchBody)},
    )
    async def search_by_post(request: Request) -> Response:
        """Find products; the parameters as a JSON body."""
        edge.gate.admit(request.scope, "search")
        return await searched(validated(SearchBody, await read_json(request)), request)

    @router.get(
        "/v1/suggest",
        responses=described(SuggestAnswer),
        openapi_extra={**keyed("search"), **query_string(SuggestParams)},
    )
    async def suggest(request: Request) -> Response:
        """Complete what is being typed, typing errors and all."""
        params = asked_by(request, SuggestParams)
        started = time.perf_counter()
        # Under a millisecond of work: handing it to a thread would cost more than it frees.
        found = shop.suggest_with_products(
            edge.query(params.query), visitor_id=params.visitor_id, top_k=params.top_k, n_products=params.n_products
        )
        return answer(suggest_answer(found, (time.perf_counter() - started) * 1000))

    @router.get(
        "/v1/recommend/{surface}",
        responses=described(RecommendAnswer, problems=(400, 401, 403, 404, 422, 429, 503)),
        openapi_extra={**keyed("search"), **query_string(RecommendParams)},
    )
    async def recommend(surface: Surface, request: Request) -> Response:
        """A list for a place in the shop.

        `similar`, `together`, `viewed` and `complementary` start from `item_id`; unknown ids give what is popular.
        `cart` and `after_purchase` start from `item_id` too, or from what the shopper has in the cart or bought last.
        `buy_again` and `followed` are empty when nothing is due or followed.
        """
        params = asked_by(request, RecommendParams)
        if surface in _SEEDED and not params.item_id:
            raise InvalidRequest(f"{surface} starts from a product: give item_id", field="item_id")
        language = edge.language(params.language)
        context = edge.context(request, params.place, params.device)

        def work() -> bytes:
            slate = shop.recommend(
                surface,
                visitor_id=params.visitor_id,
                item_ids=tuple(params.item_id),
                product_type=params.product_type,
                query=edge.query(params.query),
                group=params.group,
                context=context,
                top_k=params.top_k,
            )
            return dump(recommend_answer(slate, language))

        return Response(await edge.workers.run(work), media_type="application/json")

    return router


def _checked(params: SearchParams, edge: Edge) -> dict[str, Any]:
    """The arguments of Shop.search. Raises InvalidRequest for a page that is too large."""
    most = edge.settings.server.max_hits_per_page
    hits_per_page = params.hitsPerPage or params.hits_per_page
    if hits_per_page > most:
        raise InvalidRequest(f"at most {most} hits a page", field="hits_per_page")
    wanted = _names(params.facets)
    return {
        "query": edge.query(params.query),
        "visitor_id": params.visitor_id,
        "session_id": params.session_id,
        "filters": filter_text(params.filters, params.facetFilters, params.numericFilters),
        "facets": None if not wanted or wanted == ["*"] else wanted,
        "page": params.page,
        "hits_per_page": hits_per_page,
        "sort": params.sort,
        "ignore": _names(params.ignore),
    }


def _names(given: str | list[str]) -> list[str]:
    """Names that were repeated, separated by commas, or both; each once."""
    texts = [given] if isinstance(given, str) else given
    return list(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))
