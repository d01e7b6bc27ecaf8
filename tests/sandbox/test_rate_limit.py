"""The rate limit."""

from typing import Any

from alguna_portal.sandbox.engine.engine import Engine, RateLimiter
from alguna_portal.sandbox.engine.types import Request, new_state
from tests.sandbox.conftest import HEADERS, SandboxClient, get_json


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
