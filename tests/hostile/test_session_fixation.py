"""Fixation: nothing that an attacker plants before decides what a victim opens afterwards."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from alguna_portal.models import Customer, Membership
from tests.conftest import Alguna
from tests.support.clients import BILLING, FORMS, get_targets, sign_in


@pytest.fixture
def of_two(manager: User, umbrella: Customer) -> User:
    """Somebody who has to choose."""
    Membership.objects.create(user=manager, customer=umbrella)
    return manager


@pytest.mark.parametrize("form", FORMS)
def test_a_choice_is_not_kept(
    alguna: Alguna, of_two: User, acme: Customer, umbrella: Customer, settings: Settings, form: str
) -> None:
    """Who was made to choose one company is asked again the next time; no cookie and no session remembers it."""
    # By whatever is in it, Django would save the login session and send its cookie.
    client = sign_in(of_two)
    before = list(Session.objects.values())
    offered = client.get(BILLING, headers=FORMS[form])
    for customer in (umbrella, acme):
        chosen = client.get(BILLING, {"customer": customer.pk}, headers=FORMS[form])
        posted = client.post(BILLING, {"customer": customer.pk}, headers=FORMS[form])
        assert get_targets(chosen) == get_targets(posted) != []
        for response in (chosen, posted):
            assert not response.cookies
    again = client.get(BILLING, headers=FORMS[form])
    assert (again.status_code, get_targets(again)) == (offered.status_code, get_targets(offered))
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize("form", FORMS)
def test_an_attackers_link_opens_only_what_is_the_victims_own(
    alguna: Alguna, of_two: User, stranger: User, form: str
) -> None:
    """A link that names the attacker's company is refused, and the victim's next click is none the wiser."""
    trap = Customer.objects.create(alias="trap-3", name="Trap")
    Membership.objects.create(user=stranger, customer=trap)
    client = sign_in(of_two)
    offered = client.get(BILLING, headers=FORMS[form])
    for method in (client.get, client.post):
        assert method(BILLING, {"customer": trap.pk}, headers=FORMS[form]).status_code == 403
    assert alguna.requests == []
    again = client.get(BILLING, headers=FORMS[form])
    assert (again.status_code, get_targets(again)) == (offered.status_code, get_targets(offered))


@pytest.mark.parametrize("reuse", ["browser", "user"])
def test_a_planted_login_session_brings_nothing_of_the_attackers_along(
    alguna: Alguna, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
    """A colleague who plants their own cookie is not in the portal session of who signs in over it."""
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
    # Signed out along with it.
    assert attackers.get(BILLING)["Location"] == "/login/?next=/billing/"
    assert len(alguna.requests) == 2


def test_a_key_from_before_signing_in_is_of_no_use_afterwards(
    alguna: Alguna, manager: User, settings: Settings
) -> None:
    """Django gives the login session another one, and with it goes the place of the portal session."""
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


def test_a_session_is_not_taken_from_the_address(alguna: Alguna, manager: User) -> None:
    """A login session's key in the query or the form signs nobody in."""
    key = sign_in(manager).cookies["sessionid"].value
    for name in ("sessionid", "session", "session_key", "sid", "browser"):
        assert Client().get(BILLING, {name: key})["Location"].startswith("/login/")
        assert Client().post(BILLING, {name: key})["Location"].startswith("/login/")
    assert alguna.requests == []


@pytest.mark.parametrize("form", FORMS)
def test_a_middleware_that_wants_everybody_signed_in_changes_no_answer(
    alguna: Alguna, manager: User, settings: Settings, form: str
) -> None:
    """Django's LoginRequiredMiddleware: scripts get 401 as ever, and no redirect that they would follow."""
    without = Client().get(BILLING, headers=FORMS[form])
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    response = Client().get(BILLING, headers=FORMS[form])
    assert response.status_code == without.status_code == (302 if form == "page" else 401)
    assert response.headers == without.headers
    assert response.content == without.content
    assert sign_in(manager).get(BILLING, headers=FORMS[form]).status_code == (302 if form == "page" else 200)
