"""Circuit breaker: after failures in a row, calls fail at once until a probe succeeds."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from time import time
from typing import Any

import pytest
import requests
import time_machine
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from pytest_django import Settings

from alguna_portal.api.circuit_breaker import (
    FAILURES,
    MEMORY_SECONDS,
    OPEN_SECONDS,
    SLOW_CALLS,
    SLOW_SECONDS,
    CircuitBreaker,
)
from alguna_portal.exceptions import AlgunaRefused, AlgunaUnavailable, BreakerOpen
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from tests.conftest import FakeApi

CUSTOMER = Customer(alias="acme-1")


Move = Callable[[float], None]


@pytest.fixture
def move_clock() -> Iterator[Move]:
    """Stop the clock; return a function that moves it forward by some seconds."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as traveller:
        yield lambda seconds: traveller.shift(timedelta(seconds=seconds))


def click(alguna: FakeApi, failure: Any = None, body: str = "{}") -> str:
    """Open a new session and return its URL; with `failure`, Alguna's response is that failure."""
    if failure is not None:
        alguna.fail(failure, body)
    return open_session(CUSTOMER, user=User(pk=1), fresh=True).url


def fail(alguna: FakeApi, failure: Any = 503, *, times: int = 1) -> None:
    """Open sessions whose requests are sent and fail."""
    for _ in range(times):
        with pytest.raises(AlgunaUnavailable) as caught:
            click(alguna, failure)
        assert not isinstance(caught.value, BreakerOpen)


def assert_open(match: str | None = None) -> BreakerOpen:
    """Check that the next call isn't allowed; return the exception."""
    with pytest.raises(BreakerOpen, match=match) as caught:
        CircuitBreaker().before_call()
    return caught.value


@pytest.mark.parametrize("failure", [500, 503, requests.ConnectionError(), requests.ReadTimeout()])
def test_breaker_opens_after_failures_in_a_row(alguna: FakeApi, failure: Any) -> None:
    """The click fails without a request, and the exception says how long to wait."""
    fail(alguna, failure, times=FAILURES)
    with pytest.raises(BreakerOpen, match="Alguna failed several times in a row") as caught:
        click(alguna)
    assert len(alguna.requests) == FAILURES
    assert caught.value.retry_after is not None
    assert OPEN_SECONDS - 5 < caught.value.retry_after <= OPEN_SECONDS


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 422, 429])
def test_4xx_responses_do_not_open_the_breaker(alguna: FakeApi, status: int) -> None:
    """They show that Alguna works."""
    for _ in range(FAILURES + 1):
        with pytest.raises((AlgunaRefused, AlgunaUnavailable)):
            click(alguna, status, '{"detail": "no"}')
    assert click(alguna) == alguna.url(FAILURES + 2)


@pytest.mark.parametrize("between", [None, 404])
def test_response_between_failures_resets_the_count(alguna: FakeApi, between: int | None) -> None:
    for _ in range(3):
        fail(alguna, times=FAILURES - 1)
        try:
            click(alguna, between, '{"detail": "no"}')
        except AlgunaRefused:
            assert between
    assert click(alguna)


def test_old_failures_do_not_count(alguna: FakeApi, move_clock: Move) -> None:
    for _ in range(FAILURES * 2):
        move_clock(MEMORY_SECONDS)
        fail(alguna)
    assert click(alguna)


def test_retries_of_one_call_count_once(alguna: FakeApi, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_RETRIES = 6
    settings.ALGUNA_PORTAL_TIME_BUDGET = 60
    for _ in range(6):
        alguna.fail(503, Retry_After="0")
    assert click(alguna) == alguna.url(7)


@pytest.mark.parametrize("interruption", [SystemExit(), KeyboardInterrupt(), KeyError("a bug")])
def test_interrupted_call_is_neither_success_nor_failure(alguna: FakeApi, interruption: BaseException) -> None:
    """The breaker stays open, and the call is no longer in progress."""
    fail(alguna, times=FAILURES)
    caches["default"].delete(CircuitBreaker()._open_until)
    probe = CircuitBreaker()
    probe.before_call()
    probe.after_call(interruption)
    assert_open()
    assert caches["default"].get_many(probe._in_progress) == {}


def test_successful_probe_closes_the_breaker(alguna: FakeApi, move_clock: Move) -> None:
    """After that, a single failure doesn't open it again."""
    fail(alguna, times=FAILURES)
    move_clock(OPEN_SECONDS - 1)
    assert assert_open().retry_after == 1
    move_clock(2)
    assert click(alguna) == alguna.url(FAILURES + 1)
    fail(alguna)
    assert click(alguna)


@pytest.mark.parametrize("budget", [12, 60])
def test_failed_probe_opens_the_breaker_again(
    alguna: FakeApi, settings: Settings, move_clock: Move, budget: int
) -> None:
    """One request is sent as a probe each time, even after minutes and however long a call may take."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = budget
    fail(alguna, times=FAILURES)
    for number in range(1, 7):
        move_clock(OPEN_SECONDS + 1)
        fail(alguna)
        with pytest.raises(BreakerOpen):
            click(alguna)
        assert len(alguna.requests) == FAILURES + number
    move_clock(OPEN_SECONDS + 1)
    CircuitBreaker().before_call()
    assert_open()


def test_interrupted_probe_is_replaced(alguna: FakeApi, settings: Settings, move_clock: Move) -> None:
    """Only one probe is in progress at a time. If it never ends, it blocks others for the longest time of a call."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 10
    fail(alguna, times=FAILURES)
    move_clock(OPEN_SECONDS + 1)
    CircuitBreaker().before_call()
    assert assert_open().retry_after == 1
    move_clock(11)
    CircuitBreaker().before_call()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_retry_after_is_limited_if_clocks_differ(alguna: FakeApi, move_clock: Move, minutes: int) -> None:
    """The process that opened the breaker may have another time."""
    fail(alguna, times=FAILURES)
    caches["default"].set(CircuitBreaker()._open_until, time() + minutes * 60, timeout=15)
    assert assert_open().retry_after == (1 if minutes < 0 else OPEN_SECONDS)


def test_slow_calls_open_the_breaker_before_a_timeout(alguna: FakeApi, move_clock: Move) -> None:
    """If several calls have been in progress for long, the next one fails at once."""
    slow_calls = [CircuitBreaker() for _ in range(SLOW_CALLS + 1)]
    for breaker in slow_calls:
        breaker.before_call()
    assert click(alguna)
    move_clock(SLOW_SECONDS)
    assert assert_open(match="Alguna keeps several calls waiting").retry_after == SLOW_SECONDS
    slow_calls[0].after_call(None)
    assert click(alguna)


def test_calls_of_dead_processes_expire(alguna: FakeApi, settings: Settings, move_clock: Move) -> None:
    """They count as in progress for the longest time that a call may take."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 10
    for _ in range(SLOW_CALLS):
        CircuitBreaker().before_call()
    move_clock(9)
    assert_open()
    move_clock(2)
    assert click(alguna)


def test_each_api_has_its_own_breaker(alguna: FakeApi, settings: Settings) -> None:
    fail(alguna, times=FAILURES)
    alguna.serve("https://api.sandbox.alguna.io")
    settings.ALGUNA_PORTAL_API_URL = "https://api.sandbox.alguna.io"
    assert click(alguna)


class BrokenCache(LocMemCache):
    """A cache that always fails."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Raise an exception."""
        raise ConnectionError

    set = add = get = delete = delete_many = get_many


def test_without_a_cache_there_is_no_breaker(alguna: FakeApi, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    fail(alguna, times=FAILURES + 2)
    assert click(alguna)
