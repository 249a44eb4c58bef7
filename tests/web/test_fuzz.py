"""The API fuzzed from its own OpenAPI: whatever is sent, the answer is one that was promised, and never a 5xx."""

from __future__ import annotations

from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from small_shop import Api

CHECKS: Any = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def fuzz(operation: Any, headers: dict[str, str]) -> int:
    """Ask an operation in many ways, right and wrong; how often."""
    n_requests = 0

    @hypothesis.settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal n_requests
        n_requests += 1
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()
    return n_requests


def test_no_request_breaks_the_server(api: Api) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)
    n_operations = n_requests = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        scope = operation.definition.raw.get("x-scope", "")
        n_requests += fuzz(operation, {"": {}, "admin": api.admin}.get(scope, api.storefront))
        n_operations += 1
    assert n_operations >= 18
    assert n_requests >= 200
