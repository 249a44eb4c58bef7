"""Every error as `application/problem+json` (RFC 9457).

An error that aisle raised on purpose says what to do about it. Anything else is
a fault of ours: the caller gets an id, and the log has the story under it.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.errors import AisleError, Forbidden, InvalidRequest, TooLarge, TooManyRequests, Unauthorised

log = logging.getLogger("aisle.web")

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    "InvalidFilter": "The filter is not valid",
    "InvalidEvent": "The event is not valid",
    "InvalidProduct": "The product is not valid",
    "InvalidRequest": "The request is not valid",
    "NotFound": "Not found",
    "Unauthorised": "A key is needed",
    "Forbidden": "Not allowed",
    "TooLarge": "The body is too large",
    "TooManyRequests": "Too many requests",
    "StorageError": "The store cannot answer now",
    "ShopBusy": "The shop is busy",
}


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "",
    title: str = "",
    field: str = "",
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Response:
    """A problem response. `kind` names the sort of error, `field` the argument that was wrong."""
    body: dict[str, Any] = {
        "type": f"urn:aisle:problem:{kind}" if kind else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field:
        body["field"] = field
    body.update(more)
    return Response(orjson.dumps(body), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of(error: AisleError) -> Response:
    """The problem that an error of ours becomes."""
    kind = type(error).__name__
    headers: dict[str, str] = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="aisle"'
    elif isinstance(error, TooLarge):
        # The rest of the body is not read: the connection cannot carry another request.
        headers["Connection"] = "close"
    elif error.status == 503:
        headers["Retry-After"] = "1"
    if error.status >= 500:
        return _fault(error, error.status, kind, headers)
    if error.status >= 400 and not isinstance(error, Unauthorised | Forbidden | TooManyRequests):
        log.debug("%s: %s", kind, error)
    field = error.field if isinstance(error, InvalidRequest) else ""
    return problem(
        error.status, _printable(str(error)), kind=_dashed(kind), title=_TITLES.get(kind, ""), field=field,
        headers=headers,
    )  # fmt: skip


def install(app: FastAPI) -> None:
    """Answer every error that reaches the app with a problem."""

    async def on_aisle(_: Request, error: Exception) -> Response:
        assert isinstance(error, AisleError)
        return problem_of(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        field, detail = describe(error.errors())
        return problem(422, detail, kind="invalid-request", title=_TITLES["InvalidRequest"], field=field)

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        detail = error.detail if error.detail != phrase else _WHAT_TO_DO.get(error.status_code, phrase)
        return problem(error.status_code, detail, headers=error.headers)

    app.add_exception_handler(AisleError, on_aisle)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)


class CatchFaults:
    """The last net: what nobody expected becomes a 500 that tells nothing but an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except AisleError as error:
            if started:
                raise
            await problem_of(error)(scope, receive, send)
        except Exception as error:
            if started:
                raise
            await _fault(error, 500, "", {})(scope, receive, send)


def describe(faults: Any) -> tuple[str, str]:
    """The first wrong field and a sentence about all of them, from pydantic's list of errors."""
    told = []
    first = ""
    for fault in faults:
        field = ".".join(str(part) for part in fault["loc"] if part not in ("query", "body", "path", "header"))
        first = first or field
        told.append(f"{field or 'request'}: {fault['msg']}")
    return _printable(first)[:200], _printable("; ".join(told))[:1000]


def _fault(error: Exception, status: int, kind: str, headers: dict[str, str]) -> Response:
    fault_id = secrets.token_hex(6)
    # The exception's own words may quote a request, never a key: keys are compared as hashes and not put in messages.
    log.error("fault %s: %s", fault_id, type(error).__name__, exc_info=error)
    detail = f"Something went wrong on our side; the log has it as {fault_id}."
    title = _TITLES.get(kind, "Internal error" if status == 500 else "")
    return problem(status, detail, kind=_dashed(kind), title=title, headers=headers, fault_id=fault_id)


_WHAT_TO_DO = {
    404: "There is nothing at this address. /openapi.json lists what there is.",
    405: "This address does not answer to that method; the Allow header lists those it does.",
}


def _dashed(kind: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind).lstrip("-")


def _printable(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8; a message that quotes one must still be sendable."""
    return text.encode("utf-8", "replace").decode("utf-8")
