"""/v1/events: the busiest address, acknowledged only once durable.

A page view is one small POST, so this path is lean: bytes to JSON to an Event,
one await on the log's group commit, bytes back. The framework's own handling of
a request would cost several times as much, so `EventLane` stands before it; the
route that FastAPI documents is the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.errors import InvalidEvent
from aisle.intake.events import event_from_mapping
from aisle.types import Ack, Event
from aisle.web.edge import Edge, described, json_body, keyed
from aisle.web.limits import batch_of, parse_json, too_large
from aisle.web.metrics import Measure
from aisle.web.models import AckAnswer, AcksAnswer, EventBody
from aisle.web.problems import CatchFaults
from aisle.web.security import SecurityHeaders
from aisle.web.serialise import ack_answer, dump

PATH = "/v1/events"


class EventDoor:
    """The bytes of a request to acknowledged events to the bytes of an answer."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._currency = edge.settings.shop.currency
        self._max_batch = edge.settings.server.max_batch
        self._kept: tuple[asyncio.AbstractEventLoop, Mailbox] | None = None

    async def acknowledge(self, body: bytes) -> bytes:
        """Take the events of a body, all or none. Raises InvalidRequest, InvalidEvent, TooLarge, StorageError."""
        rows, single = batch_of(parse_json(body), "events", self._max_batch)
        events = self._events(rows)
        acks = await self._mailbox().settled(self._edge.shop.record_async(events)) if events else []
        self._edge.metrics.events_accepted(len(acks))
        return dump(ack_answer(acks[0]) if single else {"acks": [ack_answer(ack) for ack in acks]})

    def _mailbox(self) -> Mailbox:
        """Made on first use, for it belongs to the loop that runs then."""
        loop = asyncio.get_running_loop()
        if self._kept is None or self._kept[0] is not loop:
            self._kept = (loop, Mailbox())
        return self._kept[1]

    def _events(self, rows: list[dict[str, Any]]) -> list[Event]:
        if len(rows) == 1:
            return [event_from_mapping(rows[0], currency=self._currency)]
        events = []
        for i, row in enumerate(rows):
            try:
                events.append(event_from_mapping(row, currency=self._currency))
            except InvalidEvent as error:
                field = f"events[{i}].{error.field}".rstrip(".")
                raise InvalidEvent(f"events[{i}]: {error} (none of the batch was taken)", field=field) from None
        return events


def events_router(edge: Edge) -> APIRouter:
    """Events, one or many; they need the scope `events`."""
    router = APIRouter(tags=["events"])
    door = EventDoor(edge)

    @router.post(
        PATH,
        status_code=202,
        responses=described(AckAnswer | AcksAnswer, status=202, problems=(400, 401, 403, 413, 422, 429, 503)),
        openapi_extra={**keyed("events"), **json_body(EventBody, or_more=True)},
    )
    async def record(request: Request) -> Response:
        """Record what shoppers did: one event, a list, or `{"events": [...]}`; all are taken, or none.

        202 means durable: the events survive a power cut, and the next answer knows them.
        """
        edge.gate.admit(request.scope, "events")
        return Response(await door.acknowledge(await request.body()), 202, media_type="application/json")

    return router


class EventLane:
    """Middleware that answers POST /v1/events itself, ahead of the framework, and measures it.

    Whatever is not a plain success is raised inside the usual guards, so that
    faults look the same as everywhere.
    """

    _HEADERS = ((b"content-type", b"application/json"), *SecurityHeaders.API)

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self._app = app
        self._edge = edge
        self._door = EventDoor(edge)
        self._max_bytes = edge.settings.server.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        try:
            self._edge.gate.admit(scope, "events")
            out = await self._door.acknowledge(await _body(receive, self._max_bytes))
        except Exception as error:
            scope["aisle_route"] = PATH
            await self._refuse(error, scope, receive, send)
            return
        headers = [*self._HEADERS, (b"content-length", b"%d" % len(out))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": out})
        self._edge.metrics.answered("POST", PATH, 202, time.perf_counter() - started)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        async def fail(scope: Scope, receive: Receive, send: Send) -> None:
            raise error

        guarded = Measure(SecurityHeaders(CatchFaults(fail)), self._edge.metrics)
        await guarded(scope, receive, send)


class Mailbox:
    """Results of other threads' futures, brought to the event loop together.

    A group commit resolves several futures at once; waking the loop for each
    would cost more than the answers. Giving up waiting does not cancel the
    log's future: the events are on their way to the disk.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[asyncio.Future[list[Ack]], Future[list[Ack]]]] = deque()
        self._lock = threading.Lock()
        self._awake = False

    def settled(self, durable: Future[list[Ack]]) -> asyncio.Future[list[Ack]]:
        """The future as one of this loop, at a fraction of the price of asyncio.wrap_future."""
        waiter: asyncio.Future[list[Ack]] = self._loop.create_future()
        durable.add_done_callback(partial(self._tell, waiter))
        return waiter

    def _tell(self, waiter: asyncio.Future[list[Ack]], done: Future[list[Ack]]) -> None:
        with self._lock:
            self._arrived.append((waiter, done))
            wake, self._awake = not self._awake, True
        if wake:
            with contextlib.suppress(RuntimeError):  # the loop ended first
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, deque()
            self._awake = False
        for waiter, done in arrived:
            if waiter.done():
                continue
            error = done.exception()
            if error is None:
                waiter.set_result(done.result())
            else:
                waiter.set_exception(error)


async def _body(receive: Receive, max_bytes: int) -> bytes:
    """Raises TooLarge as soon as there is more than `max_bytes`."""
    parts: list[bytes] = []
    n_bytes, more = 0, True
    while more:
        message: Message = await receive()
        part: bytes = message.get("body", b"")
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise too_large(max_bytes)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
