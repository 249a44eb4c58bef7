"""POST /admin/login and /admin/logout: a password for a cookie."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from aisle.errors import AisleError, Forbidden, InvalidRequest, TooLarge, TooManyRequests, Unauthorised
from aisle.protect.passwords import AdminPassword
from aisle.web.edge import Edge
from aisle.web.limits import RateLimit, parse_json
from aisle.web.security import AdminSession, client_address, login_is_ours

_MAX_FORM_BYTES = 4096


def login_router(edge: Edge, session: AdminSession, password: AdminPassword) -> APIRouter:
    """Log in and out. A browser is sent on; anybody else gets 204 or a problem."""
    router = APIRouter(include_in_schema=False)
    attempts = RateLimit(edge.settings.server.login_attempts_per_minute)
    # One check at a time: argon2 is meant to be slow and hungry, which must not be turned on the shop.
    checker = ThreadPoolExecutor(1, thread_name_prefix="aisle-login")

    async def checked(request: Request) -> None:
        if not login_is_ours(request.scope):
            raise Forbidden("log in from the shop's own page")
        attempts.take("login", client_address(request.scope))
        if not password.is_set:
            raise Forbidden("no admin password is set: choose one with `aisle password SHOP`")
        given = _password(await _small_body(request), request.headers.get("content-type", ""))
        if not await asyncio.get_running_loop().run_in_executor(checker, password.verify, given):
            raise Unauthorised("that is not the password")

    @router.post("/admin/login")
    async def login(request: Request) -> Response:
        browser = "text/html" in request.headers.get("accept", "")
        try:
            await checked(request)
        except AisleError as error:
            if not browser:
                raise
            return RedirectResponse(f"/admin/login?failed={_why(error)}", status_code=303)
        response = RedirectResponse("/admin", status_code=303) if browser else Response(status_code=204)
        response.headers["set-cookie"] = session.issue()
        return response

    @router.post("/admin/logout")
    async def logout(request: Request) -> Response:
        if not login_is_ours(request.scope):
            raise Forbidden("log out from the shop's own page")
        browser = "text/html" in request.headers.get("accept", "")
        response = RedirectResponse("/admin/login", status_code=303) if browser else Response(status_code=204)
        response.headers["set-cookie"] = session.end()
        return response

    return router


async def _small_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            raise TooLarge("that is no login form")
    return body


def _password(body: bytes, content_type: str) -> str:
    if content_type.startswith("application/json"):
        fields = parse_json(body)
        given = fields.get("password") if isinstance(fields, dict) else None
    else:
        try:
            given = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10).get("password", [None])[0]
        except ValueError:
            given = None
    if not isinstance(given, str):
        raise InvalidRequest("send the password as a form field", field="password")
    return given


def _why(error: AisleError) -> str:
    if isinstance(error, TooManyRequests):
        return "often"
    return "unset" if isinstance(error, Forbidden) and "no admin password" in str(error) else "password"
