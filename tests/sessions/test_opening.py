"""Sessions: reused in their scope and while they live, by our own clock, and no cache can take Billing down."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaUnavailable, CustomerMismatch
from alguna_portal.models import Customer, PortalAccess
from alguna_portal.sessions import forget, open_session
from tests.conftest import Alguna
from tests.support.logs import logged

NOW = "2026-11-21T12:00:00Z"
SCOPES = ["user", "browser", "customer", "never"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    """A customer without a row: its host keeps its own organizations."""
    return Customer(alias="acme-1", plan="starter")


@pytest.fixture
def ann() -> User:
    """A user."""
    return User(pk=1, username="ann")


@pytest.fixture
def bob() -> User:
    """Another user."""
    return User(pk=2, username="bob")


def kept() -> dict[str, Any]:
    """Return all that the cache holds, as it is kept."""
    cache = caches["default"]
    assert isinstance(cache, LocMemCache)
    return {key: pickle.loads(value) for key, value in cache._cache.items()}  # type: ignore[attr-defined]


def test_a_new_session_has_less_time_than_the_click(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """Its share of the budget; all of it only where nobody else could be waiting for the same one."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 4
    open_session(customer, user=User(pk=1))
    open_session(customer)
    shared, alone = (request.req_kwargs["timeout"][1] for request in alguna.requests)  # type: ignore[attr-defined]
    assert 0 < shared <= 3 < alone <= 4


def test_the_same_user_gets_the_session_back(alguna: Alguna, customer: Customer, ann: User) -> None:
    """A second click makes no call."""
    first = open_session(customer, user=ann)
    assert first.url == alguna.url(1)
    assert open_session(customer, user=ann) == first
    assert len(alguna.requests) == 1


@pytest.mark.parametrize(
    ("scope", "same_user_elsewhere", "same_browser_other_user", "colleague"),
    [("user", True, False, False), ("browser", False, True, False), ("customer", True, True, True),
     ("never", False, False, False)],
)  # fmt: skip
def test_each_scope_shares_as_far_as_it_says(
    settings: Settings,
    alguna: Alguna,
    customer: Customer,
    ann: User,
    bob: User,
    scope: str,
    *,
    same_user_elsewhere: bool,
    same_browser_other_user: bool,
    colleague: bool,
) -> None:
    """A URL goes back to the user, the login session, the company, or nobody."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    first = open_session(customer, user=ann, browser="login-1")

    def reused(user: User, browser: str) -> bool:
        return open_session(customer, user=user, browser=browser).url == first.url

    assert reused(ann, "login-1") is (scope != "never")
    assert reused(ann, "login-2") is same_user_elsewhere
    assert reused(bob, "login-1") is same_browser_other_user
    assert reused(bob, "login-3") is colleague


@pytest.mark.parametrize("scope", ["user", "browser"])
@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
@pytest.mark.parametrize("browser", [None, ""])
def test_nobody_in_particular_shares_nothing(
    settings: Settings,
    alguna: Alguna,
    customer: Customer,
    scope: str,
    nobody: AnonymousUser | None,
    browser: str | None,
) -> None:
    """Without a user or a browser to give it back to, a session is not kept."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    first, second = (open_session(customer, user=nobody, browser=browser) for _ in range(2))
    assert first.url != second.url
    assert kept() == {}


def test_a_changed_scope_starts_anew(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """What was shared by everyone is not given out as one user's own, whatever the user is called."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    open_session(customer, browser="all")
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    open_session(customer)
    assert len(alguna.requests) == 2


def test_a_user_whose_key_is_zero_is_somebody(alguna: Alguna, customer: Customer) -> None:
    """Their sessions are kept like anyone's."""
    nought = User(pk=0)
    assert open_session(customer, user=nought) == open_session(customer, user=nought)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_role_reaches_alguna_and_parts_the_sessions(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User, scope: str
) -> None:
    """A viewer never gets the session of a manager, in no scope."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    manager = open_session(customer, user=ann, browser="login", role="manager")
    viewer = open_session(customer, user=ann, browser="login", role="viewer")
    assert manager.url != viewer.url
    assert "plan_overview_settings" not in alguna.bodies[0]
    assert alguna.bodies[1]["plan_overview_settings"]["allow_subscription_cancel"] is False


CHANGES: list[tuple[str, Any]] = [
    ("ALGUNA_PORTAL_API_KEY", "key_2.other"),
    ("ALGUNA_PORTAL_API_URL", "https://api.sandbox.alguna.io"),
    ("ALGUNA_PORTAL_DEFAULTS", {"invoice_list_settings": {"show_section": False}}),
    ("SECRET_KEY", "another"),
    ("plan", "enterprise"),
    ("portal_settings", {"invoice_list_settings": {"show_section": False}}),
    ("alias", "other-9"),
]


@pytest.mark.parametrize(("name", "value"), CHANGES, ids=[name for name, _ in CHANGES])
def test_whatever_a_session_depends_on_parts_it_from_the_old(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User, name: str, value: Any
) -> None:
    """A changed plan, setting, customer or account never meets a session from before."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    alguna.serve("https://api.sandbox.alguna.io")
    open_session(customer, user=ann)
    setattr(customer if hasattr(customer, name) else settings, name, value)
    open_session(customer, user=ann)
    assert len(alguna.requests) == 2


def test_a_session_is_reused_until_its_margin_and_not_a_second_longer(
    alguna: Alguna, customer: Customer, ann: User
) -> None:
    """An hour's session is given out for fifty-nine minutes."""
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=ann)
        now.shift(timedelta(minutes=59, seconds=-1))
        assert open_session(customer, user=ann) == first
        now.shift(timedelta(seconds=1))
        second = open_session(customer, user=ann)
    assert second.url == alguna.url(2)


