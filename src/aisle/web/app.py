"""The application: the shop behind HTTP.

From outside in: measure, catch what nobody expected, headers, CORS, body limit,
then the routes. All of it is plain ASGI.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response

from aisle.errors import NotFound
from aisle.protect.keys import Keyring
from aisle.protect.passwords import AdminPassword
from aisle.web import learning_models, models, problems
from aisle.web.edge import Edge
from aisle.web.limits import BodyLimit, RateLimit, Workers
from aisle.web.metrics import Measure, Metrics
from aisle.web.pages import pages_router
from aisle.web.routes.admin import admin_router
from aisle.web.routes.events import EventLane, events_router
from aisle.web.routes.health import health_router
from aisle.web.routes.items import items_router
from aisle.web.routes.labels import labels_router
from aisle.web.routes.login import login_router
from aisle.web.routes.search import search_router
from aisle.web.routes.shop import shop_router
from aisle.web.security import AdminSession, Gate, SecurityHeaders

if TYPE_CHECKING:
    from aisle.shop import Shop

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"}
_DESCRIPTION = """Search, suggestions, recommendations and events of one shop.

Send a key as `X-Aisle-Key`, or as `Authorization: Bearer`. Scopes: `search`, `events`, `admin`.
Errors are `application/problem+json`. Every list carries a `list_id`: echo it on the events that follow from it.
"""


def create_app(shop: Shop, *, keys: Keyring, password: AdminPassword, secret: bytes) -> FastAPI:
    """The ASGI application of an open shop; the caller keeps the shop open while it serves, and closes it.

    `secret` signs admin sessions.
    """
    settings = shop.settings
    server = settings.server
    session = AdminSession(secret, password, server.session_hours)
    metrics = Metrics()
    workers = Workers(server.threads)
    edge = Edge(shop, settings, Gate(keys, session, RateLimit(server.rate_per_minute)), workers, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(
        title=f"{settings.shop.name}: aisle API",
        description=_DESCRIPTION,
        version="1",
        # Their scripts come from a CDN, which this server's pages never load from.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        # aisle measures itself (/metrics) and calls nobody; the framework's own telemetry would ask at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.edge = edge
    for router in (
        events_router(edge),
        search_router(edge),
        items_router(edge),
        shop_router(edge),
        admin_router(edge),
        labels_router(edge),
        health_router(edge),
        login_router(edge, session, password),
        pages_router(
            shop_name=settings.shop.name,
            storefront_key=keys.storefront_key,
            language=settings.shop.language,
            currency=settings.shop.currency,
            is_admin=edge.gate.is_admin,
        ),
    ):
        app.include_router(router)
    _serve_media(app, shop.path / "media")
    problems.install(app)
    _describe(app)

    # The last added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=server.max_body_bytes)
    if server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(server.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["X-Aisle-Key", "Authorization", "Content-Type"],
            max_age=600,
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(problems.CatchFaults)
    app.add_middleware(Measure, metrics=metrics)
    if not server.cors_origins:  # with origins to check, events go the way of all requests
        app.add_middleware(EventLane, edge=edge)
    return app


def _serve_media(app: FastAPI, folder: Path) -> None:
    """The shop's photos; only pictures, and only from within the folder."""
    root = folder.resolve()

    @app.get("/media/{name:path}", include_in_schema=False)
    def media(name: str, request: Request) -> Response:
        try:
            wanted = (root / name).resolve()
            found = wanted.is_relative_to(root) and wanted.suffix.lower() in _PICTURES and wanted.is_file()
        except (OSError, ValueError):  # a name too long for the disk, or with a NUL in it
            found = False
        if not found:
            raise NotFound("no such picture")
        response = FileResponse(wanted, headers={"cache-control": "public, max-age=86400"})
        if wanted.suffix.lower() == ".avif":
            response.headers["content-type"] = "image/avif"
        stat = wanted.stat()
        response.set_stat_headers(stat)
        if request.headers.get("if-none-match") == response.headers["etag"]:
            return Response(status_code=304, headers={"etag": response.headers["etag"]})
        return response


def _describe(app: FastAPI) -> None:
    """Make /openapi.json say what the routes do themselves: keys, JSON bodies, problem+json."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=None
            )
            parts = schema.setdefault("components", {})
            parts["securitySchemes"] = {
                "key": {"type": "apiKey", "in": "header", "name": "X-Aisle-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
            schemas = parts.setdefault("schemas", {})
            for model in (
                models.SearchBody, models.EventBody, models.EventBatch, models.ProductBody, models.ProductBatch,
                learning_models.LabelBody,
            ):  # fmt: skip
                own = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(own.pop("$defs", {}))
                schemas[model.__name__] = own
            for path in schema["paths"].values():
                for operation in path.values():
                    for code, told in operation["responses"].items():
                        if code >= "400" and "problem" not in str(told.get("content")):
                            _as_problem(told)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _as_problem(told: dict[str, Any]) -> None:
    content = told.get("content", {}).pop("application/json", None)
    if content is not None:
        is_problem = content.get("schema", {}).get("$ref", "").endswith("/Problem")
        told["content"][problems.MEDIA_TYPE if is_problem else "application/json"] = content
