"""What Alguna's successful answers say, as data. JSON is narrowed here and nowhere deeper.

Pure functions, without I/O or settings. Django's error reports do not show the variables that hold an answer.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.views.decorators.debug import sensitive_variables

from alguna_portal.exceptions import BadAnswer, StrangerAnswered

JSON = dict[str, Any]

LONGEST_ID = 255


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a successful answer says; `replayed`: it is the first answer to the same request, up to a day old."""

    data: JSON = field(repr=False)
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class PortalSession:
    """One session of a customer in the hosted portal. Its `url` is a credential and stays out of `repr`."""

    id: str
    customer_id: str
    url: str = field(repr=False)
    created_at: datetime
    expires_at: datetime

    @property
    def life(self) -> timedelta:
        """How long the session works, from its creation."""
        return self.expires_at - self.created_at


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What a plan follows from; `plan_id` is empty where Alguna names none."""

    customer_id: str
    status: str
    plan_id: str


@sensitive_variables("data")
def portal_session(data: JSON) -> PortalSession:
    """Read a portal session from the API's answer, whose times are both by Alguna's clock."""
    session = PortalSession(
        id=_id(data, "id", of="portal session"),
        customer_id=_id(data, "customer_id", of="portal session"),
        url=_text(data, "url", of="portal session"),
        created_at=_time(data, "created_at"),
        expires_at=_time(data, "expires_at"),
    )
    if session.life <= timedelta(0):
        raise BadAnswer("Alguna's portal session expires before it was created.")
    return session


@sensitive_variables("data")
def looked_up(data: JSON) -> str:
    """Read the id of the customer that an alias belongs to."""
    return _id(data, "customer_id", of="customer")


@sensitive_variables("data")
def created(data: JSON, *, alias: str) -> str:
    """Read the id of a customer that was created with an alias."""
    if not has_alias(data, alias):
        raise StrangerAnswered("Alguna answered with a customer that does not have the alias it was to be given.")
    return _id(data, "id", of="customer")


@sensitive_variables("data")
def has_alias(data: JSON, alias: str) -> bool:
    """Say whether a customer has an alias; where the answer does not say, it is believed to."""
    aliases = data.get("aliases")
    return not isinstance(aliases, list) or alias in aliases


@sensitive_variables("data")
def aliases(data: JSON, *, customer_id: str) -> list[str]:
    """Read the aliases of a customer; raise `StrangerAnswered` where they are another's."""
    if _id(data, "id", of="customer") != customer_id:
        raise StrangerAnswered("Alguna answered with another customer than the one asked about.")
    found = data.get("aliases") or []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


@sensitive_variables("data", "listed", "each")
def subscriptions(data: JSON, *, customer_id: str) -> list[Subscription]:
    """Read one page of a customer's subscriptions; raise `StrangerAnswered` where one is somebody else's."""
    listed = data.get("data")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadAnswer("Alguna's list of subscriptions has no “data”, or one that is no list of objects.")
    found = [
        Subscription(
            customer_id=_id(each, "customer_id", of="subscription"),
            status=_text(each, "status", of="subscription"),
            # Alguna says null where there is none.
            plan_id=_id(each, "plan_id", of="subscription") if each.get("plan_id") else "",
        )
        for each in listed
    ]
    if any(each.customer_id != customer_id for each in found):
        raise StrangerAnswered("Alguna answered with subscriptions of another customer than the one asked about.")
    return found


@sensitive_variables("data", "value")
def _text(data: JSON, key: str, *, of: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"Alguna's {of} has no “{key}”, or one that is not a string.")
    return value


@sensitive_variables("data", "value")
def _id(data: JSON, key: str, *, of: str) -> str:
    """Read an id, which will be stored, or stand in a log."""
    value = _text(data, key, of=of)
    if len(value) > LONGEST_ID or not value.isprintable() or value != value.strip():
        raise BadAnswer(f"Alguna's {of} has a “{key}” that is too long for an id, or has no place in one.")
    return value


@sensitive_variables("data")
def _time(data: JSON, key: str) -> datetime:
    """Read a time as RFC 3339 writes it; without a zone it could mean anything, so it is refused."""
    try:
        time = datetime.fromisoformat(_text(data, key, of="portal session").upper())
    except ValueError:
        raise BadAnswer(f"Alguna's portal session has a “{key}” that is not a time as in RFC 3339.") from None
    if time.tzinfo is None:
        raise BadAnswer(f"Alguna's portal session has a “{key}” without a time zone.")
    return time