def test_a_session_shorter_than_the_margin_is_used_once(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """It is better than none, and never given out again."""
    alguna.life = timedelta(seconds=60)
    assert open_session(customer, user=ann).url == alguna.url(1)
    assert open_session(customer, user=ann).url == alguna.url(2)


@pytest.mark.parametrize("minutes", [-600, -10, 0, 10, 600])
def test_a_wrong_clock_neither_breaks_billing_nor_hands_out_a_dead_url(
    alguna: Alguna, customer: Customer, ann: User, minutes: int
) -> None:
    """A session's life counts from when we asked, whatever time Alguna, or this machine, believes it is."""
    alguna.clock_is_off_by = timedelta(minutes=minutes)
    with time_machine.travel(NOW, tick=False) as now:
        asked_at = datetime.now(UTC)
        session = open_session(customer, user=ann)
        assert (session.created_at, session.expires_at) == (asked_at, asked_at + timedelta(hours=1))
        now.shift(timedelta(minutes=58))
        assert open_session(customer, user=ann) == session
        now.shift(timedelta(minutes=1))
        assert open_session(customer, user=ann) != session


def test_a_life_without_end_ends_after_a_month(alguna: Alguna, customer: Customer, ann: User) -> None:
    """What Alguna says cannot make a credential last for ever, nor break the arithmetic."""
    alguna.life = timedelta(days=365 * 7000)
    session = open_session(customer, user=ann)
    assert session.life == timedelta(days=30)


def test_fresh_makes_a_new_session_that_replaces_the_old(alguna: Alguna, customer: Customer, ann: User) -> None:
    """A user who met a spent link gets another, once; the next click reuses that one."""
    open_session(customer, user=ann)
    assert open_session(customer, user=ann, fresh=True).url == alguna.url(2)
    assert open_session(customer, user=ann).url == alguna.url(2)


def test_forgetting_a_customer_forgets_it_for_everybody_and_nobody_else(
    alguna: Alguna, customer: Customer, ann: User, bob: User
) -> None:
    """All users and roles of one customer start anew; other customers do not."""
    other = Customer(alias="umbrella-2", plan="starter")
    for user in (ann, bob):
        open_session(customer, user=user)
    untouched = open_session(other, user=ann)
    forget(customer)
    assert [open_session(customer, user=user).url for user in (ann, bob)] == [alguna.url(4), alguna.url(5)]
    assert open_session(other, user=ann) == untouched


def test_a_session_that_was_on_its_way_is_forgotten_too(alguna: Alguna, customer: Customer, ann: User) -> None:
    """What was asked for before the forgetting, and comes after it, is not kept for the next click."""
    alguna.meanwhile = lambda: forget(customer)
    open_session(customer, user=ann)
    assert open_session(customer, user=ann).url == alguna.url(2)


def test_a_session_for_a_stranger_is_refused_and_not_kept(alguna: Alguna, customer: Customer, ann: User) -> None:
    """Where the stored id and the answered one differ, nobody is sent there."""
    customer.customer_id = "cust_mine"
    for _ in range(2):
        with pytest.raises(CustomerMismatch):
            open_session(customer, user=ann)
    assert len(alguna.requests) == 2


def test_an_id_that_becomes_known_costs_no_session(alguna: Alguna, customer: Customer, ann: User) -> None:
    """The kept one goes on, if it is this customer's, and not otherwise."""
    first = open_session(customer, user=ann)
    customer.customer_id = "cust_abc123"
    assert open_session(customer, user=ann) == first
    customer.customer_id = "cust_mine"
    with pytest.raises(CustomerMismatch):
        open_session(customer, user=ann)


def test_a_kept_session_is_vetted_again(settings: Settings, alguna: Alguna, customer: Customer, ann: User) -> None:
    """A host taken off the list is not visited from the cache either."""
    open_session(customer, user=ann)
    settings.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    alguna.host = "billing.example.com"
    assert open_session(customer, user=ann).url == alguna.url(2)


def test_a_kept_session_of_the_sandbox_is_good_under_debug_only(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """As a new one is: without TLS, and on this machine."""
    settings.DEBUG = True
    settings.ALGUNA_PORTAL_URL_HOSTS = ["localhost"]
    alguna.change = {"url": "http://localhost:8000/sandbox/hs/1"}
    first = open_session(customer, user=ann)
    assert open_session(customer, user=ann) == first
    settings.DEBUG = False
    alguna.change = {"url": "https://localhost/hs/2"}
    assert open_session(customer, user=ann).url == "https://localhost/hs/2"


@pytest.mark.parametrize(
    "spoiled",
    [
        None,
        "x",
        [],
        {},
        {"generation": 1},
        {"expires_at": "never"},
        {"expires_at": "2099-11-21T12:00:00"},
        {"expires_at": None},
        {"expires_at": "2026-01-01T00:00:00+00:00"},
        {"created_at": "2026-01-01T00:00:00"},
        {"url": None},
        {"url": 7},
    ],
)
def test_an_entry_that_cannot_be_read_is_none(alguna: Alguna, customer: Customer, ann: User, spoiled: Any) -> None:
    """Whatever stands in the cache, the click goes on."""
    open_session(customer, user=ann)
    for key, entry in kept().items():
        if ":session:" in key:
            broken = {**entry, **spoiled} if spoiled and "generation" not in spoiled and spoiled != "x" else spoiled
            caches["default"].set(key.removeprefix(":1:"), broken)
    assert open_session(customer, user=ann).url == alguna.url(2)


def test_a_clock_set_back_hands_out_no_dead_url(alguna: Alguna, customer: Customer, ann: User) -> None:
    """A session that seems to come from the future may be over already."""
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=ann)
        now.shift(timedelta(seconds=-60))
        assert open_session(customer, user=ann) == first
        now.shift(timedelta(hours=-10))
        assert open_session(customer, user=ann).url == alguna.url(2)


def test_what_is_kept_goes_when_the_session_does(alguna: Alguna, customer: Customer, ann: User) -> None:
    """The entry's own life ends with the session's: a cache with a clock of its own drops it in time.

    So does its generation, a month later: nothing is left in the cache for ever.
    """
    with time_machine.travel(NOW, tick=False):
        open_session(customer, user=ann)
        cache = caches["default"]
        ends = {key.split(":")[3]: end for key, end in cache._expire_info.items()}  # type: ignore[attr-defined]
        now = datetime.fromisoformat(NOW).timestamp()
        assert ends == {"session": now + 3600, "generation": now + 31 * 24 * 3600, "outcome": now + 30}


def test_a_session_that_lives_for_a_second_is_kept_for_it(alguna: Alguna, customer: Customer, ann: User) -> None:
    """It may have to bridge an outage."""
    alguna.life = timedelta(seconds=1)
    with time_machine.travel(NOW, tick=False):
        open_session(customer, user=ann)
        assert len([key for key in kept() if ":session:" in key]) == 1


class UnreadableCache(LocMemCache):
    """A cache that takes what it is given, and gives nothing back."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise ConnectionError


def test_what_was_asked_for_under_an_unknown_generation_is_not_kept(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could forget it."""
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.UnreadableCache"}}
    monkeypatch.setattr("alguna_portal.cache.PAUSE_SECONDS", 0)
    open_session(customer, user=ann)
    assert not [key for key in kept() if ":session:" in key and not key.endswith(":lock")]


def test_a_session_that_died_on_its_way_is_not_kept(alguna: Alguna, customer: Customer, ann: User) -> None:
    """An answer that took longer than its session lives leaves nothing behind."""
    with time_machine.travel(NOW, tick=False) as now:
        alguna.meanwhile = lambda: now.shift(timedelta(hours=2))
        open_session(customer, user=ann)
    assert not [key for key in kept() if ":session:" in key]


def test_keys_say_nothing(alguna: Alguna, ann: User) -> None:
    """Neither alias, nor key, nor address, nor user is to be read from a cache key."""
    open_session(Customer(alias="bob@example.com", email="bob@example.com"), user=ann)
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable):
        open_session(Customer(alias="bob@example.com"), user=ann, fresh=True)
    keys = [key.removeprefix(":1:alguna_portal:") for key in kept()]
    assert {key.partition(":")[0] for key in keys} == {"session", "generation", "outcome", "breaker"}
    for key in keys:
        assert len(bytes.fromhex(key.split(":")[1])) in {16, 32}


