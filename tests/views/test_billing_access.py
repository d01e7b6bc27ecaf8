"""Holes that peers shipped, each tried at the real view: a portal that must not open, a session not to be shared."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from alguna_portal.access import Access, get_choice
from alguna_portal.models import Customer, Membership
from tests.conftest import Alguna
from tests.support.clients import BILLING, sign_in


def assert_refused(alguna: Alguna, response: Any) -> None:
    """Check that nothing was opened, and that Alguna was not even asked."""
    assert response.status_code == 403
    assert "Location" not in response
    assert alguna.requests == []


def opened(alguna: Alguna) -> list[str]:
    """List the aliases of the customers for whom sessions were made."""
    return [body["customer_alias"] for body in alguna.bodies]


def may_change(body: dict[str, Any]) -> bool:
    """Say whether a session was asked for without turning everything off, as it is for a viewer."""
    return body.get("plan_overview_settings", {}).get("allow_subscription_cancel") is not False


# Hooks of hosts, some of them careless


def from_session(request: HttpRequest) -> Customer | None:
    """Resolve to the organization that the user chose last, which they may have left since."""
    return Customer.objects.filter(pk=request.session.get("organization", 0)).first()


def from_query(request: HttpRequest) -> Customer | None:
    """Resolve to whatever the request asks for."""
    return Customer.objects.filter(alias=request.GET.get("org", "")).first()


def everybody(request: HttpRequest) -> list[Customer]:
    """Resolve to all customers there are."""
    return list(Customer.objects.all())


def two_of_ours(request: HttpRequest) -> list[Customer]:
    """Resolve to organizations that have no rows."""
    return [Customer(alias="org-7", name="Seven"), Customer(alias="org-8", name="Eight")]


def whoever_asks(request: HttpRequest) -> Access:
    """Resolve without looking at who asks."""
    return Access(customer=Customer(alias="org-7"))


def impersonated(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Mark the user as django-hijack's middleware does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.user.is_hijacked = True  # type: ignore[union-attr]
        return get_response(request)

    return middleware


def let_inactive_in(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Put the user of the login session on the request without asking whether they are active."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.user = User.objects.get(pk=request.session["_auth_user_id"])
        return get_response(request)

    return middleware


def staff_may_look(*, user: Any, role: str, **_: Any) -> bool:
    """Let impersonating staff in where they can change nothing."""
    return role == "viewer" or not getattr(user, "is_hijacked", False)


def stumbling(**_: Any) -> bool:
    """Fail before there is an answer."""
    raise RuntimeError("The host's permission service is down.")


# Another organization's id in the request

IDS_OF_OTHERS = [
    "{pk}", "0{pk}", " {pk}", "{pk}.0", "{alias}", "{hash}", "1 OR 1=1", "' OR ''='",
    "1;DROP TABLE alguna_portal_customer", "9" * 5000, "-1", "0", "None", "*", "%", "\x00", "٣", "../{pk}",
]  # fmt: skip


@pytest.mark.parametrize("written", IDS_OF_OTHERS, ids=range(len(IDS_OF_OTHERS)))
def test_another_organizations_id_in_the_request_opens_nothing(
    alguna: Alguna, manager: User, umbrella: Customer, written: str
) -> None:
    """Not in the query, not in the form, not in both with one's own beside it, and however it is written."""
    mine = manager.alguna_memberships.get().customer
    unsaved = get_choice(Customer(alias=umbrella.alias))
    other = written.format(pk=umbrella.pk, alias=umbrella.alias, hash=unsaved)
    client = sign_in(manager)
    assert_refused(alguna, client.get(BILLING, {"customer": other}))
    assert_refused(alguna, client.post(BILLING, {"customer": other}))
    assert_refused(alguna, client.post(f"{BILLING}?customer={mine.pk}", {"customer": other}))
    assert_refused(alguna, client.get(f"{BILLING}?customer={mine.pk}&{urlencode({'customer': other})}"))


