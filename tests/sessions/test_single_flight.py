"""Single flight: concurrent calls share one API call, its result or its exception, and survive a dead leader."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from time import monotonic, sleep
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed, CustomerMismatch
from alguna_portal.models import Customer
from alguna_portal.sessions import PortalSession, open_session
from tests.conftest import FakeApi
from tests.support.logs import get_log_events
from tests.support.sessions import share_session

MANY = 12
EPOCH = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _one_session_for_all_users(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"


@pytest.fixture
def customer() -> Customer:
    """A customer without a row."""
    return Customer(alias="acme-1", plan="starter", customer_id="cust_abc123")


def get_lock(customer: Customer) -> str:
    """Return the key of the only lock in the cache."""
    (key,) = [key for key in caches["default"]._cache if key.endswith(":lock")]  # type: ignore[attr-defined]
    return str(key).removeprefix(":1:")


def run_concurrently(action: Callable[[int], PortalSession]) -> list[PortalSession | AlgunaError]:
    """Call a function in many threads at once, and return the results and exceptions."""
    barrier = Barrier(MANY)

    def one(number: int) -> PortalSession | AlgunaError:
        barrier.wait()
        try:
            return action(number)
        except AlgunaError as exc:
            return exc

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


@pytest.mark.parametrize("fresh", [False, True])
def test_concurrent_clicks_share_one_call(alguna: FakeApi, customer: Customer, *, fresh: bool) -> None:
    open_session(customer)
    alguna.on_request = lambda: sleep(0.2)
    customer.plan = "growth" if not fresh else customer.plan
    sessions = run_concurrently(lambda number: open_session(customer, user=User(pk=number), fresh=fresh))
    assert {session.url for session in sessions if isinstance(session, PortalSession)} == {alguna.url(2)}
    assert len(sessions) == MANY
    assert len(alguna.requests) == 2


@pytest.mark.parametrize(
    ("status", "change", "kind"),
    [(503, {}, AlgunaUnavailable), (401, {}, AuthenticationFailed), (0, {"customer_id": "cust_x"}, CustomerMismatch)],
)
def test_followers_raise_the_leaders_exception(
    alguna: FakeApi, customer: Customer, status: int, change: dict[str, Any], kind: type[AlgunaError]
) -> None:
    alguna.on_request = lambda: sleep(0.2)
    alguna.change = change
    if status:
        alguna.fail(status, '{"detail": "no"}', Retry_After="7")
    failures = run_concurrently(lambda _: open_session(customer))
    assert len(alguna.requests) == 1
    assert len({(type(each), str(each), each.status, each.retry_after) for each in failures}) == 1  # type: ignore[union-attr]
    assert type(failures[0]) is kind
    alguna.change = {}
    assert open_session(customer).url == alguna.url(2)


def test_different_users_do_not_wait_for_each_other(alguna: FakeApi, settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "user"
    barrier = Barrier(MANY, timeout=20)
    alguna.on_request = barrier.wait
    sessions = run_concurrently(lambda number: open_session(customer, user=User(pk=number)))
    assert all(isinstance(session, PortalSession) for session in sessions)
    assert len(alguna.requests) == MANY


def test_if_the_leader_dies_a_follower_leads_after_the_lock_expires(
    alguna: FakeApi, settings: Settings, customer: Customer
) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 2
    leave_lock(alguna, customer)
    started = monotonic()
    sessions = run_concurrently(lambda _: open_session(customer))
    assert {session.url for session in sessions if isinstance(session, PortalSession)} == {alguna.url(2)}
    assert len(sessions) == MANY
    assert len(alguna.requests) == 2
    assert monotonic() - started > 0.9


def leave_lock(alguna: FakeApi, customer: Customer, *, for_ever: bool = False) -> None:
    """Leave the lock in the cache, like a process that was killed during its call."""
    cache = caches["default"]
    left: dict[str, Any] = {}

    def remember() -> None:
        left[get_lock(customer)] = cache.get(get_lock(customer))

    alguna.on_request = remember
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_session(customer)
    alguna.on_request = lambda: None
    for key, token in left.items():
        cache.delete(f"alguna_portal:outcome:{token}")
        cache.set(key, token, timeout=None if for_ever else 1)


def test_followers_do_not_wait_longer_than_the_budget(alguna: FakeApi, settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1
    leave_lock(alguna, customer, for_ever=True)
    assert open_session(customer).url == alguna.url(2)


def test_calls_get_their_share_of_the_budget() -> None:
    budgets: list[float] = []

    def make(seconds: float) -> PortalSession:
        budgets.append(seconds)
        raise AlgunaUnavailable("down")

    with pytest.raises(AlgunaUnavailable):
        share_session("lock", make, budget=12)
    caches["default"].set("lock", "another's", timeout=None)
    with pytest.raises(AlgunaUnavailable):
        share_session("lock", make, budget=1)
    leading, alone = budgets
    assert leading == 9
    assert 0 < alone <= 1 / 8


def test_followers_stop_waiting_when_the_lock_expires(alguna: FakeApi, settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 40
    leave_lock(alguna, customer)
    started = monotonic()
    assert open_session(customer).url == alguna.url(2)
    assert monotonic() - started < 15


def test_a_late_leader_does_not_release_another_leaders_lock(alguna: FakeApi, customer: Customer) -> None:
    cache = caches["default"]
    alguna.on_request = lambda: cache.set(get_lock(customer), "another's", timeout=60)
    open_session(customer)
    assert cache.get(get_lock(customer)) == "another's"


def test_after_the_locks_lifetime_the_leader_does_not_release_it(
    alguna: FakeApi, settings: Settings, customer: Customer
) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 0.4
    released = Event()

    def slowly() -> None:
        released.wait(5)

    alguna.on_request = slowly
    with pytest.raises(AlgunaUnavailable):
        open_session(customer)
    released.set()
    assert has_lock()


def has_lock() -> bool:
    return any(key.endswith(":lock") for key in caches["default"]._cache)  # type: ignore[attr-defined]


def test_a_late_session_is_returned_and_the_lock_not_released(customer: Customer) -> None:
    session = PortalSession(id="s", customer_id="c", url="https://x", created_at=EPOCH, expires_at=EPOCH)

    def late(_: float) -> PortalSession:
        caches["default"].touch("lock", 60)
        sleep(0.9)
        return session

    assert share_session("lock", late, budget=1) is session
    assert caches["default"].get("lock")


def test_unexpected_exceptions_release_the_lock(alguna: FakeApi, customer: Customer) -> None:
    alguna.fail(KeyError("a bug"))
    with pytest.raises(KeyError):
        open_session(customer)
    assert not has_lock()
    assert open_session(customer).url == alguna.url(2)


NOW = "2026-11-21T12:00:00Z"


def test_in_an_outage_a_session_is_reused_until_it_expires(
    alguna: FakeApi, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    user = User(pk=1)
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=user)
        now.shift(timedelta(minutes=59, seconds=30))
        for pk in (None, 7):
            customer.pk = pk
            alguna.fail(503, '{"detail": "down"}')
            assert open_session(customer, user=user) == first
            ((level, text, fields),) = get_log_events(caplog, "session_used_to_end")
            assert level == "WARNING"
            assert text.startswith(f"Customer {pk or '(unsaved)'}: a session is used to its end. Alguna answered 503")
            assert fields == {"customer": pk, "error": "AlgunaUnavailable"}
            caplog.clear()
        alguna.fail(401)
        with pytest.raises(AuthenticationFailed):
            open_session(customer, user=user)
        alguna.fail(503)
        with pytest.raises(AlgunaUnavailable):
            open_session(customer, user=user, fresh=True)
        alguna.on_request = lambda: now.shift(timedelta(seconds=30))
        alguna.fail(503)
        with pytest.raises(AlgunaUnavailable):
            open_session(customer, user=user)


def test_a_cached_session_needs_no_call_in_an_outage(alguna: FakeApi, customer: Customer) -> None:
    first = open_session(customer, user=User(pk=1))
    alguna.fail(503)
    assert open_session(customer, user=User(pk=1)) == first
    assert len(alguna.requests) == 1


def test_without_time_to_wait_the_caller_calls_alone(
    alguna: FakeApi, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alguna_portal.sessions.single_flight.ALONE_SHARE", 1)
    assert open_session(customer).url == alguna.url(1)


class SilentlyFailingCache(LocMemCache):
    """A cache that stores nothing and raises no exceptions."""

    operations = 0

    def add(self, *args: Any, **kwargs: Any) -> bool:
        type(self).operations += 1
        return False

    def set(self, *args: Any, **kwargs: Any) -> None:
        type(self).operations += 1


def test_with_a_silently_failing_cache_every_caller_leads(
    alguna: FakeApi, settings: Settings, customer: Customer
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_single_flight.SilentlyFailingCache"}}
    SilentlyFailingCache.operations = 0
    assert open_session(customer, user=User(pk=7)).url == alguna.url(1)
    assert SilentlyFailingCache.operations < 20
