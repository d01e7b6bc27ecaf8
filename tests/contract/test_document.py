"""The OpenAPI document itself: valid, with examples that keep its own rules, and in step with the code."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import requests
import responses
from alguna.types import (
    AddressRequest,
    AddressResponse,
    BillingDetailsSettingsRequest,
    ContactRequest,
    ContactResponse,
    CustomerListResponse,
    CustomerLookupResponse,
    CustomerPortalSessionResponse,
    CustomerResponse,
    ErrorResponse,
    GatewayErrorResponse,
    InvoiceListSettingsRequest,
    PaginationMeta,
    PlanOverviewSettingsRequest,
    SubscriptionListResponse,
    SubscriptionResponse,
)
from openapi_core.exceptions import OpenAPIError
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from alguna_portal.portal_settings import BillingDetailsSettings, InvoiceListSettings, PlanOverviewSettings
from tests.contract.document import SERVER, contract, document, every_answer

DOCUMENTED = {400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504}
SESSION = {
    "id": "a8B3kLmQ",
    "customer_id": "cust_abc123",
    "url": "https://portal.alguna.io/hs/abc123",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
}


def obeys(value: object, schema: dict[str, Any]) -> bool:
    """Say whether a value keeps to a schema of the document."""
    whole = Resource.from_contents(document(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openapi", whole)
    absolute = rooted(schema)
    return bool(OAS31Validator(absolute, registry=registry, format_checker=oas31_format_checker).is_valid(value))


def rooted(schema: Any) -> Any:
    """Let a schema's references start at the document."""
    if isinstance(schema, dict):
        return {key: f"urn:openapi{value}" if key == "$ref" else rooted(value) for key, value in schema.items()}
    return [rooted(item) for item in schema] if isinstance(schema, list) else schema


def media(node: Any) -> Iterator[dict[str, Any]]:
    """Walk all bodies, parameters and schemas that have examples."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield node
        for value in node.values():
            yield from media(value)
    elif isinstance(node, list):
        for item in node:
            yield from media(item)


def resolved(example: dict[str, Any]) -> Any:
    """Return the value of an example, which may stand among the components."""
    name = example.get("$ref", "").removeprefix("#/components/examples/")
    return (document()["components"]["examples"][name] if name else example)["value"]


def test_the_document_is_valid_openapi_3_1() -> None:
    """By the official schema, with its references and its operations' ids."""
    assert document()["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document()).iter_errors()) == []


def test_the_examples_keep_the_documents_rules() -> None:
    """All of them, the reference pages' own among them."""
    checked = 0
    for place in media(document()):
        values = [resolved(example) for example in place.get("examples", {}).values()]
        values += [place["example"]] if "example" in place else []
        for value in values:
            assert obeys(value, place["schema"]), value
            checked += 1
    assert checked >= 10


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PortalSessionRequest", {}),
        ("PortalSessionRequest", {"customer_id": None, "customer_alias": None}),
        ("PortalSessionRequest", {"customer_alias": "a", "return_url": "https://example.com"}),
        ("PortalSessionRequest", {"customer_alias": "a", "invoice_list_settings": {"showSection": True}}),
        ("PortalSessionRequest", {"customer_alias": "a", "invoice_list_settings": {"show_section": None}}),
        ("PortalSession", {"id": "a", "customer_id": "b", "url": "https://x.example/", "created_at": "2026-04-01"}),
        ("CustomerRequest", {"name": "Acme", "currency": "Dollar"}),
        ("CustomerRequest", {"name": "\u3000", "currency": "USD"}),
        ("LegacyPortalSessionRequest", {"accountAlias": "a", "planOverviewSettings": {"show_section": True}}),
        ("LegacyPortalSession", {"sessionUrl": "https://x.example/", "expiresAt": "2026-04-01T10:00:00Z"}),
        ("Problem", {"code": "unauthenticated", "message": "No."}),
        ("GatewayError", {"detail": "No.", "status": 401}),
    ],
)
def test_the_schemas_refuse_what_they_should(name: str, wrong: dict[str, Any]) -> None:
    """A contract that everything keeps would be none."""
    assert not obeys(wrong, {"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize(
    ("status", "kind", "body", "headers"),
    [
        (200, "application/json", {}, {}),
        (200, "application/json", {**SESSION, "expires_at": "tomorrow"}, {}),
        (200, "application/json", {**SESSION, "url": "hs/abc123"}, {}),
        (200, "text/html", SESSION, {}),
        (200, "application/json", SESSION, {"Idempotent-Replayed": "yes"}),
        (201, "application/json", SESSION, {}),
        (418, "application/json", {"detail": "A teapot.", "status": 418}, {}),
        (404, "application/json", {"error": "No such customer."}, {}),
        (401, "application/json", {"error": "No."}, {}),
        (503, "text/html", {"detail": "Down.", "status": 503}, {}),
        (503, "application/json", {"detail": "Down.", "status": 503}, {"Retry-After": "soon"}),
    ],
)
def test_a_wrong_answer_is_found_out(status: int, kind: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    """By its status, its type, its body or its headers."""
    with responses.RequestsMock() as http:
        url = f"{SERVER}/customer-portal-sessions"
        http.add("POST", url, json=SESSION, status=200)
        http.add("POST", url, json=body, status=status, content_type=kind, headers=headers)
        right, wrong = (requests.post(url, json={"customer_id": "cust_abc123"}, timeout=5) for _ in range(2))
    contract().check_answer(right, at=SERVER)
    with pytest.raises(OpenAPIError):
        contract().check_answer(wrong, at=SERVER)


def test_a_portal_session_may_fail_in_every_documented_way() -> None:
    """And so may the earlier API's."""
    for operation in ("createPortalSession", "createLegacyPortalSession"):
        assert {status for name, status in every_answer() if name == operation} == {200} | DOCUMENTED


@pytest.mark.parametrize("section", [PlanOverviewSettings, InvoiceListSettings, BillingDetailsSettings])
def test_the_sections_have_the_fields_of_our_settings(section: type[Any]) -> None:
    """What hosts may configure is what the document allows, no more and no less."""
    schema = document()["components"]["schemas"][section.__name__]
    assert list(schema["properties"]) == [field.name for field in fields(section)]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("PlanOverviewSettings", PlanOverviewSettingsRequest),
        ("InvoiceListSettings", InvoiceListSettingsRequest),
        ("BillingDetailsSettings", BillingDetailsSettingsRequest),
        ("PortalSession", CustomerPortalSessionResponse),
        ("ContactRequest", ContactRequest),
        ("Contact", ContactResponse),
        ("AddressRequest", AddressRequest),
        ("Address", AddressResponse),
        ("Customer", CustomerResponse),
        ("CustomerLookup", CustomerLookupResponse),
        ("CustomerPage", CustomerListResponse),
        ("Subscription", SubscriptionResponse),
        ("SubscriptionPage", SubscriptionListResponse),
        ("Pagination", PaginationMeta),
        ("Problem", ErrorResponse),
        ("GatewayError", GatewayErrorResponse),
    ],
)
def test_the_schemas_agree_with_the_official_sdk(name: str, model: type[BaseModel]) -> None:
    """Every field is one of the SDK's, and none is required that the SDK takes for optional."""
    schema = document()["components"]["schemas"][name]
    theirs = model.model_fields
    assert set(schema["properties"]) <= set(theirs)
    assert set(schema.get("required", [])) <= {field for field, info in theirs.items() if info.is_required()}
