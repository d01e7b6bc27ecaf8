"""The audit trail: one row for each attempt to open a portal, without the URL."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaError, UnexpectedResponse
from alguna_portal.models import Customer, Membership, PortalAccess
from alguna_portal.sessions import open_session
from tests.conftest import FakeApi

BILLING = reverse("alguna_portal:billing")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def get_rows(*fields: str) -> list[Any]:
    """Return the values of one or more fields in all rows."""
    return list(PortalAccess.objects.order_by("pk").values_list(*fields, flat=len(fields) == 1))


def deny_all(**_: Any) -> bool:
    return False


def allow_all(**_: Any) -> bool:
    """Allow impersonated users, too."""
    return True


def test_a_click_is_recorded_without_the_url(alguna: FakeApi, umbrella: Customer) -> None:
    boss = User.objects.create_user("boss")
    Membership.objects.create(user=boss, customer=umbrella)
    with time_machine.travel(NOW, tick=False):
        response = sign_in(boss).get(BILLING)
    access = PortalAccess.objects.get()
    assert (access.user, access.user_key) == (boss, str(boss.pk))
    assert (access.customer, access.customer_alias) == (umbrella, "umbrella-2")
    assert (access.via, access.role, access.outcome, access.error) == ("view", "manager", "opened", "")
    assert access.portal_settings == {"plan_overview_settings": {"allow_subscription_cancel": False}}
    assert access.session_id == "sess1"
    assert access.at == NOW
    assert access.impersonated is False
    content = " ".join(map(str, PortalAccess.objects.values_list().get()))
    assert response["Location"] not in content
    assert "token1" not in content


def test_a_cached_session_is_recorded_as_reused(alguna: FakeApi, manager: User) -> None:
    client = sign_in(manager)
    client.get(BILLING)
    client.get(BILLING)
    client.get(BILLING + "?fresh=1")
    assert get_rows("outcome", "session_id") == [("opened", "sess1"), ("reused", "sess1"), ("opened", "sess2")]


@pytest.mark.parametrize("reuse", ["user", "never"])
def test_without_a_cached_session_it_is_recorded_as_opened(
    settings: Settings, alguna: FakeApi, manager: User, reuse: str
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    sign_in(manager).get(BILLING)
    assert get_rows("outcome") == ["opened"]


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (503, "unavailable", "AlgunaUnavailable"),
        (401, "failed", "AuthenticationFailed"),
        (404, "failed", "CustomerUnknown"),
    ],
)
def test_a_failure_is_recorded_with_the_exceptions_name(
    settings: Settings, alguna: FakeApi, manager: User, status: int, outcome: str, error: str
) -> None:
    settings.ALGUNA_PORTAL_DEFAULTS = {"invoice_list_settings": {"show_section": True}}
    alguna.fail(status, '{"detail": "no such thing"}')
    sign_in(manager).get(BILLING)
    assert get_rows("outcome", "error", "user", "session_id") == [(outcome, error, manager.pk, "")]
    assert get_rows("portal_settings") == [{"invoice_list_settings": {"show_section": True}}]


def test_invalid_settings_are_recorded(settings: Settings, alguna: FakeApi, manager: User) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    client = sign_in(manager)
    client.raise_request_exception = False
    assert client.get(BILLING).status_code == 500
    assert get_rows("outcome", "error") == [("failed", "ImproperlyConfigured")]


def test_a_session_reused_in_an_outage_is_recorded_as_reused(alguna: FakeApi, manager: User) -> None:
    client = sign_in(manager)
    with time_machine.travel(NOW, tick=False) as now:
        client.get(BILLING)
        now.shift(59 * 60 + 30)
        alguna.fail(503)
        assert client.get(BILLING)["Location"] == alguna.url(1)
    assert get_rows("outcome") == ["opened", "reused"]


@pytest.mark.parametrize("query", ["", "?customer=999999"])
def test_denied_access_is_recorded(alguna: FakeApi, non_member: User, query: str) -> None:
    """Without the requested customer, which may be another user's."""
    assert sign_in(non_member).get(BILLING + query).status_code == 403
    row = get_rows("outcome", "user", "customer", "customer_alias", "role")
    assert row == [("denied", non_member.pk, None, "", "")]


def test_requests_that_open_no_portal_are_not_recorded(
    alguna: FakeApi, manager: User, non_member: User, umbrella: Customer
) -> None:
    Client().get(BILLING)
    sign_in(manager).get(BILLING, headers={"Sec-Purpose": "prefetch"})
    sign_in(manager).head(BILLING)
    assert sign_in(non_member).head(BILLING).status_code == 403
    Membership.objects.create(user=manager, customer=umbrella)
    assert sign_in(manager).get(BILLING).status_code == 200
    assert not PortalAccess.objects.exists()


@pytest.mark.parametrize("asked_for", [True, False])
def test_access_denied_by_the_policy_is_recorded_with_the_customer(
    settings: Settings, alguna: FakeApi, manager: User, acme: Customer, umbrella: Customer, asked_for: bool
) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = deny_all
    if asked_for:
        Membership.objects.create(user=manager, customer=umbrella)
    query = f"?customer={acme.pk}" if asked_for else ""
    assert sign_in(manager).get(BILLING + query).status_code == 403
    assert get_rows("outcome", "customer", "role") == [("denied", acme.pk, "manager")]


