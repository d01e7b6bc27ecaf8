"""The OpenAPI document: valid, with valid examples, and consistent with the code and the official SDK."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import requests
import responses
from alguna import types
from openapi_core.exceptions import OpenAPIError
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from alguna_portal.portal_settings import BillingDetailsSettings, InvoiceListSettings, PlanOverviewSettings
from tests.contract.document import SERVER, SESSION, get_contract, get_documented_responses, load_document

DOCUMENTED = {400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504}


def is_valid(value: object, schema: dict[str, Any]) -> bool:
    """Return whether a value is valid according to a schema of the document."""
    resource = Resource.from_contents(load_document(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)
    absolute = resolve_references(schema)
    return bool(OAS31Validator(absolute, registry=registry, format_checker=oas31_format_checker).is_valid(value))


def resolve_references(schema: Any) -> Any:
    """Return a schema whose references are absolute."""
    if isinstance(schema, dict):
        return {
            key: f"urn:openapi{value}" if key == "$ref" else resolve_references(value) for key, value in schema.items()
        }
    return [resolve_references(item) for item in schema] if isinstance(schema, list) else schema


def find_examples(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all bodies, parameters and schemas with examples."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield node
        for value in node.values():
            yield from find_examples(value)
    elif isinstance(node, list):
        for item in node:
            yield from find_examples(item)


def get_example_value(example: dict[str, Any]) -> Any:
    """Return the value of an example, which can be a reference to a component."""
    name = example.get("$ref", "").removeprefix("#/components/examples/")
    return (load_document()["components"]["examples"][name] if name else example)["value"]


def test_document_is_valid_openapi_3_1() -> None:
    assert load_document()["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(load_document()).iter_errors()) == []


def test_examples_are_valid() -> None:
    checked = 0
    for place in find_examples(load_document()):
        values = [get_example_value(example) for example in place.get("examples", {}).values()]
        values += [place["example"]] if "example" in place else []
        for value in values:
            assert is_valid(value, place["schema"]), value
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
def test_schemas_reject_invalid_values(name: str, wrong: dict[str, Any]) -> None:
    assert not is_valid(wrong, {"$ref": f"#/components/schemas/{name}"})


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
def test_invalid_responses_are_detected(status: int, kind: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    """The status, the content type, the body or a header is invalid."""
    with responses.RequestsMock() as http:
        url = f"{SERVER}/customer-portal-sessions"
        http.add("POST", url, json=SESSION, status=200)
        http.add("POST", url, json=body, status=status, content_type=kind, headers=headers)
        right, wrong = (requests.post(url, json={"customer_id": "cust_abc123"}, timeout=5) for _ in range(2))
    get_contract().check_response(right, at=SERVER)
    with pytest.raises(OpenAPIError):
        get_contract().check_response(wrong, at=SERVER)


def test_creation_of_sessions_has_all_documented_errors() -> None:
    for operation in ("createPortalSession", "createLegacyPortalSession"):
        assert {status for name, status in get_documented_responses() if name == operation} == {200} | DOCUMENTED


@pytest.mark.parametrize("section", [PlanOverviewSettings, InvoiceListSettings, BillingDetailsSettings])
def test_sections_have_the_same_fields_as_portal_settings(section: type[Any]) -> None:
    schema = load_document()["components"]["schemas"][section.__name__]
    assert list(schema["properties"]) == [field.name for field in fields(section)]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("PlanOverviewSettings", types.PlanOverviewSettingsRequest),
        ("InvoiceListSettings", types.InvoiceListSettingsRequest),
        ("BillingDetailsSettings", types.BillingDetailsSettingsRequest),
        ("PortalSession", types.CustomerPortalSessionResponse),
        ("ContactRequest", types.ContactRequest),
        ("Contact", types.ContactResponse),
        ("AddressRequest", types.AddressRequest),
        ("Address", types.AddressResponse),
        ("Customer", types.CustomerResponse),
        ("CustomerLookup", types.CustomerLookupResponse),
        ("CustomerPage", types.CustomerListResponse),
        ("Subscription", types.SubscriptionResponse),
        ("SubscriptionPage", types.SubscriptionListResponse),
        ("Pagination", types.PaginationMeta),
        ("Problem", types.ErrorResponse),
        ("GatewayError", types.GatewayErrorResponse),
    ],
)
def test_schemas_agree_with_the_official_sdk(name: str, model: type[BaseModel]) -> None:
    """The SDK has all fields, and requires those that the document requires."""
    schema = load_document()["components"]["schemas"][name]
    sdk_fields = model.model_fields
    assert set(schema["properties"]) <= set(sdk_fields)
    assert set(schema.get("required", [])) <= {field for field, info in sdk_fields.items() if info.is_required()}
