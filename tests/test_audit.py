"""The audit trail: one row a click, of all that matters and of no URL; and no row that fails stops anybody."""

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
from tests.conftest import Alguna

BILLING = reverse("alguna_portal:billing")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def signed_in(user: User) -> Client:
    """A browser in which a user is signed in."""
    client = Client()
    client.force_login(user)
    return client


def recorded() -> list[PortalAccess]:
    """All that was recorded, oldest first."""
    return list(PortalAccess.objects.order_by("pk"))


def nobody(**_: Any) -> bool:
    """Let nobody in."""
    return False


def anyone(**_: Any) -> bool:
    """Let everybody in, impersonated or not."""
    return True


def test_a_click_records_who_for_whom_how_and_what_came_of_it(alguna: Alguna, umbrella: Customer) -> None:
    """Everything but the URL, which is a credential."""
    boss = User.objects.create_user("boss")
    Membership.objects.create(user=boss, customer=umbrella)
    with time_machine.travel(NOW, tick=False):
        response = signed_in(boss).get(BILLING)
    (access,) = recorded()
    assert (access.user, access.user_key) == (boss, str(boss.pk))
    assert (access.customer, access.customer_alias) == (umbrella, "umbrella-2")
    assert (access.via, access.role, access.outcome, access.error) == ("view", "manager", "opened", "")
    assert access.portal_settings == {"plan_overview_settings": {"allow_subscription_cancel": False}}
    assert access.session_id == "sess1"
    assert access.at == NOW
    assert access.impersonated is False
    held = " ".join(map(str, PortalAccess.objects.values_list().get()))
    assert response["Location"] not in held
    assert "token1" not in held


def test_a_session_that_was_there_is_recorded_as_opened_again(alguna: Alguna, manager: User) -> None:
    """With the same session id, so that a trail in Alguna can be matched."""
    client = signed_in(manager)
    client.get(BILLING)
    client.get(BILLING)
    client.get(BILLING + "?fresh=1")
    assert [(each.outcome, each.session_id) for each in recorded()] == [
        ("opened", "sess1"),
        ("reused", "sess1"),
        ("opened", "sess2"),
    ]


@pytest.mark.parametrize("reuse", ["user", "never"])
def test_without_a_cached_one_a_session_is_new(settings: Settings, alguna: Alguna, manager: User, reuse: str) -> None:
    """However sessions are reused."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    signed_in(manager).get(BILLING)
    assert [each.outcome for each in recorded()] == ["opened"]


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (503, "unavailable", "AlgunaUnavailable"),
        (401, "failed", "AuthenticationFailed"),
        (404, "failed", "CustomerUnknown"),
    ],
)
def test_what_failed_is_recorded_by_its_name(
    settings: Settings, alguna: Alguna, manager: User, status: int, outcome: str, error: str
) -> None:
    """Not by its text; with the settings that were asked for."""
    settings.ALGUNA_PORTAL_DEFAULTS = {"invoice_list_settings": {"show_section": True}}
    alguna.fail(status, '{"detail": "no such thing"}')
    signed_in(manager).get(BILLING)
    (access,) = recorded()
    assert (access.outcome, access.error, access.user, access.session_id) == (outcome, error, manager, "")
    assert access.portal_settings == {"invoice_list_settings": {"show_section": True}}


def test_settings_that_cannot_be_used_are_recorded_too(settings: Settings, alguna: Alguna, manager: User) -> None:
    """Somebody clicked, and it led nowhere."""
    settings.ALGUNA_PORTAL_API_KEY = ""
    client = signed_in(manager)
    client.raise_request_exception = False
    assert client.get(BILLING).status_code == 500
    (access,) = recorded()
    assert (access.outcome, access.error) == ("failed", "ImproperlyConfigured")


def test_an_outage_that_a_cached_session_bridges_is_recorded_as_opened_again(alguna: Alguna, manager: User) -> None:
    """For that is what happened to the user."""
    client = signed_in(manager)
    with time_machine.travel(NOW, tick=False) as now:
        client.get(BILLING)
        now.shift(59 * 60 + 30)
        alguna.fail(503)
        assert client.get(BILLING)["Location"] == alguna.url(1)
    assert [each.outcome for each in recorded()] == ["opened", "reused"]


@pytest.mark.parametrize("query", ["", "?customer=999999"])
def test_who_may_not_is_recorded_as_denied(alguna: Alguna, stranger: User, query: str) -> None:
    """Without the customer that was asked for, which may be nobody's."""
    assert signed_in(stranger).get(BILLING + query).status_code == 403
    (access,) = recorded()
    assert (access.outcome, access.user, access.customer, access.customer_alias, access.role) == (
        "denied",
        stranger,
        None,
        "",
        "",
    )


