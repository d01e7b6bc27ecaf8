"""Errors: both formats, and every status in the document for every operation."""

from typing import Any

import pytest
import requests

from tests.contract.conftest import ApiClient, make_unique
from tests.contract.document import get_documented_responses

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


def send(api: ApiClient, operation: str, *, valid: bool = True, **headers: str | None) -> requests.Response:
    """Send the request of an operation with additional headers."""
    method, path, data, query = REQUESTS[operation]
    all_headers: dict[str, str | None] = {name.replace("_", "-"): value for name, value in headers.items()}
    if operation == LEGACY:
        all_headers["Alguna-Version"] = None
    return api.request(method, path, data, valid=valid, headers=all_headers, **query)


def test_all_operations_are_tested() -> None:
    assert set(REQUESTS) == {operation for operation, _ in get_documented_responses()}


@operations
def test_each_documented_status_can_be_simulated(api: ApiClient, operation: str) -> None:
    for status in sorted(status for name, status in get_documented_responses() if name == operation and status != 200):
        response = send(api, operation, Alguna_Sandbox_Fault=f"status={status}")
        assert (response.status_code, response.json()["status"]) == (status, status)
        assert ("Transient-Error" in response.headers) == (status >= 500 or status == 429)


@operations
def test_invalid_api_key_returns_401_of_the_gateway(api: ApiClient, operation: str) -> None:
    """It is checked before everything else."""
    for authorization in (None, "Bearer key_1.wrong", "Basic c2FuZGJveDpzZWNyZXQ=", "Bearer"):
        # The document can't detect a wrong key.
        is_valid = authorization is not None and authorization.startswith("Bearer key")
        response = send(api, operation, valid=is_valid, Authorization=authorization, **{FAULT: "status=503"})
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.json()["message"]


@pytest.mark.parametrize("operation", set(REQUESTS) - {LEGACY})
@pytest.mark.parametrize("version", [None, "", "2026-04-02", "latest"])
def test_missing_or_unknown_version_returns_400(api: ApiClient, operation: str, version: str | None) -> None:
    method, path, data, query = REQUESTS[operation]
    response = api.request(method, path, data, valid=False, headers={"Alguna-Version": version}, **query)
    assert (response.status_code, response.json()["type"]) == (400, "about:blank")
    assert response.json()["title"]


@pytest.mark.parametrize("operation", ["createPortalSession", "createCustomer", "updateCustomer", LEGACY])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((400, body) for body in (b"", b"{", b"name=Acme", b'{"name": NaN}', b"\xff\xfe")),
        *((422, body) for body in (b"null", b"[]", b'"Acme"', b"7")),
    ],
)
def test_invalid_json_returns_400_and_other_values_422(
    api: ApiClient, operation: str, status: int, body: bytes
) -> None:
    method, path, _, _ = REQUESTS[operation]
    headers = {"Alguna-Version": None} if operation == LEGACY else {}
    if operation == "updateCustomer":
        path = f"/customers/{api.create_customer()['id']}"
    response = api.request(method, path, body, valid=False, headers=headers)
    assert (response.status_code, response.json()["status"]) == (status, status)


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
def test_unknown_paths_and_methods_return_errors_in_the_api_format(
    api: ApiClient, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {api.api_key}", "Alguna-Version": "2026-04-01"}
    response = api.http.request(method, api.url + path, headers=headers, timeout=20, allow_redirects=False)
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert set(response.json()) == {"detail", "status"}


@pytest.mark.parametrize("status", [429, 503, 409])
def test_retry_after_can_be_simulated(api: ApiClient, status: int) -> None:
    response = send(api, "createCustomer", Alguna_Sandbox_Fault=f"status={status}; retry-after=7")
    assert (response.status_code, response.headers["Retry-After"]) == (status, "7")


def test_gateway_error_and_html_page_can_be_simulated(api: ApiClient) -> None:
    response = send(api, "createPortalSession", Alguna_Sandbox_Fault="gateway")
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    response = send(api, "createPortalSession", Alguna_Sandbox_Fault="html=502")
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert "<h1>" in response.text


def test_dropped_request_does_not_run(served_api: ApiClient) -> None:
    alias = make_unique()
    creation = {"name": "Acme Corp", "currency": "USD", "aliases": [alias]}
    with pytest.raises(requests.ConnectionError):
        served_api.request("POST", "/customers", creation, headers={FAULT: "drop"})
    assert served_api.request("GET", "/customers/lookup", alias=alias).status_code == 404


@operations
def test_latency_only_changes_the_time(api: ApiClient, operation: str) -> None:
    usual = send(api, operation)
    late = send(api, operation, Alguna_Sandbox_Fault="latency=0.05")
    assert late.status_code == usual.status_code
    assert late.elapsed.total_seconds() >= 0.05 or api.url.endswith(".test")
