"""Access control: memberships, resolvers and policies."""

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


def create_request(user: Any) -> HttpRequest:
    request = RequestFactory().get("/billing/")
    request.user = user
    return request


def get_portals(user: Any) -> list[tuple[str, str]]:
    """Return alias and role of the portals that a new request of the user may open."""
    return [(each.customer.alias, each.role) for each in get_accesses(create_request(user))]


def resolve_unsaved(request: HttpRequest) -> Customer:
    """A host with its own organizations."""
    return Customer(alias="org-7", plan="starter")


def resolve_acme(request: HttpRequest) -> Customer:
    """A host with a subdomain for each company."""
    return Customer.objects.get(alias="acme-1")


def resolve_access(request: HttpRequest) -> Access:
    return Access(customer=Customer(alias="org-7"), role="viewer")


def resolve_list(request: HttpRequest) -> list[Access]:
    return [Access(customer=Customer(alias=alias), role="viewer") for alias in ("org-7", "org-8")]


def resolve_customers(request: HttpRequest) -> tuple[Customer, ...]:
    return Customer(alias="org-7"), Customer(alias="org-8")


def resolve_all(request: HttpRequest) -> QuerySet[Customer]:
    return Customer.objects.all()


def resolve_nothing(request: HttpRequest) -> None:
    pass


def deny_all(**_: Any) -> bool:
    return False


def allow_managers(*, role: str, **_: Any) -> bool:
    return role == "manager"


async def async_policy(**_: Any) -> bool:
    """Returns a coroutine, which is true."""
    return False


def test_members_open_the_portals_of_their_companies_in_their_roles(
    manager: User, viewer: User, non_member: User, umbrella: Customer
) -> None:
    Membership.objects.create(user=manager, customer=umbrella, role="viewer")
    assert get_portals(manager) == [("acme-1", "manager"), ("umbrella-2", "viewer")]
    assert get_portals(viewer) == [("acme-1", "viewer")]
    assert get_portals(non_member) == []


def test_portals_are_sorted_by_name_and_alias(non_member: User) -> None:
    for alias, name in (("c", "Umbrella"), ("b", "Acme"), ("a", "Acme")):
        Membership.objects.create(user=non_member, customer=Customer.objects.create(alias=alias, name=name))
    assert [alias for alias, _ in get_portals(non_member)] == ["a", "b", "c"]
    Membership.objects.filter(customer__alias="a").delete()
    assert [alias for alias, _ in get_portals(non_member)] == ["b", "c"]


def test_a_changed_membership_counts_from_the_next_request(manager: User) -> None:
    Membership.objects.filter(user=manager).update(role="viewer")
    assert get_portals(manager) == [("acme-1", "viewer")]
    Membership.objects.filter(user=manager).delete()
    assert get_portals(manager) == []


def test_users_are_not_matched_by_email_address(acme: Customer, non_member: User) -> None:
    acme.email = non_member.email
    acme.save()
    assert get_portals(non_member) == []


def test_an_inactive_user_opens_nothing(manager: User) -> None:
    manager.is_active = False
    assert get_portals(manager) == []


def test_an_anonymous_user_opens_nothing_and_makes_no_query(settings: Settings) -> None:
    assert get_portals(AnonymousUser()) == []
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_unsaved
    assert get_portals(AnonymousUser()) == []
    assert get_portals(None) == []
    assert get_accesses(RequestFactory().get("/")) == []


def test_an_impersonated_user_opens_nothing(manager: User) -> None:
    manager.is_hijacked = True  # type: ignore[attr-defined]
    assert get_portals(manager) == []