def test_what_opens_nothing_records_nothing(alguna: Alguna, manager: User, stranger: User, umbrella: Customer) -> None:
    """A visitor who signs in first, a prefetch, a HEAD, a choice that is still to be made."""
    Client().get(BILLING)
    signed_in(manager).get(BILLING, headers={"Sec-Purpose": "prefetch"})
    signed_in(manager).head(BILLING)
    assert signed_in(stranger).head(BILLING).status_code == 403
    Membership.objects.create(user=manager, customer=umbrella)
    assert signed_in(manager).get(BILLING).status_code == 200
    assert recorded() == []


@pytest.mark.parametrize("asked_for", [True, False])
def test_what_the_policy_keeps_shut_is_recorded_with_the_customer(
    settings: Settings, alguna: Alguna, manager: User, acme: Customer, umbrella: Customer, asked_for: bool
) -> None:
    """An impersonated user's attempt, say: somebody should be able to ask what that was about."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = nobody
    if asked_for:
        Membership.objects.create(user=manager, customer=umbrella)
    query = f"?customer={acme.pk}" if asked_for else ""
    assert signed_in(manager).get(BILLING + query).status_code == 403
    (access,) = recorded()
    assert (access.outcome, access.customer, access.role) == ("denied", acme, "manager")


def test_which_of_several_was_meant_is_not_guessed(
    settings: Settings, alguna: Alguna, manager: User, umbrella: Customer
) -> None:
    """Two are shut, and none was named."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = nobody
    Membership.objects.create(user=manager, customer=umbrella)
    signed_in(manager).get(BILLING)
    signed_in(manager).get(BILLING + "?customer=999999")
    assert [each.customer for each in recorded()] == [None, None]


def test_somebody_of_another_model_is_not_put_down_to_a_user(alguna: Alguna, manager: User, acme: Customer) -> None:
    """Who calls by an API of the host's may have the key of an administrator."""
    acme.pk = manager.pk
    open_session(Customer(alias="org-7"), user=acme)  # type: ignore[arg-type]
    (access,) = recorded()
    assert (access.user, access.user_key) == (None, str(manager.pk))


@pytest.mark.django_db
def test_a_session_id_of_any_length_is_recorded_or_refused(alguna: Alguna) -> None:
    """Databases that check lengths would refuse the row, and logs are no place for line breaks."""
    alguna.change = {"id": "s" * 255}
    open_session(Customer(alias="org-7"))
    for odd in ("s" * 256, "s\nERROR all is lost"):
        alguna.change = {"id": odd}
        with pytest.raises(UnexpectedResponse):
            open_session(Customer(alias="org-7"))
    assert [(access.session_id, access.error) for access in recorded()] == [("s" * 255, "")] + [
        ("", "UnexpectedResponse")
    ] * 2


@pytest.mark.django_db
def test_code_that_opens_a_portal_is_recorded_as_such(alguna: Alguna, viewer: User) -> None:
    """With a user or without; of a customer without a row, the alias says who it is."""
    open_session(Customer(alias="org-7"), user=viewer, role="viewer")
    open_session(Customer(alias="org-8"), user=AnonymousUser())
    open_session(Customer(alias=9))
    assert [(each.via, each.user, each.user_key, each.customer, each.customer_alias) for each in recorded()] == [
        ("api", viewer, str(viewer.pk), None, "org-7"),
        ("api", None, "", None, "org-8"),
        ("api", None, "", None, "9"),
    ]
    assert [each.role for each in recorded()] == ["viewer", "manager", "manager"]


