"""Who may call: keys on the API, a signed cookie for the admin, and the headers every answer carries."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aisle.errors import Forbidden, Unauthorised
from aisle.ports import ApiKey
from aisle.protect.keys import Keyring
from aisle.protect.passwords import AdminPassword
from aisle.web.limits import RateLimit

COOKIE = "aisle_admin"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ADMIN = ApiKey("session", "admin session", ("search", "events", "admin"), "", 0)


class AdminSession:
    """The admin's cookie: `<expiry in s>.<HMAC>`, good until then or until the password changes."""

    def __init__(self, secret: bytes, password: AdminPassword, hours: float) -> None:
        self._secret = secret
        self._password = password
        self._seconds = int(hours * 3600)

    def issue(self) -> str:
        """The Set-Cookie value of a fresh session."""
        expiry = str(int(time.time()) + self._seconds)
        return f"{COOKIE}={expiry}.{self._sign(expiry)}; Max-Age={self._seconds}; Path=/; HttpOnly; SameSite=Strict"

    @staticmethod
    def end() -> str:
        """The Set-Cookie value that takes the session away."""
        return f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"

    def holds(self, cookie_header: str) -> bool:
        """Whether a Cookie header carries a session that is signed and not over."""
        if COOKIE not in cookie_header or not self._password.is_set:
            return False
        try:
            morsel = SimpleCookie(cookie_header).get(COOKIE)
        except CookieError:
            return False
        expiry, _, signature = (morsel.value if morsel else "").partition(".")
        if not (expiry.isascii() and expiry.isdigit() and signature.isascii()) or len(expiry) > 12:
            return False
        return hmac.compare_digest(signature, self._sign(expiry)) and int(expiry) > time.time()

    def _sign(self, expiry: str) -> str:
        text = b"admin-session-v1\0" + expiry.encode("ascii") + b"\0" + self._password.stamp
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


class Gate:
    """Lets a request in or raises: key or session, scope, then rate."""

    def __init__(self, keys: Keyring, session: AdminSession, rate: RateLimit) -> None:
        self._keys = keys
        self._session = session
        self._rate = rate

    def admit(self, scope: Scope, needed: str) -> ApiKey:
        """Who calls. Raises Unauthorised, Forbidden or TooManyRequests."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        address = client_address(scope)
        text = _key_text(headers)
        if not text and b"cookie" in headers and self._session.holds(headers[b"cookie"].decode("latin-1")):
            if scope["method"] not in _SAFE_METHODS and not same_origin(scope, headers):
                raise Forbidden("an admin session changes things from the shop's own pages only")
            self._rate.take(_ADMIN.key_id, address)
            return _ADMIN
        try:
            key = self._keys.check(text, needed)
        except Unauthorised:
            # Guesses share one bucket an address, however many keys they try.
            self._rate.take("", address)
            raise
        self._rate.take(key.key_id, address)
        return key

    def needs(self, scope_name: str) -> Callable[[Request], Awaitable[ApiKey]]:
        """A FastAPI dependency that asks for a scope."""

        async def admitted(request: Request) -> ApiKey:
            return self.admit(request.scope, scope_name)

        return admitted

    def is_admin(self, request: Request) -> bool:
        """Whether a page request comes from a logged-in admin."""
        return self._session.holds(request.headers.get("cookie", ""))


class SecurityHeaders:
    """Headers for every answer; a page that sets one itself keeps its own."""

    _DEFAULTS = (
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    )
    _RAW = tuple((name.encode(), value.encode()) for name, value in _DEFAULTS)
    API = (*_RAW, (b"cache-control", b"no-store"))
    """What every answer of the API carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        api = scope["path"].startswith("/v1/")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message["headers"])
                if api:
                    headers.extend(self.API)
                else:
                    own = MutableHeaders(raw=headers)
                    for name, value in self._DEFAULTS:
                        own.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)


def same_origin(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says that the request comes from a page of this very host."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    origin = headers.get(b"origin", b"").decode("latin-1")
    try:
        return bool(origin) and urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1")
    except ValueError:
        return False


def client_address(scope: Scope) -> str:
    """The caller's address; behind a proxy on this machine, the one that the proxy names."""
    client = scope.get("client")
    return client[0] if client else ""


def login_is_ours(scope: Scope) -> bool:
    """Whether a login form was sent from the shop's own page, or by a caller that is no browser."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if b"sec-fetch-site" not in headers and b"origin" not in headers:
        return True
    return same_origin(scope, headers)


def _key_text(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-aisle-key")
    if given is None:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = token if scheme.lower() == b"bearer" else b""
    return given.strip().decode("latin-1")
