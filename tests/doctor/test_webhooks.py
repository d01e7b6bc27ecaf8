"""The checks of webhooks. `test_findings` has those of signing secrets and plan ids."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from tests.doctor.conftest import WEBHOOK, FakeApi, run_doctor


def replace_endpoint(api: FakeApi, get: Any, post: Any = 400, **headers: str) -> None:
    """Let the endpoint respond with a status, or fail with an exception."""
    for method, result in (("GET", get), ("POST", post)):
        api.http.remove(method, WEBHOOK)
        if isinstance(result, Exception):
            api.http.add(method, WEBHOOK, body=result)
        else:
            api.http.add(method, WEBHOOK, status=result, headers=headers)


def get_endpoint_requests(api: FakeApi) -> list[requests.PreparedRequest]:
    return [call.request for call in api.http.calls if call.request.url == WEBHOOK]


def test_endpoint_gets_unsigned_requests_without_key(healthy: Settings, api: FakeApi) -> None:
    assert run_doctor()["webhooks.address"]["found"] == f"{WEBHOOK} is there, and refuses what is not signed."
    get, post = get_endpoint_requests(api)
    assert (get.method, post.method, post.body) == ("GET", "POST", b"{}")
    for request in (get, post):
        assert "Authorization" not in request.headers
        assert not [name for name in request.headers if "signature" in name.lower()]


def test_webhook_view_returns_the_expected_statuses(healthy: Settings, client: Client) -> None:
    path = urlsplit(WEBHOOK).path
    assert client.get(path, headers={"Host": "app.example.com"}).status_code == 405
    assert client.post(path, {}, "application/json", headers={"Host": "app.example.com"}).status_code == 400


@pytest.mark.parametrize(
    ("plan_ids", "ending"),
    [
        ({"plan_1": "starter"}, "is not noticed. Plans follow only when alguna_sync is run."),
        ({}, "is not noticed."),
    ],
)
def test_missing_secrets_are_a_note(healthy: Settings, api: FakeApi, plan_ids: dict[str, str], ending: str) -> None:
    healthy.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    healthy.ALGUNA_PORTAL_PLAN_IDS = plan_ids
    report = run_doctor()
    assert report.get_level("webhooks.secrets") == "note"
    assert report["webhooks.secrets"]["found"].endswith(ending)
    assert "webhooks.address" not in report
    assert not get_endpoint_requests(api)


@pytest.mark.parametrize(
    ("get", "post", "location", "level", "found"),
    [
        (301, 400, "https://www.example.com/billing/webhook/?next=secret", "error", "https://www.example.com/billing"),
        (405, 302, "/login/?next=/billing/webhook/", "error", "redirects to /login/, and"),
        (302, 400, None, "error", "redirects to nowhere"),
        (302, 400, "https://[nowhere", "error", "redirects to nowhere"),
        (405, 403, None, "error", "answers 403 before our view is asked"),
        (401, 400, None, "error", "answers 401 before our view is asked"),
        (404, 400, None, "error", "answers 404: without a secret"),
        (200, 400, None, "error", "answers 200, which is not our view's answer"),
        (405, 200, None, "error", "answers 200 to a message that nobody signed"),
        (405, 502, None, "error", "answers 502, which is not our view's answer"),
        # If this server can't reach the endpoint, Alguna may be able to.
        (requests.exceptions.SSLError("secret"), 400, None, "warning", "its certificate is not valid for it"),
        (requests.Timeout("secret"), 400, None, "warning", "it did not answer in time"),
        (requests.ConnectionError("secret"), 400, None, "warning", "it cannot be reached (ConnectionError)"),
    ],
)
def test_unexpected_response(
    healthy: Settings, api: FakeApi, get: int | Exception, post: int, location: str | None, level: str, found: str
) -> None:
    """Redirects are not followed, and their query is not shown."""
    replace_endpoint(api, get, post, **({"Location": location} if location else {}))
    finding = run_doctor()["webhooks.address"]
    assert finding["level"] == level
    assert found in finding["found"]
    assert "next=" not in finding["found"]


def test_endpoint_on_loopback_address_is_not_probed(healthy: Settings) -> None:
    healthy.DEBUG, healthy.ALGUNA_PORTAL_SITE_URL = True, "http://localhost:1"
    assert run_doctor().get_level("webhooks.address") == "note"