def test_one_query_for_each_request(manager: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    request = create_request(manager)
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
def test_resolvers_of_hosts_with_their_own_organizations(
    settings: Settings, non_member: User, resolver: Any, expected: list[tuple[str, str]]
) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolver
    assert get_portals(non_member) == expected


def test_a_saved_customer_is_opened_by_its_members_only(
    settings: Settings, manager: User, viewer: User, non_member: User, umbrella: Customer
) -> None:
    """Even if the resolver returns it for every user."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = "tests.test_access.resolve_acme"
    Membership.objects.create(user=manager, customer=umbrella)
    assert get_portals(manager) == [("acme-1", "manager")]
    assert get_portals(viewer) == [("acme-1", "viewer")]
    assert get_portals(non_member) == []
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_all
    assert get_portals(viewer) == [("acme-1", "viewer")]
    assert get_portals(non_member) == []


@pytest.mark.parametrize(("result", "named"), [("org-7", "a str"), (["org-7"], "a list with a str"), (7, "a int")])
def test_an_invalid_result_of_a_resolver_is_an_error(
    settings: Settings, non_member: User, result: object, named: str
) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = lambda request: result
    with pytest.raises(TypeError, match=f"returned {named}; return an Access, a Customer, a list of them, or None"):
        get_portals(non_member)


def test_an_unknown_role_is_an_error() -> None:
    with pytest.raises(ValueError, match="owner"):
        Access(customer=Customer(alias="org-7"), role="owner")


def test_a_role_is_a_plain_string() -> None:
    assert [type(Access(customer=Customer(alias="org-7"), role=role).role) for role in ("viewer", Role.VIEWER)] == [
        str,
        str,
    ]


@pytest.mark.parametrize(("policy", "manages", "views"), [(deny_all, 0, 0), (allow_managers, 1, 0)])
def test_a_policy_can_deny_access(
    settings: Settings, manager: User, viewer: User, policy: Any, manages: int, views: int
) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = policy
    assert (len(get_portals(manager)), len(get_portals(viewer))) == (manages, views)


def test_arguments_of_a_policy(settings: Settings, viewer: User, acme: Customer) -> None:
    calls: list[dict[str, Any]] = []
    settings.ALGUNA_PORTAL_ACCESS_POLICY = lambda **about: calls.append(about)
    request = create_request(viewer)
    assert get_accesses(request) == []
    assert calls == [{"request": request, "user": viewer, "customer": acme, "role": "viewer"}]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_policy_must_return_true(settings: Settings, manager: User) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = async_policy
    assert get_portals(manager) == []


def test_access_is_decided_again_if_the_user_of_a_request_changes(manager: User, non_member: User) -> None:
    request = create_request(manager)
    assert len(get_accesses(request)) == 1
    request.user = non_member
    assert get_accesses(request) == []


def test_customers_without_rows_have_different_choices(settings: Settings, non_member: User) -> None:
    """They don't contain the alias."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_list
    request = create_request(non_member)
    for each in get_accesses(request):
        assert get_access(request, each.choice) is each
        assert each.customer.alias not in each.choice
    assert get_access(request, get_choice(Customer(alias="not-mine"))) is None
    assert get_access(request, "None") is None


def test_a_choice_is_stable(settings: Settings) -> None:
    """Users have bookmarks."""
    key = sha256(f"alguna_portal.access{settings.SECRET_KEY}".encode()).digest()
    assert get_choice(Customer(alias="org-7")) == hmac.new(key, b"org-7", sha256).hexdigest()[:32]


def test_denied_access(settings: Settings, non_member: User) -> None:
    """By choice, or the only one."""
    settings.ALGUNA_PORTAL_ACCESS_POLICY = deny_all
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_list
    request = create_request(non_member)
    assert get_denied_access(request, None) is None
    assert get_accesses(request) == []
    assert get_denied_access(request, None) is None
    for alias in ("org-7", "org-8"):
        denied = get_denied_access(request, get_choice(Customer(alias=alias)))
        assert denied is not None
        assert denied.customer.alias == alias
    assert get_denied_access(request, get_choice(Customer(alias="org-9"))) is None
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_access
    request = create_request(non_member)
    get_accesses(request)
    denied = get_denied_access(request, "")
    assert denied is not None
    assert (denied.customer.alias, denied.role) == ("org-7", "viewer")


def test_another_customers_choice_opens_nothing(manager: User, acme: Customer, umbrella: Customer) -> None:
    request = create_request(manager)
    found = get_access(request, str(acme.pk))
    assert found is not None
    assert found.customer == acme
    for other in (str(umbrella.pk), "0", "", "1 OR 1=1", "None"):
        assert get_access(request, other) is None


def test_memberships_are_queried_once_for_many_customers(
    settings: Settings, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    found = [Customer.objects.create(alias=f"more-{number}") for number in range(5)]
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = lambda request: [*found, *Customer.objects.filter(alias="acme-1")]
    request = create_request(manager)
    with django_assert_num_queries(2):
        assert [each.customer.alias for each in get_accesses(request)] == ["acme-1"]


def test_denied_access_is_that_of_the_current_user(settings: Settings, manager: User, non_member: User) -> None:
    settings.ALGUNA_PORTAL_ACCESS_POLICY = deny_all
    umbrella = Customer.objects.create(alias="umbrella-2")
    Membership.objects.create(user=non_member, customer=umbrella)
    request = create_request(manager)
    for user, alias in ((manager, "acme-1"), (non_member, "umbrella-2"), (manager, "acme-1")):
        request.user = user
        denied = get_denied_access(request, None)
        assert denied is not None
        assert denied.customer.alias == alias
