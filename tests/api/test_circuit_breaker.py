"""The breaker: after failures in a row nobody waits for Alguna, until one probe finds it back."""

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
from tests.conftest import Alguna

CUSTOMER = Customer(alias="acme-1")


def click(alguna: Alguna, failure: Any = None, body: str = "{}") -> str:
    """Open a new session, Alguna failing in a certain way."""
    if failure is not None:
        alguna.fail(failure, body)
    return open_session(CUSTOMER, user=User(pk=1), fresh=True).url


def break_it(alguna: Alguna) -> None:
    """Fail as often as the breaker lets happen."""
    for _ in range(FAILURES):
        with pytest.raises(AlgunaUnavailable):
            click(alguna, 503)


@pytest.mark.parametrize("failure", [500, 503, requests.ConnectionError(), requests.ReadTimeout()])
def test_after_failures_in_a_row_no_request_is_sent(alguna: Alguna, failure: Any) -> None:
    """The click fails at once, and says when to come back."""
    for _ in range(FAILURES):
        with pytest.raises(AlgunaUnavailable) as caught:
            click(alguna, failure)
        assert not isinstance(caught.value, BreakerOpen)
    with pytest.raises(BreakerOpen, match="Alguna failed several times in a row") as refused:
        click(alguna)
    assert len(alguna.requests) == FAILURES
    assert refused.value.retry_after is not None
    assert OPEN_SECONDS - 5 < refused.value.retry_after <= OPEN_SECONDS


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 422, 429])
def test_whoever_refuses_is_there(alguna: Alguna, status: int) -> None:
    """No number of 4xx opens the breaker."""
    for _ in range(FAILURES + 1):
        with pytest.raises((AlgunaRefused, AlgunaUnavailable)):
            click(alguna, status, '{"detail": "no"}')
    assert click(alguna) == alguna.url(FAILURES + 2)


@pytest.mark.parametrize("between", [None, 404])
def test_only_failures_in_a_row_count(alguna: Alguna, between: int | None) -> None:
    """Any answer in between starts the count anew."""
    for _ in range(3):
        for _ in range(FAILURES - 1):
            with pytest.raises(AlgunaUnavailable):
                click(alguna, 503)
        try:
            click(alguna, between, '{"detail": "no"}')
        except AlgunaRefused:
            assert between
    assert click(alguna)


def test_failures_long_ago_do_not_count(alguna: Alguna) -> None:
    """A failure an hour is no outage."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        for _ in range(FAILURES * 2):
            now.shift(timedelta(seconds=MEMORY_SECONDS))
            with pytest.raises(AlgunaUnavailable):
                click(alguna, 503)
        assert click(alguna)


def test_a_call_counts_once_whatever_its_retries(alguna: Alguna, settings: Settings) -> None:
    """One click that met six failures and then succeeded has not failed."""
    settings.ALGUNA_PORTAL_RETRIES = 6
    settings.ALGUNA_PORTAL_TIME_BUDGET = 60
    for _ in range(6):
        alguna.fail(503, Retry_After="0")
    assert click(alguna) == alguna.url(7)


@pytest.mark.parametrize("cut_off", [SystemExit(), KeyboardInterrupt(), KeyError("a bug")])
def test_a_call_that_was_cut_off_says_nothing(alguna: Alguna, cut_off: BaseException) -> None:
    """A worker that is stopped because it hangs is no sign that Alguna is back; nor does it stay under way."""
    break_it(alguna)
    caches["default"].delete(CircuitBreaker()._open_until)
    probe = CircuitBreaker()
    probe.before_call()
    probe.after_call(cut_off)
    with pytest.raises(BreakerOpen):
        CircuitBreaker().before_call()
    assert caches["default"].get_many(probe._in_progress) == {}


def test_a_probe_that_succeeds_closes_the_breaker(alguna: Alguna) -> None:
    """After a while one request is let through; Alguna is back, and so is everybody."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        break_it(alguna)
        now.shift(timedelta(seconds=OPEN_SECONDS - 1))
        with pytest.raises(BreakerOpen) as refused:
            click(alguna)
        assert refused.value.retry_after == 1
        now.shift(timedelta(seconds=2))
        assert click(alguna) == alguna.url(FAILURES + 1)
        with pytest.raises(AlgunaUnavailable) as caught:
            click(alguna, 503)
        assert not isinstance(caught.value, BreakerOpen)
        assert click(alguna)


