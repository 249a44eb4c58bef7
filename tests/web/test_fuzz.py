"""The API fuzzed from its own OpenAPI: whatever is sent, the answer is one that was promised, and never a 5xx."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from small_shop import Api


@pytest.fixture(scope="module")
def described(api: Api) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", api.app)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@hypothesis.settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
def test_no_request_breaks_the_server(case: schemathesis.Case, api: Api) -> None:
    key = api.admin if _scope(case) == "admin" else api.storefront
    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
    case.call_and_validate(headers=key, checks=checks)


def _scope(case: schemathesis.Case) -> str:
    return str(case.operation.definition.raw.get("x-scope", ""))
