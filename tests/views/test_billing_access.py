"""Access to the billing view: attacks on organization ids, sessions, addresses, resolvers and policies."""

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
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in


def assert_denied(alguna: FakeApi, response: Any) -> None:
    """Check that access is denied without a call to Alguna."""
    assert response.status_code == 403
    assert "Location" not in response
    assert alguna.requests == []


def get_opened(alguna: FakeApi) -> list[str]:
    """Return the aliases of the customers for which sessions were created."""
    return [body["customer_alias"] for body in alguna.bodies]


def is_manager_session(body: dict[str, Any]) -> bool:
    """Return whether a session was created with the permissions of a manager."""
    return body.get("plan_overview_settings", {}).get("allow_subscription_cancel") is not False


# Resolvers, policies and middleware of hosts, some of them careless


def resolve_from_session(request: HttpRequest) -> Customer | None:
    """Resolve to the organization in the login session, which the user may have left."""
    return Customer.objects.filter(pk=request.session.get("organization", 0)).first()


def resolve_from_query(request: HttpRequest) -> Customer | None:
    """Resolve to the organization in the query."""
    return Customer.objects.filter(alias=request.GET.get("org", "")).first()


def resolve_two_unsaved(request: HttpRequest) -> list[Customer]:
    """Resolve to two unsaved customers."""
    return [Customer(alias="org-7", name="Seven"), Customer(alias="org-8", name="Eight")]


def resolve_for_everyone(request: HttpRequest) -> Access:
    """Resolve without checking the user."""
    return Access(customer=Customer(alias="org-7"))


def impersonation_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Mark the user as django-hijack's middleware does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.user.is_hijacked = True  # type: ignore[union-attr]
        return get_response(request)

    return middleware


def inactive_user_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Set the user of the login session without checking `is_active`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.user = User.objects.get(pk=request.session["_auth_user_id"])
        return get_response(request)

    return middleware


def allow_impersonated_viewers(*, user: Any, role: str, **_: Any) -> bool:
    """Allow impersonated users only as viewers."""
    return role == "viewer" or not getattr(user, "is_hijacked", False)


def raising_policy(**_: Any) -> bool:
    """Raise an exception."""
    raise RuntimeError("The host's permission service is down.")


# Ids of other organizations in the request

IDS_OF_OTHERS = [
    "{pk}", "0{pk}", " {pk}", "{pk}.0", "{alias}", "{hash}", "1 OR 1=1", "' OR ''='",
    "1;DROP TABLE alguna_portal_customer", "9" * 5000, "-1", "0", "None", "*", "%", "\x00", "٣", "../{pk}",
    "\\", "_", "%%", "____", "a%", "a___-_", "%acme%", "acme-_", "?", "[a]cme-1", ".*", "acme.1", "'", "';--", "1\x00",
    "\x001", "a\x00b",
]  # fmt: skip


@pytest.mark.parametrize("value", IDS_OF_OTHERS, ids=range(len(IDS_OF_OTHERS)))
def test_ids_of_other_customers_are_denied(alguna: FakeApi, manager: User, umbrella: Customer, value: str) -> None:
    """In the query, in the form, and beside the user's own."""
    own = manager.alguna_memberships.get().customer
    unsaved = get_choice(Customer(alias=umbrella.alias))
    other = value.format(pk=umbrella.pk, alias=umbrella.alias, hash=unsaved)
    client = sign_in(manager)
    for headers in FORMS.values():
        assert_denied(alguna, client.get(BILLING, {"customer": other}, headers=headers))
        assert_denied(alguna, client.post(BILLING, {"customer": other}, headers=headers))
    assert_denied(alguna, client.post(f"{BILLING}?customer={own.pk}", {"customer": other}))
    assert_denied(alguna, client.get(f"{BILLING}?customer={own.pk}&{urlencode({'customer': other})}"))