def test_a_probe_that_fails_opens_the_breaker_again(alguna: Alguna) -> None:
    """One request found Alguna still down; the others wait for the next probe."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        break_it(alguna)
        for number in (1, 2):
            now.shift(timedelta(seconds=OPEN_SECONDS + 1))
            with pytest.raises(AlgunaUnavailable):
                click(alguna, 503)
            with pytest.raises(BreakerOpen):
                click(alguna)
            assert len(alguna.requests) == FAILURES + number


def test_one_probe_goes_and_a_dead_one_is_replaced(alguna: Alguna, settings: Settings) -> None:
    """While a probe is under way all others fail at once; one that never ends blocks for a call's time."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 10
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        break_it(alguna)
        now.shift(timedelta(seconds=OPEN_SECONDS + 1))
        CircuitBreaker().before_call()
        with pytest.raises(BreakerOpen) as refused:
            CircuitBreaker().before_call()
        assert refused.value.retry_after == 1
        now.shift(timedelta(seconds=11))
        CircuitBreaker().before_call()


def test_a_probe_that_failed_does_not_bar_the_next(alguna: Alguna, settings: Settings) -> None:
    """However long a call may take."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 60
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        break_it(alguna)
        now.shift(timedelta(seconds=OPEN_SECONDS + 1))
        with pytest.raises(AlgunaUnavailable):
            click(alguna, 503)
        now.shift(timedelta(seconds=OPEN_SECONDS + 1))
        assert click(alguna)


def test_a_long_outage_goes_on_being_probed_by_one(alguna: Alguna) -> None:
    """Failed probes are remembered: after minutes, too, one request goes ahead, and not all."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        break_it(alguna)
        for _ in range(6):
            now.shift(timedelta(seconds=OPEN_SECONDS + 1))
            with pytest.raises(AlgunaUnavailable):
                click(alguna, 503)
        now.shift(timedelta(seconds=OPEN_SECONDS + 1))
        CircuitBreaker().before_call()
        with pytest.raises(BreakerOpen):
            CircuitBreaker().before_call()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_differs_does_not_send_people_away_for_long(alguna: Alguna, minutes: int) -> None:
    """The machine that opened the breaker may believe in another time; the wait is at most the breaker's own."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False):
        break_it(alguna)
        breaker = CircuitBreaker()
        caches["default"].set(breaker._open_until, time() + minutes * 60, timeout=15)
        with pytest.raises(BreakerOpen) as refused:
            breaker.before_call()
    assert refused.value.retry_after == (1 if minutes < 0 else OPEN_SECONDS)


def test_requests_that_hang_keep_others_from_hanging(alguna: Alguna) -> None:
    """While several have been under way for long, the next click fails at once, before any timeout has passed."""
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        hanging = [CircuitBreaker() for _ in range(SLOW_CALLS + 1)]
        for breaker in hanging:
            breaker.before_call()
        assert click(alguna)
        now.shift(timedelta(seconds=SLOW_SECONDS))
        with pytest.raises(BreakerOpen, match="Alguna keeps several calls waiting") as refused:
            click(alguna)
        assert refused.value.retry_after == SLOW_SECONDS
        hanging[0].after_call(None)
        assert click(alguna)


def test_processes_that_died_in_mid_call_are_forgotten(alguna: Alguna, settings: Settings) -> None:
    """Their requests count as under way for no longer than a call may take."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 10
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as now:
        for _ in range(SLOW_CALLS):
            CircuitBreaker().before_call()
        now.shift(timedelta(seconds=9))
        with pytest.raises(BreakerOpen):
            click(alguna)
        now.shift(timedelta(seconds=2))
        assert click(alguna)


def test_one_account_down_is_not_another_down(alguna: Alguna, settings: Settings) -> None:
    """Each API has its own breaker."""
    break_it(alguna)
    alguna.serve("https://api.sandbox.alguna.io")
    settings.ALGUNA_PORTAL_API_URL = "https://api.sandbox.alguna.io"
    assert click(alguna)


class Broken(LocMemCache):
    """A cache that is down."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise ConnectionError

    set = add = get = delete = delete_many = get_many


def test_without_a_cache_there_is_no_breaker(alguna: Alguna, settings: Settings) -> None:
    """Every click asks Alguna, as it would without us."""
    settings.CACHES = {"default": {"BACKEND": "tests.api.test_circuit_breaker.Broken"}}
    for _ in range(FAILURES + 2):
        with pytest.raises(AlgunaUnavailable) as caught:
            click(alguna, 503)
        assert not isinstance(caught.value, BreakerOpen)
    assert click(alguna)
