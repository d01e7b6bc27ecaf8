"""Single flight: many at once, one call; its session or its failure for all; and no leader's death is an outage."""

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
from tests.conftest import Alguna
from tests.support.logs import logged
from tests.support.sessions import share_session

MANY = 12
EPOCH = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def customer() -> Customer:
    """A customer without a row."""
    return Customer(alias="acme-1", plan="starter", customer_id="cust_abc123")


def lock_of(customer: Customer) -> str:
    """Find the lock's key by watching for it while a session is made."""
    (key,) = [key for key in caches["default"]._cache if key.endswith(":lock")]  # type: ignore[attr-defined]
    return str(key).removeprefix(":1:")


def together(action: Callable[[int], PortalSession]) -> list[PortalSession | AlgunaError]:
    """Do something in many threads at the same moment; return what came of each."""
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
def test_many_clicks_at_once_are_one_call(
    alguna: Alguna, settings: Settings, customer: Customer, *, fresh: bool
) -> None:
    """All get the one session that was made, whoever asked first."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    open_session(customer)
    alguna.meanwhile = lambda: sleep(0.2)
    customer.plan = "growth" if not fresh else customer.plan
    sessions = together(lambda number: open_session(customer, user=User(pk=number), fresh=fresh))
    assert {session.url for session in sessions if isinstance(session, PortalSession)} == {alguna.url(2)}
    assert len(sessions) == MANY
    assert len(alguna.requests) == 2


@pytest.mark.parametrize(
    ("status", "change", "kind"),
    [(503, {}, AlgunaUnavailable), (401, {}, AuthenticationFailed), (0, {"customer_id": "cust_x"}, CustomerMismatch)],
)
def test_a_failure_is_everybodys(
    alguna: Alguna,
    settings: Settings,
    customer: Customer,
    status: int,
    change: dict[str, Any],
    kind: type[AlgunaError],
) -> None:
    """Those who waited fail as the one did who asked, with all that it learned; the next click tries again."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    alguna.meanwhile = lambda: sleep(0.2)
    alguna.change = change
    if status:
        alguna.fail(status, '{"detail": "no"}', Retry_After="7")
    failures = together(lambda _: open_session(customer))
    assert len(alguna.requests) == 1
    assert len({(type(each), str(each), each.status, each.retry_after) for each in failures}) == 1  # type: ignore[union-attr]
    assert type(failures[0]) is kind
    alguna.change = {}
    assert open_session(customer).url == alguna.url(2)


def test_different_users_do_not_wait_for_each_other(alguna: Alguna, customer: Customer) -> None:
    """Each place has a lock of its own: as many calls as users, all at the same time."""
    barrier = Barrier(MANY, timeout=20)
    alguna.meanwhile = barrier.wait
    sessions = together(lambda number: open_session(customer, user=User(pk=number)))
    assert all(isinstance(session, PortalSession) for session in sessions)
    assert len(alguna.requests) == MANY


def test_a_leader_that_dies_costs_one_lock_life(alguna: Alguna, settings: Settings, customer: Customer) -> None:
    """Its lock expires before the budget does; then one of those who waited leads, and all are served."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    settings.ALGUNA_PORTAL_TIME_BUDGET = 2
    die_holding_the_lock(alguna, customer)
    started = monotonic()
    sessions = together(lambda _: open_session(customer))
    assert {session.url for session in sessions if isinstance(session, PortalSession)} == {alguna.url(2)}
    assert len(sessions) == MANY
    assert len(alguna.requests) == 2
    assert monotonic() - started > 0.9


def die_holding_the_lock(alguna: Alguna, customer: Customer, *, for_ever: bool = False) -> None:
    """Leave the lock behind, as a process does that is killed in mid-call."""
    cache = caches["default"]
    left: dict[str, Any] = {}

    def remember() -> None:
        left[lock_of(customer)] = cache.get(lock_of(customer))

    alguna.meanwhile = remember
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_session(customer)
    alguna.meanwhile = lambda: None
    for key, token in left.items():
        cache.delete(f"alguna_portal:outcome:{token}")
        cache.set(key, token, timeout=None if for_ever else 1)


def test_nobody_waits_beyond_the_budget(alguna: Alguna, settings: Settings, customer: Customer) -> None:
    """A lock that never goes away, which should not be, is not waited for: the caller goes alone."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1
    die_holding_the_lock(alguna, customer, for_ever=True)
    assert open_session(customer).url == alguna.url(2)


def test_a_call_has_no_longer_than_its_lock() -> None:
    """Three quarters of the budget for the one who leads; the rest is for those who wait in vain."""
    asked: list[float] = []

    def make(seconds: float) -> PortalSession:
        asked.append(seconds)
        raise AlgunaUnavailable("down")

    with pytest.raises(AlgunaUnavailable):
        share_session("lock", make, budget=12)
    caches["default"].set("lock", "another's", timeout=None)
    with pytest.raises(AlgunaUnavailable):
        share_session("lock", make, budget=1)
    leading, alone = asked
    assert leading == 9
    assert 0 < alone <= 1 / 8


