"""Schemathesis against the served sandbox: it accepts valid data, rejects other data, and its responses are documented.

All checks are on. Three kinds of cases are excluded, because Alguna doesn't document how it handles them; comments
below name them. Stateful tests aren't used, because the document has no links between operations.
"""

from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.contract.conftest import ApiClient
from tests.contract.document import PATH, get_documented_responses

CONFIG = {
    "generation": {
        "mode": "all",
        "max-examples": 25,
        # Cases only change with the document.
        "deterministic": True,
        # Undocumented query parameters are allowed: the SDK has some.
        "allow-extra-parameters": False,
        # UNKNOWN in Alguna. The sandbox rejects NUL, because databases can't store it.
        "allow-x00": False,
    },
}

pytestmark = pytest.mark.slow

schema = schemathesis.openapi.from_path(PATH, config=SchemathesisConfig.from_dict(CONFIG))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def check_case(case: Case[Any], served_api: ApiClient) -> None:
    """Send a case of an operation: an example, a limit, or valid or invalid data."""
    if any(isinstance(value, list) for value in case.query.values()):
        return  # repeated parameters: UNKNOWN in Alguna, the sandbox uses the last one
    mode = case.meta.generation.mode if case.meta else None
    if mode is GenerationMode.POSITIVE and "Idempotency-Key" in case.headers:
        # Two generated requests can have the same key, and the second one would be rejected.
        case.headers["Idempotency-Key"] = f"{uuid4()}"
    headers: dict[str, Any] = {"Authorization": f"Bearer {served_api.api_key}"}
    case.call_and_validate(base_url=served_api.url, headers=headers, timeout=20)


def create_test(operation: str) -> Any:
    """Create the test of an operation. Xdist would only run one of several cases with the same name."""
    TESTED.add(operation)
    return schema.include(operation_id=operation).parametrize()(check_case)


TESTED: set[str] = set()
test_create_portal_session = create_test("createPortalSession")
test_list_customers = create_test("listCustomers")
test_create_customer = create_test("createCustomer")
test_lookup_customer = create_test("lookupCustomer")
test_get_customer = create_test("getCustomer")
test_update_customer = create_test("updateCustomer")
test_list_subscriptions = create_test("listSubscriptions")
test_create_legacy_portal_session = create_test("createLegacyPortalSession")


def test_all_operations_are_tested() -> None:
    assert {operation for operation, _ in get_documented_responses()} == TESTED
