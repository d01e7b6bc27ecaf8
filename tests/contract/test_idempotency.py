"""Idempotency keys: responses, replays, conflicts and release."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.conftest import ApiClient, make_unique

pytestmark = pytest.mark.xdist_group("contract")

ACME = {"name": "Acme Corp", "currency": "USD"}
FAULT = "Alguna-Sandbox-Fault"


def test_same_request_is_replayed(api: ApiClient) -> None:
    customer = api.create_customer()
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/customers", ACME),
        ("PATCH", f"/customers/{customer['id']}", {"name": "New"}),
        ("POST", "/customer-portal-sessions", {"customer_id": customer["id"]}),
    ]
    for method, path, data in calls:
        key = make_unique("key")
        first, again = (api.request(method, path, data, key=key) for _ in range(2))
        assert (first.headers["Idempotency-Key"], first.headers["Idempotent-Replayed"]) == (key, "false")
        assert (again.status_code, again.json()) == (first.status_code, first.json()) == (200, first.json())
        assert (again.headers["Idempotency-Key"], again.headers["Idempotent-Replayed"]) == (key, "true")


def test_requests_without_key_are_not_replayed(api: ApiClient) -> None:
    first, second = (api.request("POST", "/customers", ACME) for _ in range(2))
    assert first.json()["id"] != second.json()["id"]
    assert "Idempotent-Replayed" not in second.headers


def test_key_of_another_request_returns_422(api: ApiClient) -> None:
    """The body, the path or the method differs."""
    key = make_unique("key")
    customer = api.request("POST", "/customers", ACME, key=key).json()
    others = [
        api.request("POST", "/customers", {**ACME, "name": "Other"}, key=key),
        api.request("POST", "/customer-portal-sessions", {"customer_id": customer["id"]}, key=key),
        api.request("PATCH", f"/customers/{customer['id']}", ACME, key=key),
    ]
    for response in others:
        assert (response.status_code, response.json()["type"]) == (422, "about:blank")
        assert response.json()["title"]
    assert api.request("GET", f"/customers/{customer['id']}").json() == customer


def test_error_is_replayed(api: ApiClient) -> None:
    """Even if the alias isn't taken any more."""
    alias, key = make_unique(), make_unique("key")
    first = api.create_customer(aliases=[alias])
    first_response = api.request("POST", "/customers", {**ACME, "aliases": [alias]}, key=key)
    api.request("PATCH", f"/customers/{first['id']}", {"aliases": []})
    again = api.request("POST", "/customers", {**ACME, "aliases": [alias]}, key=key)
    assert (first_response.status_code, again.status_code) == (409, 409)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_key_in_use_returns_409_with_retry_after(api: ApiClient) -> None:
    key, slowly = make_unique("key"), {FAULT: "latency=2"}
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(api.request, "POST", "/customers", ACME, key=key, headers=slowly) for _ in "12"]
    first, meanwhile = sorted((each.result() for each in futures), key=lambda response: response.status_code)
    assert (meanwhile.status_code, meanwhile.json()["type"]) == (409, "about:blank")
    assert int(meanwhile.headers["Retry-After"]) >= 1
    again = api.request("POST", "/customers", ACME, key=key)
    assert (first.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (200, first.json(), "true")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_temporary_failure_releases_the_key(api: ApiClient, status: int) -> None:
    key = make_unique("key")
    failed = api.request("POST", "/customers", ACME, key=key, headers={FAULT: f"status={status}"})
    assert (failed.status_code, failed.headers["Transient-Error"]) == (status, "true")
    again = api.request("POST", "/customers", ACME, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "false")


def test_key_has_at_most_255_characters(api: ApiClient) -> None:
    alias = make_unique()
    assert api.request("POST", "/customers", ACME, key=make_unique("k").ljust(255, "k")).status_code == 200
    long = api.request("POST", "/customers", {**ACME, "aliases": [alias]}, key="k" * 256, valid=False)
    assert (long.status_code, long.json()["type"]) == (400, "about:blank")
    assert api.request("GET", "/customers/lookup", alias=alias).status_code == 404


def test_get_request_ignores_the_key(api: ApiClient) -> None:
    alias, key = make_unique(), make_unique("key")
    api.create_customer(aliases=[alias], name="Old")
    for name in ("Old", "New"):
        api.request("PATCH", f"/customers/{alias}", {"name": name})
        response = api.request("GET", f"/customers/{alias}", key=key)
        assert response.json()["name"] == name
        assert "Idempotent-Replayed" not in response.headers


def test_legacy_api_supports_keys(api: ApiClient) -> None:
    customer, key = api.create_customer(), make_unique("key")
    path, body = "/portal/customer-session/customer-portal", {"accountId": customer["id"]}
    first, again = (api.request("POST", path, body, key=key, headers={"Alguna-Version": None}) for _ in range(2))
    assert (first.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
