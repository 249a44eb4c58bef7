"""/health and /metrics: for whoever keeps the server running."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from aisle.web.edge import Edge
from aisle.web.metrics import CONTENT_TYPE, resident_bytes
from aisle.web.models import HealthAnswer
from aisle.web.serialise import answer

# The state behind the gauges and the readiness is read again after this; health checks must not become load.
_FRESH_S = 0.5


class Pulse:
    """The shop's state, read at most twice a second; remembers that the index has once caught up."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._read_at = float("-inf")
        self._state: dict[str, Any] = {}
        self.caught_up = False

    def read(self) -> dict[str, Any]:
        """`seq` (catalogue), `index_seq`, `index_lag` (changes not yet searchable), `event_seq`, `degraded`."""
        if time.monotonic() - self._read_at > _FRESH_S:
            self._state = self._edge.shop.health()
            self._read_at = time.monotonic()
            self.caught_up = self.caught_up or self._state["index_lag"] == 0
        return self._state

    def gauges(self) -> dict[str, tuple[str, float]]:
        """For Prometheus. Nothing here may fail: a scrape during a fault is when it is wanted."""
        gauges = {"aisle_process_resident_memory_bytes": ("Resident memory.", float(resident_bytes()))}
        try:
            state = self.read()
        except Exception:  # the shop is closing, or its disk is gone: memory is still worth telling
            return gauges
        gauges["aisle_catalog_seq"] = ("Newest change of the catalogue.", float(state["seq"]))
        gauges["aisle_index_lag"] = ("Changes of the catalogue that search does not show yet.", state["index_lag"])
        gauges["aisle_event_seq"] = ("Newest event.", float(state["event_seq"]))
        gauges["aisle_ready"] = ("1 once the index has caught up.", float(self.caught_up))
        gauges["aisle_degraded"] = ("Parts that cannot help now.", float(len(state["degraded"])))
        return gauges


def health_router(edge: Edge) -> APIRouter:
    """Liveness, readiness, metrics; no key is needed."""
    router = APIRouter(tags=["health"])
    pulse = Pulse(edge)
    edge.metrics.watch(pulse.gauges)

    @router.get("/health/live", responses={200: {"model": HealthAnswer}})
    async def live() -> Response:
        """The process answers."""
        return answer({"status": "live"})

    @router.get("/health/ready", responses={200: {"model": HealthAnswer}, 503: {"model": HealthAnswer}})
    async def ready() -> Response:
        """The shop is open and its index has caught up; says what is degraded."""
        state = await edge.workers.run(pulse.read)
        status = "ready" if pulse.caught_up else "starting"
        return answer({"status": status, **state}, 200 if pulse.caught_up else 503)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        """Prometheus' exposition format."""
        if not edge.settings.server.open_metrics:
            edge.gate.admit(request.scope, "admin")
        return Response(await edge.workers.run(edge.metrics.text), headers={"content-type": CONTENT_TYPE})

    return router
