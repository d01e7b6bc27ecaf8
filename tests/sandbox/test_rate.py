"""The rate limit."""

from typing import Any

from alguna_portal.sandbox.engine.engine import Engine, RateLimiter
from alguna_portal.sandbox.engine.types import Request, new_state
from tests.sandbox.conftest import HEADERS, Door, read


def test_within_any_second_so_many_pass_and_no_more() -> None:
    """The window slides: what passed half a second ago still counts."""
    now = 10.0
    limit = RateLimiter(clock=lambda: now)
    assert [limit.allow(2) for _ in "123"] == [True, True, False]
    now = 10.5
    assert not limit.allow(2)
    now = 11.0
    assert [limit.allow(2) for _ in "123"] == [True, True, False]


def test_zero_is_no_limit() -> None:
    """For tests, and for those who do not want it."""
    assert all(RateLimiter().allow(0) for _ in range(1000))


def test_too_many_requests_are_told_when_to_come_again() -> None:
    """A passing failure, in the API's shape."""
    engine = Engine(state=new_state(), api_key="sandbox.secret", portal_url="", is_within_rate_limit=lambda: False)
    answer = engine.handle(Request(method="GET", path="/customers", headers=HEADERS))
    assert set(read(answer, status=429)) == {"detail", "status"}
    assert (answer.headers["Retry-After"], answer.headers["Transient-Error"]) == ("1", "true")


def test_the_limit_is_a_setting(door: Door, settings: Any) -> None:
    """It counts what the process answers, whoever asks with the key."""
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 1
    statuses = [door.ask("GET", "/customers").status_code for _ in range(5)]
    assert 429 in statuses
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0
    assert door.ask("GET", "/customers").status_code == 200