@pytest.mark.parametrize("name", ["customer_id", "customer_alias", "alias", "organization", "org", "id", "user"])
def test_no_other_parameter_names_an_organization(alguna: Alguna, manager: User, umbrella: Customer, name: str) -> None:
    """Whatever else a request says, the portal is that of the user's own membership."""
    client = sign_in(manager)
    for value in (str(umbrella.pk), umbrella.alias):
        client.get(BILLING, {name: value, "fresh": "1"})
        client.post(BILLING, {name: value, "fresh": "1"})
    assert opened(alguna) == ["acme-1"] * 4


def test_the_hash_of_anothers_alias_opens_nothing(alguna: Alguna, stranger: User, settings: Settings) -> None:
    """Of customers without rows, only those that the resolver gave to this very request can be chosen."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = two_of_ours
    client = sign_in(stranger)
    for alias in ("org-9", "org-7 ", "ORG-7"):
        assert_refused(alguna, client.get(BILLING, {"customer": get_choice(Customer(alias=alias))}))
    assert_refused(alguna, client.get(BILLING, {"customer": "org-7"}))
    assert client.get(BILLING, {"customer": get_choice(Customer(alias="org-8"))}).status_code == 302
    assert opened(alguna) == ["org-8"]


def test_a_resolver_that_believes_the_request_opens_no_strangers_customer(
    alguna: Alguna, manager: User, umbrella: Customer, settings: Settings
) -> None:
    """What it finds is opened by members only, so naming another company in the URL does not help."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = from_query
    client = sign_in(manager)
    assert_refused(alguna, client.get(BILLING, {"org": umbrella.alias}))
    assert_refused(alguna, client.get(BILLING, {"org": umbrella.alias, "customer": str(umbrella.pk)}))
    assert client.get(BILLING, {"org": "acme-1"}).status_code == 302


# A stale login session


def test_an_organization_left_behind_in_the_login_session_opens_nothing(
    alguna: Alguna, manager: User, acme: Customer, settings: Settings
) -> None:
    """The membership is gone, the session still names the company, and a portal session is cached: still no."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = from_session
    client = sign_in(manager)
    session = client.session
    session["organization"] = acme.pk
    session.save()
    assert client.get(BILLING).status_code == 302
    Membership.objects.filter(user=manager).delete()
    alguna.requests.clear()
    assert_refused(alguna, client.get(BILLING))


@pytest.mark.parametrize("reuse", ["user", "browser", "customer", "never"])
def test_a_member_who_was_removed_is_not_given_the_cached_session(
    alguna: Alguna, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
    """Access is decided at each click, before anything cached is looked at; and one who returns is let in."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    Membership.objects.filter(user=manager).delete()
    for response in (client.get(BILLING), client.post(BILLING), client.get(BILLING, {"customer": acme.pk})):
        assert (response.status_code, "Location" in response) == (403, False)
    assert len(alguna.requests) == 1
    Membership.objects.create(user=manager, customer=acme)
    assert client.get(BILLING).status_code == 302


@pytest.mark.parametrize("reuse", ["user", "browser", "customer", "never"])
@pytest.mark.parametrize("failing", [False, True])
def test_a_viewer_is_never_given_a_managers_session(
    alguna: Alguna, manager: User, settings: Settings, reuse: str, failing: bool
) -> None:
    """Not the one cached for themselves before they were downgraded, and not even while Alguna is down."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    client = sign_in(manager)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    Membership.objects.filter(user=manager).update(role="viewer")
    if failing:
        alguna.fail(503)
        response = client.get(BILLING)
        assert (response.status_code, "Location" in response) == (503, False)
    assert client.get(BILLING)["Location"] not in ("", alguna.url(1))
    assert [may_change(body) for body in alguna.bodies] == [True, *[False] * (len(alguna.bodies) - 1)]


def test_a_session_shared_in_the_company_is_not_shared_between_roles(
    alguna: Alguna, manager: User, viewer: User, settings: Settings
) -> None:
    """Where colleagues share, viewers share with viewers."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert sign_in(viewer).get(BILLING)["Location"] == alguna.url(2)
    assert [may_change(body) for body in alguna.bodies] == [True, False]


# A user matched by e-mail


