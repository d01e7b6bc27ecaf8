"""Access control: which customers' portals a request may open, and in which role.

It's decided on every request, for the object that is then used. Nobody is ever matched by e-mail address.

A resolver (`ALGUNA_PORTAL_CUSTOMER_RESOLVER`) takes a request and returns one of these:

- `Access`: used as it is, because the host has decided on the role;
- a saved `Customer`: opened in the role of the user's own membership, and denied without one;
- an unsaved `Customer`, for hosts that keep their own organizations: opened in the role manager;
- a list of these: the user chooses;
- `None`: there is nothing to open.

A policy (`ALGUNA_PORTAL_ACCESS_POLICY`) takes the keyword arguments `request`, `user`, `customer` and `role`. It denies
access unless it returns `True`, and can't grant more than the resolver.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from .conf import conf
from .models import Customer, Membership
from .roles import Role

_CACHE_ATTRIBUTE = "_alguna_portal_accesses"


@dataclass(frozen=True, kw_only=True)
class Access:
    """The permission to open a customer's portal in a role."""

    customer: Customer
    role: str = Role.MANAGER.value

    def __post_init__(self) -> None:
        """Raise `ValueError` if the role doesn't exist."""
        object.__setattr__(self, "role", Role(self.role).value)

    @property
    def choice(self) -> str:
        """The customer's identifier in URLs."""
        return get_choice(self.customer)


def get_accesses(request: HttpRequest) -> list[Access]:
    """Return the portals that this request may open; none for anonymous and inactive users.

    The resolver and the policy are called once for each request and user.
    """
    return _get_decision(request)[0]


def get_access(request: HttpRequest, choice: str) -> Access | None:
    """Return the portal with this `choice`, if the request may open it."""
    return next((each for each in get_accesses(request) if each.choice == choice), None)


def get_denied_access(request: HttpRequest, choice: str | None) -> Access | None:
    """Return the portal that the policy has denied: the one with this `choice`, or else the only one."""
    _, denied = _get_decision(request)
    if choice:
        return next((each for each in denied if each.choice == choice), None)
    return denied[0] if len(denied) == 1 else None


def get_choice(customer: Customer) -> str:
    """Return a customer's identifier in URLs: the primary key, or a hash of the alias if there is no row.

    URLs are logged, and an alias may be an e-mail address.
    """
    if not customer._state.adding:
        return str(customer.pk)
    return salted_hmac("alguna_portal.access", str(customer.alias), algorithm="sha256").hexdigest()[:32]


def resolve_by_membership(request: HttpRequest) -> list[Access]:
    """Return the customers that the user is a member of. The built-in resolver."""
    memberships = Membership.objects.filter(user=request.user.pk).select_related("customer")
    found = [Access(customer=each.customer, role=each.role) for each in memberships]
    # Sorted in Python, because most users have one membership and `ORDER BY` takes half as long again.
    return sorted(found, key=lambda each: (each.customer.name, each.customer.alias)) if len(found) > 1 else found


def allow_every_member(*, request: HttpRequest, user: AbstractBaseUser, customer: Customer, role: str) -> bool:  # noqa: ARG001
    """Allow everything that the resolver returns, except to staff who impersonate a user (django-hijack)."""
    return not getattr(user, "is_hijacked", False)


def _get_decision(request: HttpRequest) -> tuple[list[Access], list[Access]]:
    """Return what the user may open, and what the policy denies."""
    user = getattr(request, "user", None)
    # One for each user, because the user of a request may change: sign-in, impersonation.
    cache: dict[Any, tuple[list[Access], list[Access]]] = request.__dict__.setdefault(_CACHE_ATTRIBUTE, {})
    key = getattr(user, "pk", None)
    if key not in cache:
        cache[key] = _decide(request, user)
    return cache[key]


def _decide(request: HttpRequest, user: Any) -> tuple[list[Access], list[Access]]:
    if user is None or not user.is_authenticated or not user.is_active:
        return [], []
    policy = conf.ACCESS_POLICY
    allowed: list[Access] = []
    denied: list[Access] = []
    for each in _to_accesses(request, conf.CUSTOMER_RESOLVER(request)):
        # `is True`, so that a policy that returns anything else by mistake denies access.
        is_allowed = policy(request=request, user=user, customer=each.customer, role=each.role) is True
        (allowed if is_allowed else denied).append(each)
    return allowed, denied


def _to_accesses(request: HttpRequest, result: Any) -> Iterator[Access]:
    """Convert what a resolver may return."""
    is_list = isinstance(result, list | tuple)
    memberships: list[Access] | None = None  # queried once
    for each in result if is_list or isinstance(result, QuerySet) else [] if result is None else [result]:
        if isinstance(each, Access):
            yield each
        elif isinstance(each, Customer) and each._state.adding:
            yield Access(customer=each)
        elif isinstance(each, Customer):
            memberships = resolve_by_membership(request) if memberships is None else memberships
            yield from (own for own in memberships if own.customer == each)
        else:
            raise TypeError(
                f"ALGUNA_PORTAL_CUSTOMER_RESOLVER returned {'a list with ' if is_list else ''}a {type(each).__name__}; "
                "return an Access, a Customer, a list of them, or None."
            )