def test_choices_of_other_unsaved_customers_are_denied(alguna: FakeApi, non_member: User, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_two_unsaved
    client = sign_in(non_member)
    for alias in ("org-9", "org-7 ", "ORG-7"):
        assert_denied(alguna, client.get(BILLING, {"customer": get_choice(Customer(alias=alias))}))
    assert_denied(alguna, client.get(BILLING, {"customer": "org-7"}))
    assert client.get(BILLING, {"customer": get_choice(Customer(alias="org-8"))}).status_code == 302
    assert get_opened(alguna) == ["org-8"]


def test_a_resolver_that_trusts_the_request_opens_only_own_customers(
    alguna: FakeApi, manager: User, umbrella: Customer, settings: Settings
) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_from_query
    client = sign_in(manager)
    assert_denied(alguna, client.get(BILLING, {"org": umbrella.alias}))
    assert_denied(alguna, client.get(BILLING, {"org": umbrella.alias, "customer": str(umbrella.pk)}))
    assert client.get(BILLING, {"org": "acme-1"}).status_code == 302


# Outdated login sessions


def test_a_former_organization_in_the_login_session_is_denied(
    alguna: FakeApi, manager: User, acme: Customer, settings: Settings
) -> None:
    """Although a portal session is cached."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_from_session
    client = sign_in(manager)
    session = client.session
    session["organization"] = acme.pk
    session.save()
    assert client.get(BILLING).status_code == 302
    Membership.objects.filter(user=manager).delete()
    alguna.requests.clear()
    assert_denied(alguna, client.get(BILLING))


@pytest.mark.parametrize("reuse", ["user", "browser", "customer", "never"])
def test_removed_members_do_not_get_the_cached_session(
    alguna: FakeApi, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
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
def test_viewers_do_not_get_a_managers_session(
    alguna: FakeApi, manager: User, settings: Settings, reuse: str, failing: bool
) -> None:
    """Not even their own from when they were managers, or during an outage."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    client = sign_in(manager)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    Membership.objects.filter(user=manager).update(role="viewer")
    if failing:
        alguna.fail(503)
        response = client.get(BILLING)
        assert (response.status_code, "Location" in response) == (503, False)
    assert client.get(BILLING)["Location"] not in ("", alguna.url(1))
    assert [is_manager_session(body) for body in alguna.bodies] == [True, *[False] * (len(alguna.bodies) - 1)]


def test_shared_sessions_are_not_shared_between_roles(
    alguna: FakeApi, manager: User, viewer: User, settings: Settings
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert sign_in(viewer).get(BILLING)["Location"] == alguna.url(2)
    assert [is_manager_session(body) for body in alguna.bodies] == [True, False]


# Matching by email address


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
def test_users_are_not_matched_by_the_billing_address(alguna: FakeApi, acme: Customer, address: str) -> None:
    Customer.objects.filter(pk=acme.pk).update(email="billing@acme.example", alias="billing@acme.example")
    user = User.objects.create_user(address, address)
    client = sign_in(user)
    assert_denied(alguna, client.get(BILLING))
    assert_denied(alguna, client.get(BILLING, {"customer": acme.pk}))
    assert_denied(alguna, client.get(BILLING, {"customer": address}))


@pytest.mark.parametrize("change", [str, str.upper, str.title, " {}".format])
def test_users_are_not_matched_by_a_members_address(
    alguna: FakeApi, manager: User, change: Callable[[str], str]
) -> None:
    assert sign_in(manager).get(BILLING).status_code == 302
    alguna.requests.clear()
    assert_denied(alguna, sign_in(User.objects.create_user("eve", change(manager.email))).get(BILLING))


@pytest.mark.parametrize("reuse", ["user", "browser", "customer"])
def test_a_new_user_with_a_deleted_users_address_has_no_access(
    alguna: FakeApi, manager: User, settings: Settings, reuse: str
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    assert sign_in(manager).get(BILLING).status_code == 302
    name, address = manager.get_username(), manager.email
    manager.delete()
    alguna.requests.clear()
    assert_denied(alguna, sign_in(User.objects.create_user(name, address)).get(BILLING))


# Anonymous and inactive users


@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_anonymous_users_are_denied_whatever_the_resolver_returns(
    alguna: FakeApi, settings: Settings, method: str
) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_for_everyone
    response = getattr(Client(), method)(BILLING)
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/billing/")
    assert alguna.requests == []


def test_users_deactivated_while_signed_in_are_denied(alguna: FakeApi, manager: User) -> None:
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    User.objects.filter(pk=manager.pk).update(is_active=False)
    assert client.get(BILLING)["Location"].startswith("/login/")
    assert len(alguna.requests) == 1


@pytest.mark.parametrize("resolver", ["alguna_portal.access.resolve_by_membership", resolve_for_everyone])
def test_inactive_users_are_denied_whatever_the_middleware_does(
    alguna: FakeApi, manager: User, settings: Settings, resolver: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.inactive_user_middleware"]
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    User.objects.filter(pk=manager.pk).update(is_active=False)
    alguna.requests.clear()
    assert_denied(alguna, client.get(BILLING))


# Impersonation


@pytest.mark.parametrize("resolver", ["alguna_portal.access.resolve_by_membership", resolve_for_everyone])
def test_impersonated_users_are_denied(alguna: FakeApi, manager: User, settings: Settings, resolver: Any) -> None:
    """They don't get a cached session, either."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    client = sign_in(manager)
    assert client.get(BILLING).status_code == 302
    alguna.requests.clear()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.impersonation_middleware"]
    taken_over = sign_in(manager)
    assert_denied(alguna, taken_over.get(BILLING))
    assert_denied(alguna, taken_over.post(BILLING))


def test_a_policy_can_allow_impersonated_viewers(
    alguna: FakeApi, manager: User, viewer: User, settings: Settings
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.views.test_billing_access.impersonation_middleware"]
    settings.ALGUNA_PORTAL_ACCESS_POLICY = "tests.views.test_billing_access.allow_impersonated_viewers"
    assert_denied(alguna, sign_in(manager).get(BILLING))
    assert sign_in(viewer).get(BILLING).status_code == 302
    assert [is_manager_session(body) for body in alguna.bodies] == [False]


# Policies that don't return True


def test_a_policy_that_raises_denies_access(alguna: FakeApi, manager: User, settings: Settings) -> None:
    """With a server error, although a session is cached."""
    client = sign_in(manager)
    client.raise_request_exception = False
    assert client.get(BILLING).status_code == 302
    alguna.requests.clear()
    settings.ALGUNA_PORTAL_ACCESS_POLICY = raising_policy
    response = client.get(BILLING)
    assert (response.status_code, "Location" in response) == (500, False)
    assert alguna.requests == []


@pytest.mark.parametrize("result", [1, 1.0, "yes", "False", [False], object(), User(), AnonymousUser(), None, 0, ""])
def test_a_policy_must_return_true(alguna: FakeApi, manager: User, settings: Settings, result: object) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **_: result
    assert_denied(alguna, sign_in(manager).get(BILLING))


def test_a_policy_cannot_grant_access(alguna: FakeApi, non_member: User, acme: Customer, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **_: True
    assert_denied(alguna, sign_in(non_member).get(BILLING))
    assert_denied(alguna, sign_in(non_member).get(BILLING, {"customer": acme.pk}))


# Cached sessions of other users


def test_colleagues_do_not_share_sessions_by_default(alguna: FakeApi, manager: User, acme: Customer) -> None:
    colleague = User.objects.create_user("cat", manager.email)
    Membership.objects.create(user=colleague, customer=acme, role="manager")
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert sign_in(colleague).get(BILLING)["Location"] == alguna.url(2)
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert len(alguna.requests) == 2


@pytest.mark.parametrize("reuse", ["user", "browser"])
def test_the_next_user_of_a_browser_gets_another_session(
    alguna: FakeApi, manager: User, acme: Customer, settings: Settings, reuse: str
) -> None:
    """Also in the same company and role, and without signing out."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    colleague = User.objects.create_user("cat")
    Membership.objects.create(user=colleague, customer=acme, role="manager")
    client = sign_in(manager)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    client.force_login(colleague)
    assert client.get(BILLING)["Location"] == alguna.url(2)


@pytest.mark.parametrize("reuse", ["user", "browser", "customer"])
def test_sessions_are_not_shared_between_customers(
    alguna: FakeApi, manager: User, acme: Customer, umbrella: Customer, settings: Settings, reuse: str
) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    Customer.objects.update(plan="starter")
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    assert client.get(BILLING, {"customer": acme.pk})["Location"] == alguna.url(1)
    assert client.get(BILLING, {"customer": umbrella.pk})["Location"] == alguna.url(2)
    assert get_opened(alguna) == ["acme-1", "umbrella-2"]
