"""Errors, at both doors: the two shapes, and every status that the document has, for every operation."""

from typing import Any

import pytest
import requests

from tests.contract.conftest import Door, unused
from tests.contract.document import every_answer

pytestmark = pytest.mark.xdist_group("contract")

FAULT = "Alguna-Sandbox-Fault"
LEGACY = "createLegacyPortalSession"
ID = "cust_abc123"
REQUESTS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "createPortalSession": ("POST", "/customer-portal-sessions", {"customer_id": ID}, {}),
    "createCustomer": ("POST", "/customers", {"name": "Acme Corp", "currency": "USD"}, {}),
    "listCustomers": ("GET", "/customers", None, {"limit": "1"}),
    "lookupCustomer": ("GET", "/customers/lookup", None, {"alias": "nobody"}),
    "getCustomer": ("GET", f"/customers/{ID}", None, {}),
    "updateCustomer": ("PATCH", f"/customers/{ID}", {"name": "Acme Corporation"}, {}),
    "listSubscriptions": ("GET", "/subscriptions", None, {"limit": "1"}),
    LEGACY: ("POST", "/portal/customer-session/customer-portal", {"accountId": ID}, {}),
}
operations = pytest.mark.parametrize("operation", REQUESTS)


def send(door: Door, operation: str, *, valid: bool = True, **headers: str | None) -> requests.Response:
    """Send an operation's request with further headers."""
    method, path, data, query = REQUESTS[operation]
    named: dict[str, str | None] = {name.replace("_", "-"): value for name, value in headers.items()}
    if operation == LEGACY:
        named["Alguna-Version"] = None
    return door.ask(method, path, data, valid=valid, headers=named, **query)


def test_the_requests_here_are_those_of_the_document() -> None:
    """None is forgotten."""
    assert set(REQUESTS) == {operation for operation, _ in every_answer()}


@operations
def test_every_documented_failure_can_be_had(door: Door, operation: str) -> None:
    """With the shape and the headers that the document has for it."""
    for status in sorted(status for name, status in every_answer() if name == operation and status != 200):
        answer = send(door, operation, Alguna_Sandbox_Fault=f"status={status}")
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert ("Transient-Error" in answer.headers) == (status >= 500 or status == 429)


@operations
def test_a_call_without_a_key_is_the_gateways_to_refuse(door: Door, operation: str) -> None:
    """No key, a wrong key or another scheme; in the gateway's shape, before anything else is looked at."""
    for authorization in (None, "Bearer key_1.wrong", "Basic c2FuZGJveDpzZWNyZXQ=", "Bearer"):
        # A wrong key is nothing that a document could see.
        plausible = authorization is not None and authorization.startswith("Bearer key")
        answer = send(door, operation, valid=plausible, Authorization=authorization, **{FAULT: "status=503"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.json()["message"]


@pytest.mark.parametrize("operation", set(REQUESTS) - {LEGACY})
@pytest.mark.parametrize("version", [None, "", "2026-04-02", "latest"])
def test_a_call_without_the_version_fails(door: Door, operation: str, version: str | None) -> None:
    """With the title that version errors have."""
    method, path, data, query = REQUESTS[operation]
    answer = door.ask(method, path, data, valid=False, headers={"Alguna-Version": version}, **query)
    assert (answer.status_code, answer.json()["type"]) == (400, "about:blank")
    assert answer.json()["title"]


@pytest.mark.parametrize("operation", ["createPortalSession", "createCustomer", "updateCustomer", LEGACY])
@pytest.mark.parametrize("body", [b"", b"{", b"name=Acme", b'{"name": NaN}', b"\xff\xfe"])
def test_a_body_that_is_no_json_is_a_bad_request(door: Door, operation: str, body: bytes) -> None:
    """Whatever else is wrong with the request."""
    method, path, _, _ = REQUESTS[operation]
    headers = {"Alguna-Version": None} if operation == LEGACY else {}
    if operation == "updateCustomer":
        path = f"/customers/{door.customer()['id']}"
    answer = door.ask(method, path, body, valid=False, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


@pytest.mark.parametrize("operation", ["createPortalSession", "createCustomer", "updateCustomer", LEGACY])
@pytest.mark.parametrize("body", [b"null", b"[]", b'"Acme"', b"7"])
def test_a_body_that_is_no_object_cannot_be_processed(door: Door, operation: str, body: bytes) -> None:
    """It is JSON, so the request could be read."""
    method, path, _, _ = REQUESTS[operation]
    headers = {"Alguna-Version": None} if operation == LEGACY else {}
    if operation == "updateCustomer":
        path = f"/customers/{door.customer()['id']}"
    answer = door.ask(method, path, body, valid=False, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", f"/customers/{ID}", 405),
        ("PUT", "/customers", 405),
        ("GET", "/customer-portal-sessions", 405),
        ("GET", "/invoices", 404),
        ("GET", "/", 404),
        ("GET", "/customers/", 404),
        ("POST", "/portal/customer-session", 404),
    ],
)
def test_what_the_document_does_not_have_is_an_error_in_the_apis_shape(
    door: Door, method: str, path: str, status: int
) -> None:
    """Not a page, and not a redirect."""
    headers = {"Authorization": f"Bearer {door.api_key}", "Alguna-Version": "2026-04-01"}
    answer = door.http.request(method, door.url + path, headers=headers, timeout=20, allow_redirects=False)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert set(answer.json()) == {"detail", "status"}


@pytest.mark.parametrize("status", [429, 503, 409])
def test_retry_after_comes_as_it_was_asked_for(door: Door, status: int) -> None:
    """In whole seconds."""
    answer = send(door, "createCustomer", Alguna_Sandbox_Fault=f"status={status}; retry-after=7")
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")


def test_the_gateway_can_be_made_to_refuse_a_right_key(door: Door) -> None:
    """In its own shape."""
    answer = send(door, "createPortalSession", Alguna_Sandbox_Fault="gateway")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_502_may_be_a_page(door: Door) -> None:
    """HTML where JSON was expected, which the document allows for this status alone."""
    answer = send(door, "createPortalSession", Alguna_Sandbox_Fault="html=502")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert "<h1>" in answer.text


def test_a_connection_can_be_dropped_and_nothing_has_run(served: Door) -> None:
    """At the served sandbox: there is no answer at all."""
    alias = unused()
    creation = {"name": "Acme Corp", "currency": "USD", "aliases": [alias]}
    with pytest.raises(requests.ConnectionError):
        served.ask("POST", "/customers", creation, headers={FAULT: "drop"})
    assert served.ask("GET", "/customers/lookup", alias=alias).status_code == 404


@operations
def test_latency_changes_nothing_but_the_time(door: Door, operation: str) -> None:
    """The answer is that of a good day, and late."""
    usual = send(door, operation)
    late = send(door, operation, Alguna_Sandbox_Fault="latency=0.05")
    assert late.status_code == usual.status_code
    assert late.elapsed.total_seconds() >= 0.05 or door.url.endswith(".test")
