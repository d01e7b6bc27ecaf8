"""`open_session`: reuse scopes, expiry, invalidation and cache failures."""

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
from tests.conftest import FakeApi
from tests.support.logs import get_log_events

NOW = "2026-11-21T12:00:00Z"
SCOPES = ["user", "browser", "customer", "never"]
ANN, BOB = User(pk=1, username="ann"), User(pk=2, username="bob")

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    """A customer without a row, as in hosts with their own organizations."""
    return Customer(alias="acme-1", plan="starter")


def get_cache_content() -> dict[str, Any]:
    """Return all cache entries by key."""
    cache = caches["default"]
    assert isinstance(cache, LocMemCache)
    return {key: pickle.loads(value) for key, value in cache._cache.items()}  # type: ignore[attr-defined]


def test_time_for_a_new_session(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    """It's a share of the budget, or all of it if no other caller can wait for the session."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 4
    open_session(customer, user=User(pk=1))
    open_session(customer)
    shared, alone = (request.req_kwargs["timeout"][1] for request in alguna.requests)  # type: ignore[attr-defined]
    assert 0 < shared <= 3 < alone <= 4


def test_a_session_is_reused_for_the_same_user(alguna: FakeApi, customer: Customer) -> None:
    first = open_session(customer, user=ANN)
    assert first.url == alguna.url(1)
    assert open_session(customer, user=ANN) == first
    assert len(alguna.requests) == 1


@pytest.mark.parametrize(
    ("scope", "same_user_elsewhere", "same_browser_other_user", "colleague"),
    [("user", True, False, False), ("browser", False, True, False), ("customer", True, True, True),
     ("never", False, False, False)],
)  # fmt: skip
def test_reuse_scopes(
    settings: Settings,
    alguna: FakeApi,
    customer: Customer,
    scope: str,
    *,
    same_user_elsewhere: bool,
    same_browser_other_user: bool,
    colleague: bool,
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    first = open_session(customer, user=ANN, browser="login-1")

    def reused(user: User, browser: str) -> bool:
        return open_session(customer, user=user, browser=browser).url == first.url

    assert reused(ANN, "login-1") is (scope != "never")
    assert reused(ANN, "login-2") is same_user_elsewhere
    assert reused(BOB, "login-1") is same_browser_other_user
    assert reused(BOB, "login-3") is colleague


@pytest.mark.parametrize("scope", ["user", "browser"])
@pytest.mark.parametrize("user", [None, AnonymousUser()])
@pytest.mark.parametrize("browser", [None, ""])
def test_without_a_user_or_browser_sessions_are_not_cached(
    settings: Settings, alguna: FakeApi, customer: Customer, scope: str, user: AnonymousUser | None, browser: str | None
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    first, second = (open_session(customer, user=user, browser=browser) for _ in range(2))
    assert first.url != second.url
    assert get_cache_content() == {}


def test_a_changed_scope_does_not_reuse_sessions(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    """Even if a browser's key is the word that stands for all users."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    open_session(customer, browser="all")
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    open_session(customer)
    assert len(alguna.requests) == 2


def test_a_user_with_primary_key_zero_has_cached_sessions(alguna: FakeApi, customer: Customer) -> None:
    nought = User(pk=0)
    assert open_session(customer, user=nought) == open_session(customer, user=nought)


@pytest.mark.parametrize("scope", SCOPES)
def test_roles_have_separate_sessions(settings: Settings, alguna: FakeApi, customer: Customer, scope: str) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = scope
    manager = open_session(customer, user=ANN, browser="login", role="manager")
    viewer = open_session(customer, user=ANN, browser="login", role="viewer")
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
def test_changed_settings_and_customers_have_new_sessions(
    settings: Settings, alguna: FakeApi, customer: Customer, name: str, value: Any
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    alguna.serve("https://api.sandbox.alguna.io")
    open_session(customer, user=ANN)
    setattr(customer if hasattr(customer, name) else settings, name, value)
    open_session(customer, user=ANN)
    assert len(alguna.requests) == 2


def test_a_session_is_reused_until_the_margin(alguna: FakeApi, customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=ANN)
        now.shift(timedelta(minutes=59, seconds=-1))
        assert open_session(customer, user=ANN) == first
        now.shift(timedelta(seconds=1))
        second = open_session(customer, user=ANN)
    assert second.url == alguna.url(2)


def test_a_session_shorter_than_the_margin_is_used_once(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    alguna.life = timedelta(seconds=60)
    assert open_session(customer, user=ANN).url == alguna.url(1)
    assert open_session(customer, user=ANN).url == alguna.url(2)


@pytest.mark.parametrize("minutes", [-600, -10, 0, 10, 600])
def test_lifetimes_do_not_depend_on_algunas_clock(alguna: FakeApi, customer: Customer, minutes: int) -> None:
    alguna.clock_is_off_by = timedelta(minutes=minutes)
    with time_machine.travel(NOW, tick=False) as now:
        requested_at = datetime.now(UTC)
        session = open_session(customer, user=ANN)
        assert (session.created_at, session.expires_at) == (requested_at, requested_at + timedelta(hours=1))
        now.shift(timedelta(minutes=58))
        assert open_session(customer, user=ANN) == session
        now.shift(timedelta(minutes=1))
        assert open_session(customer, user=ANN) != session


def test_lifetimes_are_limited_to_30_days(alguna: FakeApi, customer: Customer) -> None:
    alguna.life = timedelta(days=365 * 7000)
    session = open_session(customer, user=ANN)
    assert session.life == timedelta(days=30)


def test_fresh_replaces_the_cached_session(alguna: FakeApi, customer: Customer) -> None:
    open_session(customer, user=ANN)
    assert open_session(customer, user=ANN, fresh=True).url == alguna.url(2)
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_forget_affects_all_users_of_one_customer(alguna: FakeApi, customer: Customer) -> None:
    other = Customer(alias="umbrella-2", plan="starter")
    for user in (ANN, BOB):
        open_session(customer, user=user)
    untouched = open_session(other, user=ANN)
    forget(customer)
    assert [open_session(customer, user=user).url for user in (ANN, BOB)] == [alguna.url(4), alguna.url(5)]
    assert open_session(other, user=ANN) == untouched


def test_forget_affects_sessions_that_are_being_created(alguna: FakeApi, customer: Customer) -> None:
    alguna.on_request = lambda: forget(customer)
    open_session(customer, user=ANN)
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_a_session_of_another_customer_is_rejected_and_not_cached(alguna: FakeApi, customer: Customer) -> None:
    customer.customer_id = "cust_mine"
    for _ in range(2):
        with pytest.raises(CustomerMismatch):
            open_session(customer, user=ANN)
    assert len(alguna.requests) == 2


def test_a_stored_id_is_compared_with_the_cached_session(alguna: FakeApi, customer: Customer) -> None:
    first = open_session(customer, user=ANN)
    customer.customer_id = "cust_abc123"
    assert open_session(customer, user=ANN) == first
    customer.customer_id = "cust_mine"
    with pytest.raises(CustomerMismatch):
        open_session(customer, user=ANN)


def test_the_url_of_a_cached_session_is_validated_again(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    open_session(customer, user=ANN)
    settings.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    alguna.host = "billing.example.com"
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_a_cached_sandbox_session_is_valid_only_with_debug(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    settings.DEBUG = True
    settings.ALGUNA_PORTAL_URL_HOSTS = ["localhost"]
    alguna.change = {"url": "http://localhost:8000/sandbox/hs/1"}
    first = open_session(customer, user=ANN)
    assert open_session(customer, user=ANN) == first
    settings.DEBUG = False
    alguna.change = {"url": "https://localhost/hs/2"}
    assert open_session(customer, user=ANN).url == "https://localhost/hs/2"


@pytest.mark.parametrize(
    "change",
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
def test_invalid_cache_entries_are_misses(alguna: FakeApi, customer: Customer, change: Any) -> None:
    open_session(customer, user=ANN)
    for key, entry in get_cache_content().items():
        if ":session:" in key:
            broken = {**entry, **change} if change and "generation" not in change and change != "x" else change
            caches["default"].set(key.removeprefix(":1:"), broken)
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_sessions_from_the_future_are_misses(alguna: FakeApi, customer: Customer) -> None:
    """The machine's clock was set back, so the session may have expired."""
    with time_machine.travel(NOW, tick=False) as now:
        first = open_session(customer, user=ANN)
        now.shift(timedelta(seconds=-60))
        assert open_session(customer, user=ANN) == first
        now.shift(timedelta(hours=-10))
        assert open_session(customer, user=ANN).url == alguna.url(2)


def test_cache_timeouts(alguna: FakeApi, customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False):
        open_session(customer, user=ANN)
        cache = caches["default"]
        ends = {key.split(":")[3]: end for key, end in cache._expire_info.items()}  # type: ignore[attr-defined]
        now = datetime.fromisoformat(NOW).timestamp()
        assert ends == {"session": now + 3600, "generation": now + 31 * 24 * 3600, "outcome": now + 30}


def test_a_session_of_one_second_is_cached(alguna: FakeApi, customer: Customer) -> None:
    alguna.life = timedelta(seconds=1)
    with time_machine.travel(NOW, tick=False):
        open_session(customer, user=ANN)
        assert len([key for key in get_cache_content() if ":session:" in key]) == 1


class UnreadableCache(LocMemCache):
    """A cache that can be written but not read."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError


def test_without_a_generation_sessions_are_not_cached(
    settings: Settings, alguna: FakeApi, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`forget` couldn't invalidate them."""
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.UnreadableCache"}}
    monkeypatch.setattr("alguna_portal.cache.PAUSE_SECONDS", 0)
    open_session(customer, user=ANN)
    assert not [key for key in get_cache_content() if ":session:" in key and not key.endswith(":lock")]


def test_an_expired_session_is_not_cached(alguna: FakeApi, customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False) as now:
        alguna.on_request = lambda: now.shift(timedelta(hours=2))
        open_session(customer, user=ANN)
    assert not [key for key in get_cache_content() if ":session:" in key]


def test_cache_keys_contain_no_personal_data(alguna: FakeApi) -> None:
    open_session(Customer(alias="bob@example.com", email="bob@example.com"), user=ANN)
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable):
        open_session(Customer(alias="bob@example.com"), user=ANN, fresh=True)
    keys = [key.removeprefix(":1:alguna_portal:") for key in get_cache_content()]
    assert {key.partition(":")[0] for key in keys} == {"session", "generation", "outcome", "breaker"}
    for key in keys:
        assert len(bytes.fromhex(key.split(":")[1])) in {16, 32}


class BrokenCache(LocMemCache):
    """A cache that raises exceptions with secrets."""

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("redis://:password@cache:6379 is down")

    set = add = get = delete = get_many


class ReadOnlyCache(LocMemCache):
    """A cache that can be read but not written."""

    def set(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("redis://:password@cache:6379 is read-only")


@pytest.mark.parametrize("backend", ["BrokenCache", "ReadOnlyCache"])
def test_without_a_working_cache_each_call_creates_a_session(
    settings: Settings, alguna: FakeApi, customer: Customer, caplog: pytest.LogCaptureFixture, backend: str
) -> None:
    """The failures are logged without the cache's message."""
    settings.CACHES = {"default": {"BACKEND": f"tests.sessions.test_opening.{backend}"}}
    assert [open_session(customer, user=ANN).url for _ in range(2)] == [alguna.url(1), alguna.url(2)]
    assert "The cache “default” failed (" in caplog.text
    # A cache that hangs would take its timeout for each operation.
    assert len(caplog.records) <= 3
    assert "password" not in caplog.text


def test_a_failing_database_cache_does_not_break_the_transaction(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    """Every cache operation is in a savepoint."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "nowhere"}}
    with CaptureQueriesContext(connection) as queries:
        assert open_session(customer, user=ANN).url == alguna.url(1)
    statements = [query["sql"].split()[0] for query in queries]
    # The audit trail has one more savepoint.
    assert statements.count("SAVEPOINT") - 1 == statements.count("ROLLBACK") > 0
    assert PortalAccess.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_the_database_cache_uses_no_savepoints(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "sessions"}}
    call_command("createcachetable")
    first = open_session(customer, user=ANN)
    with CaptureQueriesContext(connection) as queries:
        assert open_session(customer, user=ANN) == first
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]


def test_forget_logs_failures(
    settings: Settings, alguna: FakeApi, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    assert forget(customer) is True
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.BrokenCache"}}
    assert forget(customer) is False
    customer.pk = 7
    assert forget(customer) is False
    assert get_log_events(caplog, "sessions_not_forgotten") == [
        ("ERROR", f"Customer {name}: cached sessions could not be forgotten.", {"customer": key})
        for name, key in (("(unsaved)", None), (7, 7))
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"] * 2


def test_forget_is_tried_after_a_cache_failure(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.sessions.test_opening.ReadOnlyCache"}}
    open_session(customer, user=ANN)
    assert forget(customer) is True


def test_an_invalid_setting_is_reported_before_the_api_call(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = "yes"
    with pytest.raises(ImproperlyConfigured, match="ALGUNA_PORTAL_ENCRYPT_CACHE"):
        open_session(customer, user=ANN)
    assert alguna.requests == []


def test_sessions_are_cached_in_the_configured_cache(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "portal": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "portal"},
    }
    settings.ALGUNA_PORTAL_CACHE = "portal"
    caches["portal"].clear()
    assert open_session(customer, user=ANN) == open_session(customer, user=ANN)


def test_an_outage_raises_an_exception_and_is_not_cached(
    alguna: FakeApi, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    alguna.fail(503, json.dumps({"detail": "down"}), Retry_After="7")
    with pytest.raises(AlgunaUnavailable) as caught:
        open_session(customer, user=ANN)
    assert caught.value.retry_after == 7
    assert open_session(customer, user=ANN).url == alguna.url(2)
    assert caplog.text == ""
