"""The engine's steps for all requests: API key, routing, body, scripted failures and the rate limit."""

import subprocess
import sys
from typing import Any

import pytest

from alguna_portal.sandbox.engine.engine import Engine, RateLimiter
from alguna_portal.sandbox.engine.types import Request, Response, new_state, utc_now
from tests.sandbox.conftest import HEADERS, EngineClient, SandboxClient, get_json


@pytest.mark.parametrize(
    "authorization",
    [None, "", "sandbox.secret", "Basic sandbox.secret", "Bearer", "Bearer ", "Bearer sandbox.secreT", "Bearer é"],
)
def test_api_key_is_checked_before_everything_else(engine: EngineClient, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    error = get_json(engine.request("PUT", "/nowhere", b"{", headers=headers), status=401)
    assert error["code"] == "unauthenticated"
    assert set(error) == {"code", "message"}


def test_empty_api_key_is_never_valid() -> None:
    engine = Engine(state=new_state(), api_key="", portal_url="https://portal.test")
    request = Request(method="GET", path="/customers", headers={"Authorization": "Bearer "})
    assert engine.handle(request).status == 401


def test_header_names_and_authorization_scheme_ignore_case() -> None:
    engine = Engine(state=new_state(), api_key="a.b", portal_url="https://portal.test")
    headers = {"AUTHORIZATION": "bearer a.b", "alguna-version": "2026-04-01"}
    assert engine.handle(Request(method="GET", path="/customers", headers=headers)).status == 200


@pytest.mark.parametrize("path", ["/", "", "/nowhere", "/customers/", "/customer-portal-sessions/", "/subscriptions/x"])
def test_unknown_path_returns_404(engine: EngineClient, path: str) -> None:
    assert set(get_json(engine.request("GET", path), status=404)) == {"detail", "status"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/customer-portal-sessions", "POST"),
        ("GET", "/portal/customer-session/customer-portal", "POST"),
        ("DELETE", "/customers", "GET, POST"),
        ("PUT", "/customers/x", "GET, PATCH"),
        ("PATCH", "/customers/lookup", "GET"),
        ("POST", "/subscriptions", "GET"),
        ("HEAD", "/customers", "GET, POST"),
    ],
)
def test_wrong_method_returns_405_with_allow(engine: EngineClient, method: str, path: str, allowed: str) -> None:
    response = engine.request(method, path)
    assert (response.status, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("body", [b"\xff", b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b"[" * 100_000])
def test_body_that_cannot_be_stored_returns_400(engine: EngineClient, body: bytes) -> None:
    assert get_json(engine.request("POST", "/customers", body), status=400)["status"] == 400


def test_escaped_backslash_before_u0000_is_not_a_nul(engine: EngineClient) -> None:
    assert engine.create_customer(name="\\u0000")["name"] == "\\u0000"


@pytest.mark.parametrize(("path", "query"), [("/customers/a\0", {}), ("/customers", {"email": "\0"})])
def test_nul_in_url_returns_400(engine: EngineClient, path: str, query: dict[str, str]) -> None:
    get_json(engine.request("GET", path, query=query), status=400)


@pytest.mark.parametrize(("status", "transient"), [(503, "true"), (429, "true"), (403, None)])
def test_scripted_failure_replaces_the_response(engine: EngineClient, status: int, transient: str | None) -> None:
    engine.failures.append(Response(status=status, body=b"<html>"))
    response = engine.request("GET", "/customers")
    assert (response.status, response.body) == (status, b"<html>")
    assert response.headers.get("Transient-Error") == transient
    assert engine.request("GET", "/customers").status == 200


def test_current_time_is_aware() -> None:
    assert utc_now().utcoffset() is not None


def test_engine_does_not_import_django() -> None:
    program = (
        "import sys; from alguna_portal.sandbox.engine import engine, events, portal;"
        "sys.exit(any(name.partition('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_limit_applies_to_any_period_of_a_second() -> None:
    """The window slides: requests of the last half second still count."""
    now = 10.0
    limit = RateLimiter(clock=lambda: now)
    assert [limit.allow(2) for _ in "123"] == [True, True, False]
    now = 10.5
    assert not limit.allow(2)
    now = 11.0
    assert [limit.allow(2) for _ in "123"] == [True, True, False]


def test_zero_is_no_limit() -> None:
    assert all(RateLimiter().allow(0) for _ in range(1000))


def test_too_many_requests_return_429_with_retry_after() -> None:
    engine = Engine(state=new_state(), api_key="sandbox.secret", portal_url="", is_within_rate_limit=lambda: False)
    response = engine.handle(Request(method="GET", path="/customers", headers=HEADERS))
    assert set(get_json(response, status=429)) == {"detail", "status"}
    assert (response.headers["Retry-After"], response.headers["Transient-Error"]) == ("1", "true")


def test_limit_is_a_setting(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 1
    statuses = [sandbox.request("GET", "/customers").status_code for _ in range(5)]
    assert 429 in statuses
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0
    assert sandbox.request("GET", "/customers").status_code == 200
