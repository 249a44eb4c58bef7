"""Bounds on what one caller may ask: body bytes, requests a minute, work in flight."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.errors import InvalidRequest, StorageError, TooLarge, TooManyRequests
from aisle.web.problems import problem_of

T = TypeVar("T")

# Callers that are remembered; the one unseen longest is forgotten, which only ever forgives.
_MAX_CALLERS = 10_000
_MAX_DEPTH = 60


class BodyLimit:
    """Refuses a body over `max_bytes`, whether its length was announced or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self._max_bytes):
                await problem_of(self._refusal())(scope, receive, send)
                return
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, counted, send)

    def _refusal(self) -> TooLarge:
        return too_large(self._max_bytes)


def too_large(max_bytes: int) -> TooLarge:
    """What a body over the limit is answered with."""
    return TooLarge(f"a body has at most {max_bytes} bytes: send it in parts")


class RateLimit:
    """A token bucket for each caller: `per_minute` on average, as many at once; 0: no limit."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = float(per_minute)
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, key: str, address: str) -> None:
        """Count one request. Raises TooManyRequests when the bucket is empty. One thread only (the loop's)."""
        if not self._burst:
            return
        now = self._clock()
        caller = (key, address)
        tokens, seen = self._buckets.get(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - seen) * self._per_s)
        if tokens < 1:
            raise TooManyRequests("too many requests: slow down", retry_after_s=(1 - tokens) / self._per_s)
        self._buckets[caller] = (tokens - 1, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MAX_CALLERS:
            self._buckets.popitem(last=False)


class Workers:
    """Threads that do the synchronous work, with a bounded queue before them.

    More than `max_waiting` requests in line means that the last would wait longer
    than its shopper does: it is refused at once.
    """

    def __init__(self, n_threads: int, max_waiting: int = 512) -> None:
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="aisle-web")
        self._room = max_waiting + n_threads
        self._n_inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work` in a thread. Raises StorageError (503) when the line is too long."""
        if self._n_inside >= self._room:
            raise StorageError("the server has more requests than it can answer now")
        self._n_inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._n_inside -= 1

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


async def read_json(request: Request) -> Any:
    """The body as JSON: strict UTF-8, no NaN, no lone surrogates. Raises InvalidRequest."""
    return parse_json(await request.body())


def parse_json(body: bytes) -> Any:
    """Bytes as JSON. Raises InvalidRequest saying where it breaks."""
    if not body:
        raise InvalidRequest("the body is empty: send JSON", field="body")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}", field="body") from None


def batch_of(body: Any, plural: str, max_batch: int) -> tuple[list[Any], bool]:
    """The objects of a body that is one, a list, or `{plural: [...]}`; and whether it was a single one.

    Raises InvalidRequest for other shapes and TooLarge for more than `max_batch`.
    """
    if isinstance(body, dict) and plural in body and not isinstance(body[plural], list):
        raise InvalidRequest(f"{plural} must be a list", field=plural)
    single = isinstance(body, dict) and plural not in body
    rows = [body] if single else body[plural] if isinstance(body, dict) else body
    if not isinstance(rows, list):
        raise InvalidRequest(f"send an object, a list of them, or {{{plural!r}: [...]}}", field="body")
    if len(rows) > max_batch:
        raise TooLarge(f"{len(rows)} {plural} in one request: send at most {max_batch} at once")
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidRequest("each must be a JSON object", field=f"{plural}[{i}]")
    return rows, single
