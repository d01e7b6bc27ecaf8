"""Who is asking, for which customer, in which role: from a request to the portals it may open.

Decided afresh on every request, on the object that is then used. Nobody is ever matched by e-mail address.

A resolver (`ALGUNA_PORTAL_CUSTOMER_RESOLVER`) takes a request and returns what it is about:

- `Access`, or a list of them: taken as given, the host having decided who may do what;
- a saved `Customer`: opened in the role of the user's own membership, and not at all without one;
- an unsaved `Customer`: the host keeps its own organizations, and its resolver alone decides; as manager;
- `None`: nothing to open.

A policy (`ALGUNA_PORTAL_ACCESS_POLICY`) takes `request`, `user`, `customer` and `role` as keywords and
returns whether this may be opened. It can only refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from .conf import conf
from .models import Customer, Membership
from .roles import Role

_MEMO = "_alguna_portal_accesses"


@dataclass(frozen=True, kw_only=True)
class Access:
    """A portal that may be opened: of this customer, in this role."""

    customer: Customer
    role: str = Role.MANAGER.value

    def __post_init__(self) -> None:
        """Refuse a role that does not exist, before it is mistaken for a powerful one."""
        object.__setattr__(self, "role", Role(self.role).value)


def accesses(request: HttpRequest) -> list[Access]:
    """List the portals that this request may open, asking at most once a request.

    An anonymous or inactive user may open none.
    """
    memo: list[Access] | None = getattr(request, _MEMO, None)
    if memo is None:
        memo = _permitted(request)
        setattr(request, _MEMO, memo)
    return memo


def find(request: HttpRequest, customer_pk: str) -> Access | None:
    """Pick the portal of one customer, by primary key, from those that this request may open."""
    return next((each for each in accesses(request) if str(each.customer.pk) == customer_pk), None)


def by_membership(request: HttpRequest) -> list[Access]:
    """Resolve a request to every customer that the user is a member of; the built-in resolver."""
    memberships = Membership.objects.filter(user=request.user.pk).select_related("customer")
    return [
        Access(customer=each.customer, role=each.role)
        for each in memberships.order_by("customer__name", "customer__alias")
    ]


def every_member(*, request: HttpRequest, user: AbstractBaseUser, customer: Customer, role: str) -> bool:  # noqa: ARG001
    """Let everybody in whom the resolver let in, except staff who impersonate a user (django-hijack)."""
    return not getattr(user, "is_hijacked", False)


def _permitted(request: HttpRequest) -> list[Access]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not user.is_active:
        return []
    allows = conf.ACCESS_POLICY
    return [
        each
        for each in _resolved(request, conf.CUSTOMER_RESOLVER(request))
        # `is True`, since a policy that answers with anything else has not said yes.
        if allows(request=request, user=user, customer=each.customer, role=each.role) is True
    ]


def _resolved(request: HttpRequest, answer: Any) -> Sequence[Access]:
    """Bring the answers a resolver may give into one form."""
    if answer is None:
        return []
    if isinstance(answer, Access):
        return [answer]
    if isinstance(answer, Customer):
        if answer._state.adding:
            return [Access(customer=answer)]
        return [each for each in by_membership(request) if each.customer == answer]
    if isinstance(answer, Sequence) and all(isinstance(each, Access) for each in answer):
        return answer
    raise TypeError(
        "ALGUNA_PORTAL_CUSTOMER_RESOLVER returned a "
        f"{type(answer).__name__}; return an Access, a Customer, a list of Access, or None."
    )