def test_an_impersonated_user_is_recorded_as_such(
    settings: Settings, alguna: Alguna, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the policy lets staff act for users, the trail does not put it down to the user alone."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = anyone
    monkeypatch.setattr(User, "is_hijacked", True, raising=False)
    signed_in(manager).get(BILLING)
    assert [each.impersonated for each in recorded()] == [True]


def test_the_trail_outlives_whom_it_is_about(alguna: Alguna, manager: User, acme: Customer) -> None:
    """The key and the alias stay when user and customer are deleted."""
    signed_in(manager).get(BILLING)
    key = manager.pk
    manager.delete()
    acme.delete()
    (access,) = recorded()
    assert (access.user, access.user_key, access.customer, access.customer_alias) == (None, str(key), None, "acme-1")


def test_a_user_who_is_deleted_meanwhile_is_still_recorded(alguna: Alguna, manager: User) -> None:
    """The database is not asked whether the user is there, so nothing fails at somebody's commit."""

    User.objects.filter(pk=manager.pk).delete()
    open_session(Customer(alias="org-7"), user=manager)
    (access,) = recorded()
    assert access.user_key == str(manager.pk)
    connection.check_constraints()


def test_a_setting_turns_it_off(
    settings: Settings, alguna: Alguna, manager: User, stranger: User, caplog: pytest.LogCaptureFixture
) -> None:
    """For hosts that keep their own."""
    settings.ALGUNA_PORTAL_AUDIT = False
    signed_in(manager).get(BILLING)
    signed_in(stranger).get(BILLING)
    alguna.fail(503)
    signed_in(manager).get(BILLING + "?fresh=1")
    assert recorded() == []


@pytest.mark.parametrize("failure", [DatabaseError("INSERT … mia@acme.example"), RuntimeError("mia@acme.example")])
def test_a_row_that_fails_stops_nobody_and_is_logged_without_its_text(
    alguna: Alguna,
    manager: User,
    acme: Customer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    """Whatever goes wrong with it."""

    def fail(self: PortalAccess, **_: Any) -> None:
        raise failure

    monkeypatch.setattr(PortalAccess, "save", fail)
    assert signed_in(manager).get(BILLING)["Location"] == alguna.url(1)
    said = f"An access by user {manager.pk} to customer {acme.pk} could not be recorded ({type(failure).__name__})."
    assert (caplog.messages, caplog.records[0].levelname) == ([said], "ERROR")
    assert "mia@" not in caplog.text


def test_a_failure_of_the_database_leaves_the_callers_transaction_whole(
    alguna: Alguna, manager: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is not there, say, in a deployment that has not been migrated yet."""
    monkeypatch.setattr(PortalAccess._meta, "db_table", "elsewhere")
    assert signed_in(manager).get(BILLING)["Location"] == alguna.url(1)
    failure = "OperationalError" if connection.vendor == "sqlite" else "ProgrammingError"
    assert f"could not be recorded ({failure})" in caplog.text
    assert Membership.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_a_record_is_one_query(
    alguna: Alguna, manager: User, django_assert_num_queries: Any
) -> None:
    """A savepoint would protect nothing there."""
    with django_assert_num_queries(1):
        open_session(Customer(alias="org-7"), user=manager)


def test_a_failure_is_raised_even_where_it_cannot_be_recorded(
    alguna: Alguna, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one does not hide the other."""
    monkeypatch.setattr(PortalAccess, "save", lambda self, **_: 1 / 0)
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_session(Customer(alias="org-7"), user=manager)


def resolve_very_long(request: HttpRequest) -> Customer:
    """Resolve to a customer with an alias longer than its column."""
    return Customer(alias="x" * 300)


def test_an_alias_that_is_too_long_is_cut(settings: Settings, alguna: Alguna, stranger: User) -> None:
    """Databases that check lengths would refuse the row."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_very_long
    signed_in(stranger).get(BILLING)
    (access,) = recorded()
    assert access.customer_alias == "x" * 255


def test_an_access_describes_itself_without_saying_whose(
    alguna: Alguna, manager: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may turn up in logs."""
    caplog.set_level(logging.DEBUG)
    with time_machine.travel(NOW, tick=False):
        signed_in(manager).get(BILLING)
    assert str(recorded()[0]) == "opened, 2026-11-21 12:00"
