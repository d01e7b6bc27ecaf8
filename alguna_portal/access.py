"""Who is asking, for which customer, in which role: from a request to the portals it may open.

Decided afresh on every request, on the object that is then used. Nobody is ever matched by e-mail address.

A resolver (`ALGUNA_PORTAL_CUSTOMER_RESOLVER`) takes a request and returns what it is about:

- `Access`: taken as given, the host having decided who may do what;
- a saved `Customer`: opened in the role of the user's own membership, and not at all without one;
- an unsaved `Customer`: the host keeps its own organizations, and its resolver alone decides; as manager;
- a list of these: the user chooses;
- `None`: nothing to open.

A policy (`ALGUNA_PORTAL_ACCESS_POLICY`) takes `request`, `user`, `customer` and `role` as keywords and
returns whether this may be opened. It can only refuse.
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
from .roles import Role, get_role

_MEMO = "_alguna_portal_accesses"


@dataclass(frozen=True, kw_only=True)
class Access:
    """A portal that may be opened: of this customer, in this role."""

    customer: Customer
    role: str = Role.MANAGER.value

    def __post_init__(self) -> None:
        """Refuse a role that does not exist, before it is mistaken for a powerful one."""
        object.__setattr__(self, "role", get_role(self.role).value)

    @property
    def choice(self) -> str:
        """What names this portal among a user's own, in a URL."""
        return get_choice(self.customer)


def get_accesses(request: HttpRequest) -> list[Access]:
    """List the portals that this request may open, asking at most once a request.

    An anonymous or inactive user may open none.
    """
    permitted, _ = _decided(request)
    return permitted


def _decided(request: HttpRequest) -> tuple[list[Access], list[Access]]:
    """Return what the user may open, and what the policy keeps shut."""
    user = getattr(request, "user", None)
    # By user, since a request may change hands: a sign-in, an impersonation.
    memo: dict[Any, tuple[list[Access], list[Access]]] = request.__dict__.setdefault(_MEMO, {})
    key = getattr(user, "pk", None)
    if key not in memo:
        memo[key] = _decide(request, user)
    return memo[key]


def get_access(request: HttpRequest, choice: str) -> Access | None:
    """Pick one of the portals that this request may open, by its `choice`."""
    return next((each for each in get_accesses(request) if each.choice == choice), None)


def get_denied_access(request: HttpRequest, choice: str | None) -> Access | None:
    """Tell which portal the policy has kept shut: the one that was asked for, or the only one there is."""
    _, shut = _decided(request)
    if choice:
        return next((each for each in shut if each.choice == choice), None)
    return shut[0] if len(shut) == 1 else None


def get_choice(customer: Customer) -> str:
    """Name a customer in a URL: by primary key, or, without a row, by a hash of the alias.

    An alias may be anything, an e-mail address included, and URLs are logged.
    """
    if not customer._state.adding:
        return str(customer.pk)
    return salted_hmac("alguna_portal.access", str(customer.alias), algorithm="sha256").hexdigest()[:32]


def resolve_by_membership(request: HttpRequest) -> list[Access]:
    """Resolve a request to every customer that the user is a member of; the built-in resolver."""
    memberships = Membership.objects.filter(user=request.user.pk).select_related("customer")
    found = [Access(customer=each.customer, role=each.role) for each in memberships]
    # Sorted here: most users have one, and the database would take half as long again.
    return sorted(found, key=lambda each: (each.customer.name, each.customer.alias)) if len(found) > 1 else found


def allow_every_member(*, request: HttpRequest, user: AbstractBaseUser, customer: Customer, role: str) -> bool:  # noqa: ARG001
    """Let everybody in whom the resolver let in, except staff who impersonate a user (django-hijack)."""
    return not getattr(user, "is_hijacked", False)


def _decide(request: HttpRequest, user: Any) -> tuple[list[Access], list[Access]]:
    if user is None or not user.is_authenticated or not user.is_active:
        return [], []
    allows = conf.ACCESS_POLICY
    permitted: list[Access] = []
    shut: list[Access] = []
    for each in _resolved(request, conf.CUSTOMER_RESOLVER(request)):
        # `is True`, since a policy that answers with anything else has not said yes.
        yes = allows(request=request, user=user, customer=each.customer, role=each.role) is True
        (permitted if yes else shut).append(each)
    return permitted, shut


def _resolved(request: HttpRequest, answer: Any) -> Iterator[Access]:
    """Bring the answers that a resolver may give into one form."""
    answers = answer if isinstance(answer, list | tuple | QuerySet) else [] if answer is None else [answer]
    own: list[Access] | None = None  # the user's memberships, asked for once
    for each in answers:
        if isinstance(each, Access):
            yield each
        elif isinstance(each, Customer) and each._state.adding:
            yield Access(customer=each)
        elif isinstance(each, Customer):
            own = resolve_by_membership(request) if own is None else own
            yield from (mine for mine in own if mine.customer == each)
        else:
            raise TypeError(
                f"ALGUNA_PORTAL_CUSTOMER_RESOLVER returned {_in_list(answer)}a {type(each).__name__}; return an "
                "Access, a Customer, a list of them, or None."
            )


def _in_list(answer: Any) -> str:
    return "a list with " if isinstance(answer, list | tuple) else ""