def test_if_several_customers_are_denied_none_is_recorded(
    settings: Settings, alguna: FakeApi, manager: User, umbrella: Customer
) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = deny_all
    Membership.objects.create(user=manager, customer=umbrella)
    sign_in(manager).get(BILLING)
    sign_in(manager).get(BILLING + "?customer=999999")
    assert get_rows("customer") == [None, None]


def test_a_user_of_another_model_is_not_recorded_as_a_user(alguna: FakeApi, manager: User, acme: Customer) -> None:
    acme.pk = manager.pk
    open_session(Customer(alias="org-7"), user=acme)  # type: ignore[arg-type]
    assert get_rows("user", "user_key") == [(None, str(manager.pk))]


@pytest.mark.django_db
def test_a_long_or_invalid_session_id(alguna: FakeApi) -> None:
    alguna.change = {"id": "s" * 255}
    open_session(Customer(alias="org-7"))
    for odd in ("s" * 256, "s\nERROR all is lost"):
        alguna.change = {"id": odd}
        with pytest.raises(UnexpectedResponse):
            open_session(Customer(alias="org-7"))
    assert get_rows("session_id", "error") == [("s" * 255, ""), *[("", "UnexpectedResponse")] * 2]


@pytest.mark.django_db
def test_open_session_is_recorded(alguna: FakeApi, viewer: User) -> None:
    open_session(Customer(alias="org-7"), user=viewer, role="viewer")
    open_session(Customer(alias="org-8"), user=AnonymousUser())
    open_session(Customer(alias=9))
    assert get_rows("via", "user", "user_key", "customer", "customer_alias", "role") == [
        ("api", viewer.pk, str(viewer.pk), None, "org-7", "viewer"),
        ("api", None, "", None, "org-8", "manager"),
        ("api", None, "", None, "9", "manager"),
    ]


def test_impersonation_is_recorded(
    settings: Settings, alguna: FakeApi, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = allow_all
    monkeypatch.setattr(User, "is_hijacked", True, raising=False)
    sign_in(manager).get(BILLING)
    assert get_rows("impersonated") == [True]


def test_rows_stay_if_user_and_customer_are_deleted(alguna: FakeApi, manager: User, acme: Customer) -> None:
    sign_in(manager).get(BILLING)
    key = manager.pk
    manager.delete()
    acme.delete()
    assert get_rows("user", "user_key", "customer", "customer_alias") == [(None, str(key), None, "acme-1")]


def test_a_user_deleted_meanwhile_is_recorded(alguna: FakeApi, manager: User) -> None:
    User.objects.filter(pk=manager.pk).delete()
    open_session(Customer(alias="org-7"), user=manager)
    assert get_rows("user_key") == [str(manager.pk)]
    connection.check_constraints()


def test_the_audit_setting(
    settings: Settings, alguna: FakeApi, manager: User, non_member: User, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALGUNA_PORTAL_AUDIT = False
    sign_in(manager).get(BILLING)
    sign_in(non_member).get(BILLING)
    alguna.fail(503)
    sign_in(manager).get(BILLING + "?fresh=1")
    assert not PortalAccess.objects.exists()


@pytest.mark.parametrize("failure", [DatabaseError("INSERT … mia@acme.example"), RuntimeError("mia@acme.example")])
def test_a_failure_to_record_is_logged_without_its_text(
    alguna: FakeApi,
    manager: User,
    acme: Customer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    def fail(self: PortalAccess, **_: Any) -> None:
        raise failure

    monkeypatch.setattr(PortalAccess, "save", fail)
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    message = f"An access by user {manager.pk} to customer {acme.pk} could not be recorded ({type(failure).__name__})."
    assert (caplog.messages, caplog.records[0].levelname) == ([message], "ERROR")
    assert "mia@" not in caplog.text


def test_a_database_error_does_not_break_the_transaction(
    alguna: FakeApi, manager: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PortalAccess._meta, "db_table", "elsewhere")
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    failure = "OperationalError" if connection.vendor == "sqlite" else "ProgrammingError"
    assert f"could not be recorded ({failure})" in caplog.text
    assert Membership.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_there_is_no_savepoint(
    alguna: FakeApi, manager: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        open_session(Customer(alias="org-7"), user=manager)


def test_a_failure_is_raised_even_if_it_can_not_be_recorded(
    alguna: FakeApi, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PortalAccess, "save", lambda self, **_: 1 / 0)
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_session(Customer(alias="org-7"), user=manager)


def resolve_long_alias(request: HttpRequest) -> Customer:
    return Customer(alias="x" * 300)


def test_a_long_alias_is_truncated(settings: Settings, alguna: FakeApi, non_member: User) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_long_alias
    sign_in(non_member).get(BILLING)
    assert get_rows("customer_alias") == ["x" * 255]


def test_str_contains_no_personal_data(alguna: FakeApi, manager: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with time_machine.travel(NOW, tick=False):
        sign_in(manager).get(BILLING)
    assert str(PortalAccess.objects.get()) == "opened, 2026-11-21 12:00"