@pytest.mark.parametrize(
    "address",
    [
        "billing@acme.example",
        "Billing@ACME.example",
        "billing@acme.example ",
        "b\u0131lling@acme.example",  # a dotless i, which upper() makes an I
        "b\u0456lling@acme.example",  # a Cyrillic i
        "\uff42illing@acme.example",  # a full-width b, which NFKC makes a b
    ],
)
def test_a_user_with_the_billing_address_is_not_the_customer(alguna: Alguna, acme: Customer, address: str) -> None:
    """Nobody is matched by e-mail address, the same one or one that looks or folds like it."""
    Customer.objects.filter(pk=acme.pk).update(email="billing@acme.example", alias="billing@acme.example")
    user = User.objects.create_user(address, address)
    client = sign_in(user)
    assert_refused(alguna, client.get(BILLING))
    assert_refused(alguna, client.get(BILLING, {"customer": acme.pk}))
    assert_refused(alguna, client.get(BILLING, {"customer": address}))


@pytest.mark.parametrize("change", [str, str.upper, str.title, " {}".format])
def test_a_user_with_a_members_address_is_not_the_member(
    alguna: Alguna, manager: User, change: Callable[[str], str]
) -> None:
    """Two accounts with one address are two users, and the member's cached session is not for the other."""
    assert sign_in(manager).get(BILLING).status_code == 302
    alguna.requests.clear()
    assert_refused(alguna, sign_in(User.objects.create_user("eve", change(manager.email))).get(BILLING))


@pytest.mark.parametrize("reuse", ["user", "browser", "customer"])
def test_who_registers_a_deleted_users_address_inherits_nothing(
    alguna: Alguna, manager: User, settings: Settings, reuse: str
) -> None:
    """Neither the membership nor the cached session, though name and address are the same."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    assert sign_in(manager).get(BILLING).status_code == 302
    name, address = manager.get_username(), manager.email
    manager.delete()
    alguna.requests.clear()
    assert_refused(alguna, sign_in(User.objects.create_user(name, address)).get(BILLING))


# A resolver that names someone else's customer


def test_a_saved_customer_of_others_is_refused(
    alguna: Alguna, stranger: User, viewer: User, acme: Customer, settings: Settings
) -> None:
    """A resolver may name a company; it takes a membership to get in, and in the membership's role."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = lambda request: acme
    assert_refused(alguna, sign_in(stranger).get(BILLING))
    assert sign_in(viewer).get(BILLING).status_code == 302
    assert [may_change(body) for body in alguna.bodies] == [False]


def test_of_a_list_only_ones_own_customers_are_left(
    alguna: Alguna, manager: User, umbrella: Customer, settings: Settings
) -> None:
    """A resolver that lists everybody offers no chooser with other companies in it."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = everybody
    client = sign_in(manager)
    assert_refused(alguna, client.get(BILLING, {"customer": umbrella.pk}))
    assert client.get(BILLING).status_code == 302
    assert opened(alguna) == ["acme-1"]


# Nobody, and nobody any more


@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_a_visitor_opens_nothing_whatever_the_resolver_says(alguna: Alguna, settings: Settings, method: str) -> None:
    """Who is not signed in is sent to sign in, and the resolver is not asked."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = whoever_asks
    response = getattr(Client(), method)(BILLING)
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/billing/")
    assert alguna.requests == []


def test_a_user_deactivated_while_signed_in_opens_nothing(alguna: Alguna, manager: User) -> None:
    """The login session lives on, and Django's own backend no longer answers for it."""
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    User.objects.filter(pk=manager.pk).update(is_active=False)
    assert client.get(BILLING)["Location"].startswith("/login/")
    assert len(alguna.requests) == 1


