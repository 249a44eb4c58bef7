"""The pages: shells that carry the shop's name, the language and the storefront's key.

Everything a page shows comes from the public `/v1` API, asked by the scripts in
`static/`. A shell holds no data of its own, so it needs neither the catalogue
nor a shopper, and costs under a millisecond.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from aisle.web import i18n

_HERE = Path(__file__).parent
_LANGUAGE_COOKIE = "aisle_lang"
_YEAR_S = 365 * 24 * 3600
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data: blob: https: http:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
STOREFRONT_POLICY = _POLICY.format(styles="'self'")
# plotly writes <style> rules of its own, and nothing but the admin loads it
ADMIN_POLICY = _POLICY.format(styles="'self' 'unsafe-inline'")


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    zipped: bytes
    media_type: str
    etag: str


@lru_cache(maxsize=1)
def _assets() -> tuple[str, Mapping[str, _Asset]]:
    """Every static file, read once, and a version that changes when any of them does."""
    found: dict[str, _Asset] = {}
    total = hashlib.sha256()
    root = _HERE / "static"
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        body = file.read_bytes()
        name = file.relative_to(root).as_posix()
        total.update(name.encode() + b"\0" + body)
        found[name] = _asset(body, file.suffix, file.name)
    return total.hexdigest()[:12], found


def _asset(body: bytes, suffix: str, name: str) -> _Asset:
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = media_type.startswith("text/") or "svg" in media_type or "json" in media_type
    return _Asset(
        body=body,
        zipped=gzip.compress(body, 6, mtime=0) if text else b"",
        media_type=media_type + ("; charset=utf-8" if text else ""),
        etag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
    )


@lru_cache(maxsize=1)
def _plotly() -> _Asset:
    """plotly's own script, out of the installed package; only its compressed form is kept (1.4 MB)."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("plotly is not installed")
    body = (Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_bytes()
    whole = _asset(body, ".js", "plotly.min.js")
    return _Asset(b"", whole.zipped, whole.media_type, whole.etag)


def _answer(request: Request, asset: _Asset, cache_control: str) -> Response:
    headers = {"cache-control": cache_control, "etag": asset.etag, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    body = asset.body
    if asset.zipped and (not body or "gzip" in request.headers.get("accept-encoding", "")):
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = asset.zipped
            headers["content-encoding"] = "gzip"
        else:
            body = gzip.decompress(asset.zipped)
    return Response(body, media_type=asset.media_type, headers=headers)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
    return environment


def language_of(request: Request, default: str) -> str:
    """The language of a page: `?lang=`, else the cookie, else the shop's own."""
    for wish in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE), default):
        if wish in i18n.CATALOGUES:
            return str(wish)
    return "en"


def pages_router(
    *,
    shop_name: str,
    storefront_key: str,
    language: str = "en",
    currency: str = "USD",
    is_admin: Callable[[Request], bool] = lambda request: False,
) -> APIRouter:
    """The page shells and their static files.

    `storefront_key` is the key with the scopes search and events; it is public,
    and stands in each storefront page. `is_admin` says whether a request carries
    a valid admin session: without one `/admin` leads to the login. The login
    itself (`POST /admin/login`, `POST /admin/logout`) belongs to the API.
    """
    router = APIRouter(include_in_schema=False)
    environment = _environment()
    version, assets = _assets()

    def page(request: Request, template: str, *, admin: bool = False, status: int = 200, **values: Any) -> Response:
        chosen = language_of(request, language)
        messages = i18n.CATALOGUES[chosen]
        html = environment.get_template(template).render(
            shop_name=shop_name,
            key="" if admin else storefront_key,
            currency=currency,
            lang=chosen,
            html_lang={"zh": "zh-Hans"}.get(chosen, chosen),
            t=lambda name, **fill: i18n.translate(chosen, name, **fill),
            messages={k: v for k, v in messages.items() if k.startswith("admin.") == admin},
            asset=lambda name: f"/static/{version}/{name}",
            languages=i18n.LANGUAGE_NAMES,
            here=request.url,
            place=request.headers.get("x-aisle-place", "")[:64],  # set by the shop; its events will carry it
            **values,
        )
        response = HTMLResponse(html, status_code=status)
        response.headers["content-security-policy"] = ADMIN_POLICY if admin else STOREFRONT_POLICY
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["referrer-policy"] = "same-origin"
        response.headers["cache-control"] = "no-store" if admin else "no-cache"
        if request.query_params.get("lang") == chosen:
            response.set_cookie(_LANGUAGE_COOKIE, chosen, max_age=_YEAR_S, samesite="lax", path="/")
        return response

    @router.get("/")
    def home(request: Request) -> Response:
        return page(request, "home.html")

    @router.get("/search")
    def search(request: Request) -> Response:
        return page(request, "search.html", category=False)

    @router.get("/c/{path:path}")
    def category(request: Request, path: str) -> Response:
        return page(request, "search.html", category=True)

    @router.get("/p/{item_id:path}")
    def product(request: Request, item_id: str) -> Response:
        return page(request, "product.html")

    @router.get("/g/{group}")
    def group(request: Request, group: str) -> Response:
        return page(request, "group.html")

    @router.get("/read/{page_id:path}")
    def read(request: Request, page_id: str) -> Response:
        return page(request, "read.html")

    @router.get("/cart")
    def cart(request: Request) -> Response:
        return page(request, "cart.html")

    @router.get("/checkout")
    def checkout(request: Request) -> Response:
        return page(request, "checkout.html")

    @router.get("/admin")
    def admin(request: Request) -> Response:
        if not is_admin(request):
            return RedirectResponse("/admin/login", status_code=303)
        return page(request, "admin.html", admin=True)

    @router.get("/admin/login")
    def login(request: Request) -> Response:
        if is_admin(request):
            return RedirectResponse("/admin", status_code=303)
        return page(request, "admin_login.html", admin=True, failed=request.query_params.get("failed", ""))

    @router.get("/static/plotly.min.js")
    def plotly(request: Request) -> Response:
        try:
            return _answer(request, _plotly(), "public, max-age=86400")
        except FileNotFoundError:
            return PlainTextResponse("plotly is not installed", status_code=404)

    @router.get("/static/{wanted}/{name:path}")
    def static(request: Request, wanted: str, name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            return PlainTextResponse("no such file", status_code=404)
        # the version stands in the path, so that modules importing each other stay of one version
        fresh = "public, max-age=31536000, immutable" if wanted == version else "no-cache"
        return _answer(request, asset, fresh)

    @router.get("/favicon.ico")
    def favicon(request: Request) -> Response:
        return _answer(request, assets["img/icon.svg"], "public, max-age=86400")

    return router
