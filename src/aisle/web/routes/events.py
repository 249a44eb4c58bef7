"""/v1/events: the busiest address, acknowledged only once durable.

A page view is one small POST, so this path is lean: bytes to JSON to an Event,
one await on the log's group commit, bytes back. FastAPI's own handling of a
request would cost several times as much; the route it documents is the same
code, and the plain one stands before it.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from aisle.errors import InvalidEvent
from aisle.intake.events import event_from_mapping
from aisle.types import Ack, Event
from aisle.web.edge import Edge, described, json_body, keyed
from aisle.web.limits import batch_of, parse_json
from aisle.web.models import AckAnswer, AcksAnswer, EventBody
from aisle.web.serialise import ack_answer, dump

PATH = "/v1/events"


class EventDoor:
    """POST /v1/events as an ASGI application."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._currency = edge.settings.shop.currency
        self._max_batch = edge.settings.server.max_batch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["aisle_route"] = PATH
        self._edge.gate.admit(scope, "events")
        out = await self.acknowledge(await _body(receive))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(out))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": out})

    async def acknowledge(self, body: bytes) -> bytes:
        """Take the events of a body, all or none. Raises InvalidRequest, InvalidEvent, TooLarge, StorageError."""
        rows, single = batch_of(parse_json(body), "events", self._max_batch)
        events = self._events(rows)
        acks = await _settled(self._edge.shop.record_async(events)) if events else []
        self._edge.metrics.events_accepted(len(acks))
        return dump(ack_answer(acks[0]) if single else {"acks": [ack_answer(ack) for ack in acks]})

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


def lean_route(edge: Edge) -> Route:
    """The same address without FastAPI's handling, to be matched first."""
    return Route(PATH, EventDoor(edge), methods=["POST"], include_in_schema=False)


def _settled(durable: Future[list[Ack]]) -> asyncio.Future[list[Ack]]:
    """The log's future on this loop, at half the price of asyncio.wrap_future.

    Giving up waiting does not cancel the log's: the events are on their way to the disk.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[list[Ack]] = loop.create_future()

    def settle(done: Future[list[Ack]]) -> None:
        if waiter.done():
            return
        error = done.exception()
        if error is None:
            waiter.set_result(done.result())
        else:
            waiter.set_exception(error)

    def tell(done: Future[list[Ack]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended first
            loop.call_soon_threadsafe(settle, done)

    durable.add_done_callback(tell)
    return waiter


async def _body(receive: Receive) -> bytes:
    message: Message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)
