"""Schemathesis at the served sandbox: data that the document allows is accepted, all other is refused, and every
answer is one that the document has.

No check is left out. Three kinds of cases are, because nobody outside Alguna knows what it does with them; each is
named below where it is turned off. Chains of calls are not tried either: the document has no links between its
operations, and the other tests here walk them by hand.
"""

from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.contract.conftest import Door
from tests.contract.document import PATH, every_answer

CONFIG = {
    "generation": {
        "mode": "all",
        "max-examples": 25,
        # The same cases in every run: a new one is for a change of the document.
        "deterministic": True,
        # A query may have parameters that the document leaves out: the SDK knows some.
        "allow-extra-parameters": False,
        # UNKNOWN of Alguna; the sandbox, whose databases cannot store a NUL, refuses it.
        "allow-x00": False,
    },
}

pytestmark = pytest.mark.slow

schema = schemathesis.openapi.from_path(PATH, config=SchemathesisConfig.from_dict(CONFIG))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def keeps_to_the_document(case: Case[Any], served: Door) -> None:
    """Try one case of an operation: an example, a limit, or data right or wrong."""
    if any(isinstance(value, list) for value in case.query.values()):
        return  # a parameter that is said twice: UNKNOWN of Alguna, and the sandbox takes the last
    mode = case.meta.generation.mode if case.meta else None
    if mode is GenerationMode.POSITIVE and "Idempotency-Key" in case.headers:
        # Two requests may draw the same key, and the second would rightly be refused.
        case.headers["Idempotency-Key"] = f"{uuid4()}"
    headers: dict[str, Any] = {"Authorization": f"Bearer {served.api_key}"}
    case.call_and_validate(base_url=served.url, headers=headers, timeout=20)


def tries(operation: str) -> Any:
    """Make the test of one operation. One test for all would be many of the same name, of which xdist runs one."""
    TESTED.add(operation)
    return schema.include(operation_id=operation).parametrize()(keeps_to_the_document)


TESTED: set[str] = set()
test_creating_portal_sessions = tries("createPortalSession")
test_listing_customers = tries("listCustomers")
test_creating_customers = tries("createCustomer")
test_looking_customers_up = tries("lookupCustomer")
test_getting_customers = tries("getCustomer")
test_updating_customers = tries("updateCustomer")
test_listing_subscriptions = tries("listSubscriptions")
test_creating_portal_sessions_by_the_earlier_api = tries("createLegacyPortalSession")


def test_every_operation_is_tried() -> None:
    """Also one that the document gets later."""
    assert {operation for operation, _ in every_answer()} == TESTED
