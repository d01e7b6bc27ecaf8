"""Access: who may open whose portal, in which role; decided afresh, and closed where nobody decided."""

import hmac
from hashlib import sha256
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from alguna_portal.access import Access, get_access, get_accesses, get_choice, get_denied_access
from alguna_portal.models import Customer, Membership
from alguna_portal.roles import Role


def a_request(user: Any) -> HttpRequest:
    """Make a request of a user."""
    request = RequestFactory().get("/billing/")
    request.user = user
    return request


def opened(user: Any) -> list[tuple[str, str]]:
    """List what a new request of the user may open: alias and role."""
    return [(each.customer.alias, each.role) for each in get_accesses(a_request(user))]


def resolve_unsaved(request: HttpRequest) -> Customer:
    """Resolve as a host that keeps its own organizations."""
    return Customer(alias="org-7", plan="starter")


def resolve_acme(request: HttpRequest) -> Customer:
    """Resolve as a host with a subdomain per company, whoever asks."""
    return Customer.objects.get(alias="acme-1")


def resolve_access(request: HttpRequest) -> Access:
    """Resolve customer and role."""
    return Access(customer=Customer(alias="org-7"), role="viewer")


def resolve_list(request: HttpRequest) -> list[Access]:
    """Resolve several."""
    return [Access(customer=Customer(alias=alias), role="viewer") for alias in ("org-7", "org-8")]


def resolve_customers(request: HttpRequest) -> tuple[Customer, ...]:
    """Resolve several, roles left to us."""
    return Customer(alias="org-7"), Customer(alias="org-8")


def resolve_everybody(request: HttpRequest) -> QuerySet[Customer]:
    """Resolve all there are, whoever asks."""
    return Customer.objects.all()


def resolve_nothing(request: HttpRequest) -> None:
    """Resolve nothing."""


def nobody(**_: Any) -> bool:
    """Refuse everyone."""
    return False


def managers_only(*, role: str, **_: Any) -> bool:
    """Refuse viewers."""
    return role == "manager"


async def forgot_to_be_sync(**_: Any) -> bool:
    """Answer with a coroutine, which is true."""
    return False


def test_members_open_the_portals_of_their_companies_in_their_roles(
    manager: User, viewer: User, stranger: User, umbrella: Customer
) -> None:
    """Memberships decide, and a stranger has none."""
    Membership.objects.create(user=manager, customer=umbrella, role="viewer")
    assert opened(manager) == [("acme-1", "manager"), ("umbrella-2", "viewer")]
    assert opened(viewer) == [("acme-1", "viewer")]
    assert opened(stranger) == []


def test_who_has_several_finds_them_by_name(stranger: User) -> None:
    """And, where two are called the same, by alias; whichever membership was there first."""
    for alias, name in (("c", "Umbrella"), ("b", "Acme"), ("a", "Acme")):
        Membership.objects.create(user=stranger, customer=Customer.objects.create(alias=alias, name=name))
    assert [alias for alias, _ in opened(stranger)] == ["a", "b", "c"]
    Membership.objects.filter(customer__alias="a").delete()
    assert [alias for alias, _ in opened(stranger)] == ["b", "c"]


def test_a_changed_membership_counts_from_the_next_request(manager: User) -> None:
    """Nothing about access is kept between requests."""
    Membership.objects.filter(user=manager).update(role="viewer")
    assert opened(manager) == [("acme-1", "viewer")]
    Membership.objects.filter(user=manager).delete()
    assert opened(manager) == []


def test_nobody_is_matched_by_address(acme: Customer, stranger: User) -> None:
    """The billing contact's address opens nothing: anyone could have registered it."""
    acme.email = stranger.email
    acme.save()
    assert opened(stranger) == []


def test_an_inactive_user_opens_nothing(manager: User) -> None:
    """Whatever the authentication backend let through."""
    manager.is_active = False
    assert opened(manager) == []


def test_an_anonymous_user_opens_nothing_and_is_not_even_asked_about(settings: Settings) -> None:
    """Not where the host's resolver would name a customer, and, as no database is at hand, without a query."""
    assert opened(AnonymousUser()) == []
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_unsaved
    assert opened(AnonymousUser()) == []
    assert opened(None) == []
    assert get_accesses(RequestFactory().get("/")) == []


def test_an_impersonated_user_opens_nothing(manager: User) -> None:
    """Staff who hijacked a login (django-hijack) do not get to its payment methods."""
    manager.is_hijacked = True  # type: ignore[attr-defined]
    assert opened(manager) == []