def test_a_lock_that_is_gone_is_not_waited_for(alguna: Alguna, settings: Settings, customer: Customer) -> None:
    """Followers see that their leader died as soon as its lock expires, long before their own time is up."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    settings.ALGUNA_PORTAL_TIME_BUDGET = 40
    die_holding_the_lock(alguna, customer)
    started = monotonic()
    assert open_session(customer).url == alguna.url(2)
    assert monotonic() - started < 15


def test_a_lock_is_not_taken_from_its_new_owner(alguna: Alguna, settings: Settings, customer: Customer) -> None:
    """A leader that comes back late finds another's token and leaves it alone."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    cache = caches["default"]
    alguna.meanwhile = lambda: cache.set(lock_of(customer), "another's", timeout=60)
    open_session(customer)
    assert cache.get(lock_of(customer)) == "another's"


def test_a_lock_that_outlived_its_leader_is_left_to_expire(
    alguna: Alguna, settings: Settings, customer: Customer
) -> None:
    """Past its own life a leader cannot know whose the lock is, even if the token looks right."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    settings.ALGUNA_PORTAL_TIME_BUDGET = 0.4
    released = Event()

    def slowly() -> None:
        released.wait(5)

    alguna.meanwhile = slowly
    with pytest.raises(AlgunaUnavailable):
        open_session(customer)
    released.set()
    assert cache_has_lock()


def cache_has_lock() -> bool:
    """Say whether a lock is left."""
    return any(key.endswith(":lock") for key in caches["default"]._cache)  # type: ignore[attr-defined]


def test_a_session_that_came_late_is_given_out_and_its_lock_left_to_expire(customer: Customer) -> None:
    """By then the lock may be another's."""
    session = PortalSession(id="s", customer_id="c", url="https://x", created_at=EPOCH, expires_at=EPOCH)

    def late(_: float) -> PortalSession:
        caches["default"].touch("lock", 60)
        sleep(0.9)
        return session

    assert share_session("lock", late, budget=1) is session
    assert caches["default"].get("lock")


def test_a_bug_lets_go_of_the_lock(alguna: Alguna, settings: Settings, customer: Customer) -> None:
    """What is none of our exceptions reaches its caller, and nobody waits for it."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    alguna.fail(KeyError("a bug"))
    with pytest.raises(KeyError):
        open_session(customer)
    assert not cache_has_lock()
    assert open_session(customer).url == alguna.url(2)


NOW = "2026-11-21T12:00:00Z"


def test_within_its_margin_a_session_is_better_than_an_outage(
    alguna: Alguna, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """While no new one can be had, the old one is given out to its very end, and not beyond."""
    user = User(pk=1)
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=user)
        now.shift(timedelta(minutes=59, seconds=30))
        for pk in (None, 7):
            customer.pk = pk
            alguna.fail(503, '{"detail": "down"}')
            assert open_session(customer, user=user) == first
            ((level, text, fields),) = logged(caplog, "session_used_to_end")
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
        alguna.meanwhile = lambda: now.shift(timedelta(seconds=30))
        alguna.fail(503)
        with pytest.raises(AlgunaUnavailable):
            open_session(customer, user=user)


def test_a_cached_session_works_through_an_outage(alguna: Alguna, customer: Customer) -> None:
    """Alguna is not even asked."""
    first = open_session(customer, user=User(pk=1))
    alguna.fail(503)
    assert open_session(customer, user=User(pk=1)) == first
    assert len(alguna.requests) == 1


def test_a_budget_too_small_for_any_wait_still_asks(
    alguna: Alguna, settings: Settings, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds no time left to lead or to follow goes alone."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    monkeypatch.setattr("alguna_portal.sessions.single_flight.ALONE_SHARE", 1)
    assert open_session(customer).url == alguna.url(1)


class Mute(LocMemCache):
    """Neither keeps anything nor says so: a table that cannot be written to, a client told to ignore errors."""

    asked = 0

    def add(self, *args: Any, **kwargs: Any) -> bool:
        type(self).asked += 1
        return False

    def set(self, *args: Any, **kwargs: Any) -> None:
        type(self).asked += 1


def test_a_cache_that_fails_without_a_word_keeps_nobody_waiting(
    alguna: Alguna, settings: Settings, customer: Customer
) -> None:
    """Everybody leads, after a handful of questions, and not after the budget."""
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_single_flight.Mute"}}
    Mute.asked = 0
    assert open_session(customer, user=User(pk=7)).url == alguna.url(1)
    assert Mute.asked < 20
