"""Session fixation: nothing that an attacker prepares affects what the victim opens later."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from alguna_portal.models import Customer, Membership
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, get_targets, sign_in


@pytest.fixture
def member_of_two(manager: User, umbrella: Customer) -> User:
    """A user with two customers."""
    Membership.objects.create(user=manager, customer=umbrella)
    return manager


@pytest.mark.parametrize("form", FORMS)
def test_a_choice_is_not_remembered(
    alguna: FakeApi, member_of_two: User, acme: Customer, umbrella: Customer, settings: Settings, form: str
) -> None:
    """No cookie and no session contains it."""
    # If anything were stored in the login session, Django would save it and send its cookie.
    client = sign_in(member_of_two)
    before = list(Session.objects.values())
    offered = client.get(BILLING, headers=FORMS[form])
    for customer in (umbrella, acme):
        chosen = client.get(BILLING, {"customer": customer.pk}, headers=FORMS[form])
        posted = client.post(BILLING, {"customer": customer.pk}, headers=FORMS[form])
        assert get_targets(chosen) == get_targets(posted) != []
        for response in (chosen, posted):
            assert not response.cookies
    repeated = client.get(BILLING, headers=FORMS[form])
    assert (repeated.status_code, get_targets(repeated)) == (offered.status_code, get_targets(offered))
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize("form", FORMS)
def test_a_link_to_the_attackers_customer_is_denied(
    alguna: FakeApi, member_of_two: User, non_member: User, form: str
) -> None:
    """It doesn't affect the victim's next request."""
    trap = Customer.objects.create(alias="trap-3", name="Trap")
    Membership.objects.create(user=non_member, customer=trap)
    client = sign_in(member_of_two)
    offered = client.get(BILLING, headers=FORMS[form])
    for method in (client.get, client.post):
        assert method(BILLING, {"customer": trap.pk}, headers=FORMS[form]).status_code == 403
    assert alguna.requests == []
    repeated = client.get(BILLING, headers=FORMS[form])
    assert (repeated.status_code, get_targets(repeated)) == (offered.status_code, get_targets(offered))


@pytest.mark.parametrize("reuse", ["browser", "user"])
def test_a_planted_login_session_does_not_share_portal_sessions(
    alguna: FakeApi, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    attacker = User.objects.create_user("eve")
    Membership.objects.create(user=attacker, customer=acme)
    victims = sign_in(attacker)
    planted = victims.cookies["sessionid"].value
    assert victims.get(BILLING)["Location"] == alguna.url(1)
    victims.force_login(manager)
    assert victims.cookies["sessionid"].value != planted
    assert victims.get(BILLING)["Location"] == alguna.url(2)
    attackers = Client()
    attackers.cookies["sessionid"] = planted
    # The planted session was signed out, too.
    assert attackers.get(BILLING)["Location"] == "/login/?next=/billing/"
    assert len(alguna.requests) == 2


def test_an_anonymous_session_key_is_useless_after_sign_in(alguna: FakeApi, manager: User, settings: Settings) -> None:
    """Django replaces the key, and with it the cache key of the portal session."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    client = Client()
    session = client.session
    session["basket"] = "of a visitor"
    session.save()
    planted = str(session.session_key)
    client.cookies["sessionid"] = planted
    client.force_login(manager)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    assert client.session["basket"] == "of a visitor"
    assert client.session.session_key != planted
    attackers = Client()
    attackers.cookies["sessionid"] = planted
    assert attackers.get(BILLING)["Location"] == "/login/?next=/billing/"


def test_session_keys_in_parameters_are_ignored(alguna: FakeApi, manager: User) -> None:
    key = sign_in(manager).cookies["sessionid"].value
    for name in ("sessionid", "session", "session_key", "sid", "browser"):
        assert Client().get(BILLING, {name: key})["Location"].startswith("/login/")
        assert Client().post(BILLING, {name: key})["Location"].startswith("/login/")
    assert alguna.requests == []