def test_one_request_asks_once(manager: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """A page with ten buttons costs one query."""
    request = a_request(manager)
    with django_assert_num_queries(1):
        for _ in range(3):
            assert len(get_accesses(request)) == 1


@pytest.mark.parametrize(
    ("resolver", "expected"),
    [
        (resolve_unsaved, [("org-7", "manager")]),
        (resolve_access, [("org-7", "viewer")]),
        (resolve_list, [("org-7", "viewer"), ("org-8", "viewer")]),
        (resolve_customers, [("org-7", "manager"), ("org-8", "manager")]),
        (resolve_nothing, []),
    ],
)
def test_a_host_can_say_whom_a_request_is_about(
    settings: Settings, stranger: User, resolver: Any, expected: list[tuple[str, str]]
) -> None:
    """A host with organizations of its own needs no rows of ours."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    assert opened(stranger) == expected


def test_a_saved_customer_is_opened_by_its_members_only(
    settings: Settings, manager: User, viewer: User, stranger: User, umbrella: Customer
) -> None:
    """A resolver that goes by subdomain names a company; it does not make everyone its manager."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = "tests.test_access.resolve_acme"
    Membership.objects.create(user=manager, customer=umbrella)
    assert opened(manager) == [("acme-1", "manager")]
    assert opened(viewer) == [("acme-1", "viewer")]
    assert opened(stranger) == []
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_everybody
    assert opened(viewer) == [("acme-1", "viewer")]
    assert opened(stranger) == []


@pytest.mark.parametrize(("answer", "named"), [("org-7", "a str"), (["org-7"], "a list with a str"), (7, "a int")])
def test_a_resolver_that_answers_nonsense_is_named(
    settings: Settings, stranger: User, answer: object, named: str
) -> None:
    """The error says what may be returned."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = lambda request: answer
    with pytest.raises(TypeError, match=f"returned {named}; return an Access, a Customer, a list of them, or None"):
        opened(stranger)


def test_a_role_that_does_not_exist_is_refused() -> None:
    """A resolver cannot invent one."""
    with pytest.raises(ValueError, match="owner"):
        Access(customer=Customer(alias="org-7"), role="owner")


def test_a_role_is_told_as_plain_text() -> None:
    """Whichever way the host writes it: it goes into logs and JSON."""
    assert [type(Access(customer=Customer(alias="org-7"), role=role).role) for role in ("viewer", Role.VIEWER)] == [
        str,
        str,
    ]


@pytest.mark.parametrize(("policy", "manages", "views"), [(nobody, 0, 0), (managers_only, 1, 0)])
def test_a_policy_may_refuse(
    settings: Settings, manager: User, viewer: User, policy: Any, manages: int, views: int
) -> None:
    """The host's policy has the last word."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = policy
    assert (len(opened(manager)), len(opened(viewer))) == (manages, views)


def test_a_policy_is_told_what_it_is_asked_about(settings: Settings, viewer: User, acme: Customer) -> None:
    """By keyword: the request, who asks, for which customer and in which role."""
    asked: list[dict[str, Any]] = []
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **about: asked.append(about)
    request = a_request(viewer)
    assert get_accesses(request) == []
    assert asked == [{"request": request, "user": viewer, "customer": acme, "role": "viewer"}]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_only_true_means_yes(settings: Settings, manager: User) -> None:
    """A coroutine, or anything else that happens to be true, has not said yes."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = forgot_to_be_sync
    assert opened(manager) == []


def test_a_request_that_changes_hands_is_decided_anew(manager: User, stranger: User) -> None:
    """A sign-in or an impersonation in mid-request does not inherit what the last user might open."""
    request = a_request(manager)
    assert len(get_accesses(request)) == 1
    request.user = stranger
    assert get_accesses(request) == []


def test_customers_without_rows_are_told_apart(settings: Settings, stranger: User) -> None:
    """Each has a choice of its own, which does not show the alias."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_list
    request = a_request(stranger)
    for each in get_accesses(request):
        assert get_access(request, each.choice) is each
        assert each.customer.alias not in each.choice
    assert get_access(request, get_choice(Customer(alias="not-mine"))) is None
    assert get_access(request, "None") is None


def test_a_choice_stays_as_it_is(settings: Settings) -> None:
    """People keep it as a bookmark: it is the alias under the site's secret, whatever the release."""
    key = sha256(f"alguna_portal.access{settings.SECRET_KEY}".encode()).digest()
    assert get_choice(Customer(alias="org-7")) == hmac.new(key, b"org-7", sha256).hexdigest()[:32]


def test_what_the_policy_kept_shut_is_told(settings: Settings, stranger: User) -> None:
    """The one that was asked for, or the only one there is; nobody guesses which of two was meant."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = nobody
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_list
    request = a_request(stranger)
    assert get_denied_access(request, None) is None
    assert get_accesses(request) == []
    assert get_denied_access(request, None) is None
    for alias in ("org-7", "org-8"):
        shut = get_denied_access(request, get_choice(Customer(alias=alias)))
        assert shut is not None
        assert shut.customer.alias == alias
    assert get_denied_access(request, get_choice(Customer(alias="org-9"))) is None
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_access
    request = a_request(stranger)
    get_accesses(request)
    shut = get_denied_access(request, "")
    assert shut is not None
    assert (shut.customer.alias, shut.role) == ("org-7", "viewer")


def test_a_customer_is_found_among_the_users_own_only(manager: User, acme: Customer, umbrella: Customer) -> None:
    """Another organization's id in the request leads nowhere."""
    request = a_request(manager)
    mine = get_access(request, str(acme.pk))
    assert mine is not None
    assert mine.customer == acme
    for other in (str(umbrella.pk), "0", "", "1 OR 1=1", "None"):
        assert get_access(request, other) is None


def test_a_resolver_that_names_many_customers_costs_one_query(
    settings: Settings, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The user's memberships are read once, and not for each."""
    found = [Customer.objects.create(alias=f"more-{number}") for number in range(5)]
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = lambda request: [*found, *Customer.objects.filter(alias="acme-1")]
    request = a_request(manager)
    with django_assert_num_queries(2):
        assert [each.customer.alias for each in get_accesses(request)] == ["acme-1"]


def test_what_was_kept_shut_is_told_of_whoever_is_asking(settings: Settings, manager: User, stranger: User) -> None:
    """A request that changes hands, and comes back, is about the first again."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = nobody
    umbrella = Customer.objects.create(alias="umbrella-2")
    Membership.objects.create(user=stranger, customer=umbrella)
    request = a_request(manager)
    for user, alias in ((manager, "acme-1"), (stranger, "umbrella-2"), (manager, "acme-1")):
        request.user = user
        shut = get_denied_access(request, None)
        assert shut is not None
        assert shut.customer.alias == alias
