"""What every route needs, in one value, and how routes describe themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from aisle.errors import InvalidRequest
from aisle.settings import Settings
from aisle.types import Context
from aisle.web.limits import Workers
from aisle.web.metrics import Metrics
from aisle.web.models import Problem
from aisle.web.problems import describe
from aisle.web.security import Gate

if TYPE_CHECKING:
    from aisle.shop import Shop

M = TypeVar("M", bound=BaseModel)
LANGUAGES = ("en", "zh")
_PHONE = re.compile(r"Mobi|Android|iPhone|iPod", re.IGNORECASE)

_PROBLEMS = {
    400: "An argument is wrong; `field` names it.",
    401: "No key, or not one of this shop's.",
    403: "The key lacks the scope.",
    404: "There is no such thing.",
    413: "The body is too large, or the batch too long.",
    422: "An argument has the wrong type or is out of range; `field` names it.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "Too busy, or the store cannot answer; Retry-After says when to come back.",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """The shop and the tools of the HTTP edge around it."""

    shop: Shop
    settings: Settings
    gate: Gate
    workers: Workers
    metrics: Metrics

    def language(self, wished: str) -> str:
        """The language of an answer: the one wished for if there is one, else the shop's."""
        wanted = wished[:2].lower()
        return wanted if wanted in LANGUAGES else self.settings.shop.language

    def context(self, request: Request, place: str, device: Literal["", "phone", "desk"]) -> Context:
        """Where and on what somebody looks: as they say, else as the shop's header and the browser say."""
        headers = request.headers
        said = headers.get("user-agent", "")
        seen: Literal["", "phone", "desk"] = "phone" if _PHONE.search(said) else "desk" if "Mozilla" in said else ""
        return Context(place=place or headers.get("x-aisle-place", "")[:64], device=device or seen)

    def query(self, text: str) -> str:
        """What is read of a query: the beginning."""
        return text[: self.settings.server.max_query_chars]


def described(
    good: type[BaseModel] | Any, *, status: int = 200, problems: Sequence[int] = (400, 401, 403, 422, 429, 503)
) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: the good answer's model and the problems it may give."""
    responses: dict[int | str, dict[str, Any]] = {status: {"model": good, "description": "The answer."}}
    for code in problems:
        responses[code] = {"model": Problem, "description": _PROBLEMS[code]}
    return responses


def keyed(scope: str) -> dict[str, Any]:
    """The OpenAPI of a route that needs a key with a scope."""
    return {"security": [{"key": []}, {"bearer": []}], "x-scope": scope}


def json_body(model: type[BaseModel] | Any, *, or_more: bool = False) -> dict[str, Any]:
    """The OpenAPI of a JSON body that the route reads itself."""
    name = model.__name__
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}"}
    if or_more:
        batch = name.replace("Body", "Batch")
        schema = {"anyOf": [schema, {"type": "array", "items": schema}, {"$ref": f"#/components/schemas/{batch}"}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def query_string(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI of query parameters that the route reads itself."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": schema.get("description", ""),
                "schema": {k: v for k, v in schema.items() if k != "description"},
            }
            for name, schema in model.model_json_schema()["properties"].items()
        ]
    }


def read_query(request: Request, model: type[M]) -> M:
    """The query parameters as a model; one that may be repeated gathers its values. Raises InvalidRequest (422)."""
    repeatable = _repeatable(model)
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in repeatable:
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    return validated(model, given)


@cache
def _repeatable(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(n for n, f in model.model_fields.items() if get_origin(f.annotation) is list)


def validated(model: type[M], given: Any) -> M:
    """What a caller gave as a model. Raises InvalidRequest (422) naming the first wrong field."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        field, detail = describe(error.errors(include_url=False, include_input=False))
        refusal = InvalidRequest(detail, field=field)
        refusal.status = 422
        raise refusal from None
