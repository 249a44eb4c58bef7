"""/v1/admin and /v1/visitors: for the shopkeeper."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from aisle.plain import plain
from aisle.web.edge import Edge, described, keyed
from aisle.web.learning_models import TrainingsAnswer
from aisle.web.models import ErasedAnswer, EventsAnswer, ModelsAnswer, OverviewAnswer, VisitorAnswer
from aisle.web.serialise import answer, logged_answer

_PROBLEMS = (401, 403, 422, 429, 503)
VisitorId = Annotated[str, Path(min_length=1, max_length=256, description="The shopper's id.")]


def admin_router(edge: Edge) -> APIRouter:
    """Overview, events, models, and a shopper's right to see and to be forgotten; scope `admin`."""
    router = APIRouter(dependencies=[Depends(edge.gate.needs("admin"))], tags=["admin"])
    shop = edge.shop

    @router.get(
        "/v1/admin/overview", responses=described(OverviewAnswer, problems=_PROBLEMS), openapi_extra=keyed("admin")
    )
    async def overview(days: Annotated[int, Query(ge=1, le=3650, description="Days to look back.")] = 30) -> Response:
        """Traffic, rates, revenue, queries, latency."""
        return answer(await edge.workers.run(lambda: shop.overview(days=days)))

    @router.get("/v1/admin/events", responses=described(EventsAnswer, problems=_PROBLEMS), openapi_extra=keyed("admin"))
    async def events(
        after_seq: Annotated[int, Query(ge=0, le=2**62, description="Only events after this one.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000, description="Most events.")] = 100,
    ) -> Response:
        """The newest events, oldest first."""
        found = await edge.workers.run(lambda: shop.recent_events(limit, after_seq=after_seq))
        last_seq = found[-1].seq if found else after_seq
        return answer({"events": [logged_answer(e) for e in found], "last_seq": last_seq})

    @router.get("/v1/admin/models", responses=described(ModelsAnswer, problems=_PROBLEMS), openapi_extra=keyed("admin"))
    async def models() -> Response:
        """Models, their versions and what was measured before they were promoted."""
        found = await edge.workers.run(shop.models)
        return answer(
            {
                "models": [
                    {
                        "name": m.name,
                        "version": m.version,
                        "created_ms": m.created_ms,
                        "active": m.active,
                        "metrics": dict(m.metrics),
                        "note": m.note,
                    }
                    for m in found
                ]
            }
        )

    @router.get(
        "/v1/admin/trainings", responses=described(TrainingsAnswer, problems=_PROBLEMS), openapi_extra=keyed("admin")
    )
    async def trainings() -> Response:
        """Trainings that run now and past ones, with what they measured step by step."""
        return answer({"trainings": [plain(one) for one in await edge.workers.run(shop.trainings)]})

    @router.get(
        "/v1/visitors/{visitor_id:path}",
        responses=described(VisitorAnswer, problems=_PROBLEMS),
        openapi_extra=keyed("admin"),
    )
    async def export(visitor_id: VisitorId) -> Response:
        """All that is kept about a shopper."""
        return answer({"visitor_id": visitor_id, **await edge.workers.run(lambda: shop.export(visitor_id))})

    @router.delete(
        "/v1/visitors/{visitor_id:path}",
        responses=described(ErasedAnswer, problems=_PROBLEMS),
        openapi_extra=keyed("admin"),
    )
    async def erase(visitor_id: VisitorId) -> Response:
        """Forget a shopper."""
        return answer(await edge.workers.run(lambda: shop.erase(visitor_id)))

    return router