@pytest.mark.parametrize("resolver", ["alguna_portal.access.resolve_by_membership", whoever_asks])
def test_an_inactive_user_opens_nothing_whatever_let_them_in(
    alguna: Alguna, manager: User, settings: Settings, resolver: Any
) -> None:
    """Some backends and middlewares let inactive users in; we do not, nor do we show them what is cached."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.let_inactive_in"]
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    User.objects.filter(pk=manager.pk).update(is_active=False)
    alguna.requests.clear()
    assert_refused(alguna, client.get(BILLING))


# Staff in a user's place


@pytest.mark.parametrize("resolver", ["alguna_portal.access.resolve_by_membership", whoever_asks])
def test_an_impersonated_user_opens_nothing(alguna: Alguna, manager: User, settings: Settings, resolver: Any) -> None:
    """Staff who took over a login do not get to its payment methods, nor to the session that its owner left behind."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    alguna.requests.clear()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.impersonated"]
    taken_over = sign_in(manager)
    assert_refused(alguna, taken_over.get(BILLING))
    assert_refused(alguna, taken_over.post(BILLING))


def test_a_policy_may_let_impersonating_staff_look(
    alguna: Alguna, manager: User, viewer: User, settings: Settings
) -> None:
    """The host decides, and what it does not allow stays refused."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.impersonated"]
    settings.ALGUNA_PORTAL_ACCESS_POLICY = "tests.views.test_billing_access.staff_may_look"
    assert_refused(alguna, sign_in(manager).get(BILLING))
    assert sign_in(viewer).get(BILLING).status_code == 302
    assert [may_change(body) for body in alguna.bodies] == [False]


# A policy that does not say yes


def test_a_policy_that_raises_opens_nothing(alguna: Alguna, manager: User, settings: Settings) -> None:
    """The click is a server error, which the host hears of as of any other; also where a session is cached."""
    client = sign_in(manager)
    client.raise_request_exception = False
    assert client.get(BILLING).status_code == 302
    alguna.requests.clear()
    settings.ALGUNA_PORTAL_ACCESS_POLICY = stumbling
    response = client.get(BILLING)
    assert (response.status_code, "Location" in response) == (500, False)
    assert alguna.requests == []


@pytest.mark.parametrize("answer", [1, 1.0, "yes", "False", [False], object(), User(), AnonymousUser(), None, 0, ""])
def test_a_policy_that_answers_anything_but_true_opens_nothing(
    alguna: Alguna, manager: User, settings: Settings, answer: object
) -> None:
    """A role's name, a user, a 1: none of them is yes."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **_: answer
    assert_refused(alguna, sign_in(manager).get(BILLING))


def test_a_policy_cannot_let_in_whom_the_resolver_left_out(
    alguna: Alguna, stranger: User, acme: Customer, settings: Settings
) -> None:
    """It can only refuse."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **_: True
    assert_refused(alguna, sign_in(stranger).get(BILLING))
    assert_refused(alguna, sign_in(stranger).get(BILLING, {"customer": acme.pk}))


# A cached session in the wrong hands


def test_a_colleague_is_not_given_another_users_session(alguna: Alguna, manager: User, acme: Customer) -> None:
    """By default a session goes back only to the user it was made for, in whichever browser; not by address."""
    colleague = User.objects.create_user("cat", manager.email)
    Membership.objects.create(user=colleague, customer=acme, role="manager")
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert sign_in(colleague).get(BILLING)["Location"] == alguna.url(2)
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert len(alguna.requests) == 2


@pytest.mark.parametrize("reuse", ["user", "browser"])
def test_who_signs_in_next_at_the_same_browser_is_not_given_the_last_users_session(
    alguna: Alguna, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
    """Also where they are of the same company and role, and the one before did not sign out."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    colleague = User.objects.create_user("cat")
    Membership.objects.create(user=colleague, customer=acme, role="manager")
    client = sign_in(manager)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    client.force_login(colleague)
    assert client.get(BILLING)["Location"] == alguna.url(2)


@pytest.mark.parametrize("reuse", ["user", "browser", "customer"])
def test_a_session_of_one_company_is_not_given_out_for_another(
    alguna: Alguna, manager: User, acme: Customer, umbrella: Customer, settings: Settings, reuse: str
) -> None:
    """One user, two companies with the same plan: two sessions."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    Customer.objects.update(plan="starter")
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    assert client.get(BILLING, {"customer": acme.pk})["Location"] == alguna.url(1)
    assert client.get(BILLING, {"customer": umbrella.pk})["Location"] == alguna.url(2)
    assert opened(alguna) == ["acme-1", "umbrella-2"]
