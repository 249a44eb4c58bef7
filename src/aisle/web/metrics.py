"""What the server counts, for Prometheus: requests, events, degraded answers, index lag, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.013, 0.02, 0.035, 0.06, 0.1, 0.2, 0.5, 1.0, 3.0)


class Metrics:
    """One registry a server, so that two shops in one process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "aisle_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "aisle_http_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._events = Counter("aisle_events_accepted", "Events acknowledged as durable.", registry=self._registry)
        self._degraded = Counter(
            "aisle_search_degraded", "Answers that a part could not help with.", ("part",), registry=self._registry
        )
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._timers: dict[tuple[str, str], Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. The labelled children are kept: looking them up costs more than counting."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = self._counters[method, route, status] = self._requests.labels(method, route, str(status))
        timer = self._timers.get((method, route))
        if timer is None:
            timer = self._timers[method, route] = self._seconds.labels(method, route)
        counter.inc()
        timer.observe(seconds)

    def events_accepted(self, n: int) -> None:
        self._events.inc(n)

    def degraded(self, parts: Iterable[str]) -> None:
        for part in parts:
            self._degraded.labels(part.partition(":")[0][:40]).inc()

    def watch(self, gauges: Callable[[], dict[str, tuple[str, float]]]) -> None:
        """Add gauges that are read when Prometheus asks: name to (help, value)."""

        class Reader:
            def collect(self) -> Iterable[Metric]:
                for name, (help_text, value) in gauges().items():
                    yield GaugeMetricFamily(name, help_text, value)

        self._registry.register(Reader())

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)


class Measure:
    """Times each request under its route's template, so that labels stay few."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.answered(_method(scope), _template(scope), status, time.perf_counter() - started)


def resident_bytes() -> int:
    """Resident memory of this process; 0 where /proc does not say."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _method(scope: Scope) -> str:
    """Any token is a method in HTTP; labels are not made of what callers invent."""
    method: str = scope["method"]
    return method if method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH") else "other"


def _template(scope: Scope) -> str:
    template = scope.get("aisle_route")
    if template is None:
        template = getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else "unmatched"