class BrokenCache(LocMemCache):
    """A cache that is down, and whose errors say too much."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise ConnectionError("redis://:password@cache:6379 is down")

    set = add = get = delete = get_many


class ReadOnlyCache(LocMemCache):
    """A cache that answers reads and refuses to write sessions."""

    def set(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise ConnectionError("redis://:password@cache:6379 is read-only")


@pytest.mark.parametrize("backend", ["BrokenCache", "ReadOnlyCache"])
def test_a_broken_cache_costs_the_caching_and_nothing_else(
    settings: Settings,
    alguna: Alguna,
    customer: Customer,
    ann: User,
    caplog: pytest.LogCaptureFixture,
    backend: str,
) -> None:
    """Every click makes a session, each failure is logged, and the log does not say what the cache said."""
    settings.CACHES = {"default": {"BACKEND": f"tests.sessions.test_opening.{backend}"}}
    assert [open_session(customer, user=ann).url for _ in range(2)] == [alguna.url(1), alguna.url(2)]
    assert "The cache “default” failed (" in caplog.text
    # One that hangs would take its time for each question; it is asked no more than it must be.
    assert len(caplog.records) <= 3
    assert "password" not in caplog.text


def test_a_database_cache_that_fails_leaves_the_hosts_transaction_whole(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """Inside a transaction each use of it is a savepoint; PostgreSQL would refuse all that comes after an error."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "nowhere"}}
    with CaptureQueriesContext(connection) as queries:
        assert open_session(customer, user=ann).url == alguna.url(1)
    said = [query["sql"].split()[0] for query in queries]
    # One more, which holds, for the record of the access.
    assert said.count("SAVEPOINT") - 1 == said.count("ROLLBACK") > 0
    assert PortalAccess.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_the_database_cache_needs_none(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """No cached click pays for a savepoint that protects nothing: it reads the cache, and is recorded."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "sessions"}}
    call_command("createcachetable")
    first = open_session(customer, user=ann)
    with CaptureQueriesContext(connection) as queries:
        assert open_session(customer, user=ann) == first
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]


def test_forgetting_that_failed_says_so(
    settings: Settings, alguna: Alguna, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """A credential that may still be given out is no small matter."""
    assert forget(customer) is True
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.BrokenCache"}}
    assert forget(customer) is False
    customer.pk = 7
    assert forget(customer) is False
    assert logged(caplog, "sessions_not_forgotten") == [
        ("ERROR", f"Customer {name}: cached sessions could not be forgotten.", {"customer": key})
        for name, key in (("(unsaved)", None), (7, 7))
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"] * 2


def test_forgetting_is_tried_even_where_the_cache_has_just_failed(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """What refuses to write may still delete."""
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.ReadOnlyCache"}}
    open_session(customer, user=ann)
    assert forget(customer) is True


def test_a_setting_that_cannot_be_used_is_told_before_anything_is_asked(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """Nobody makes a credential that cannot be kept as it was to be."""
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = "yes"
    with pytest.raises(ImproperlyConfigured, match="ALGUNA_PORTAL_ENCRYPT_CACHE"):
        open_session(customer, user=ann)
    assert alguna.requests == []


def test_sessions_are_kept_where_the_setting_says(
    settings: Settings, alguna: Alguna, customer: Customer, ann: User
) -> None:
    """A host may give credentials a cache of their own."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "portal": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "portal"},
    }
    settings.ALGUNA_PORTAL_CACHE = "portal"
    caches["portal"].clear()
    assert open_session(customer, user=ann) == open_session(customer, user=ann)


def test_an_outage_says_so_and_leaves_nothing_behind(
    alguna: Alguna, customer: Customer, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """The next click tries again."""
    alguna.fail(503, json.dumps({"detail": "down"}), Retry_After="7")
    with pytest.raises(AlgunaUnavailable) as caught:
        open_session(customer, user=ann)
    assert caught.value.retry_after == 7
    assert open_session(customer, user=ann).url == alguna.url(2)
    assert caplog.text == ""
