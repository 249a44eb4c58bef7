"""/v1/admin/labels: what people say the shop's texts are, and which are worth saying it of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from aisle.plain import plain
from aisle.training.labelling import TASK, LabelDesk
from aisle.web.edge import Edge, described, json_body, keyed, validated
from aisle.web.learning_models import LabelBody, LabelledAnswer, LabelsAnswer
from aisle.web.limits import read_json
from aisle.web.serialise import answer

Task = Annotated[
    str, Path(pattern=f"^{TASK}$", description="What the labels say: `intent` of searches, `category` of products.")
]


def labels_router(edge: Edge) -> APIRouter:
    """Labels, given and wanted; they need the scope `admin`."""
    router = APIRouter(tags=["admin"])
    shop = edge.shop

    @router.get(
        "/v1/admin/labels/{task}",
        dependencies=[Depends(edge.gate.needs("admin"))],
        responses=described(LabelsAnswer, problems=(401, 403, 422, 429, 503)),
        openapi_extra=keyed("admin"),
    )
    async def labels(
        task: Task, limit: Annotated[int, Query(ge=1, le=500, description="Most texts of the queue.")] = 20
    ) -> Response:
        """The label names known so far, and the texts most worth a label, with reasons."""
        return answer(_desk_answer(await edge.workers.run(lambda: shop.label_desk(task, top_k=limit))))

    @router.post(
        "/v1/admin/labels/{task}",
        responses=described(LabelledAnswer, problems=(400, 401, 403, 404, 413, 422, 429, 503)),
        openapi_extra={**keyed("admin"), **json_body(LabelBody)},
    )
    async def label(task: Task, request: Request) -> Response:
        """Say what a text is; with the label null, take back what was said of it."""
        key = edge.gate.admit(request.scope, "admin")
        body = validated(LabelBody, await read_json(request))

        def said() -> int:
            shop.label(task, body.text, body.label, by=key.name)
            return len(shop.labels(task))

        return answer({"task": task, "n_labels": await edge.workers.run(said)})

    return router


def _desk_answer(desk: LabelDesk) -> dict[str, Any]:
    return {
        "task": desk.task,
        "n_labels": desk.n_labels,
        "names": [{"name": name, "count": count} for name, count in desk.names],
        "n_waiting": desk.n_waiting,
        "queue": [{"text": one.text, "reasons": [plain(why) for why in one.reasons]} for one in desk.queue],
    }
