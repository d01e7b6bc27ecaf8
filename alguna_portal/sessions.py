"""Portal sessions: a cached one while it lives, else a new one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .answers import PortalSession
from .client import AlgunaClient
from .conf import conf
from .exceptions import BadAnswer
from .plans import settings_for
from .roles import Role
from .session_cache import forget, place_for

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from .models import Customer

__all__ = ["PortalSession", "forget", "open_session"]

# However long Alguna says a session lives, it is not kept for longer.
LONGEST_LIFE = timedelta(days=30)


def open_session(
    customer: "Customer",
    *,
    user: "AbstractBaseUser | AnonymousUser | None" = None,
    browser: str | None = None,
    role: str = Role.MANAGER.value,
    fresh: bool = False,
) -> PortalSession:
    """Return a portal session for a customer in a role, whose `url` works at least for `EXPIRY_MARGIN` more.

    Who gets a cached session back is decided by `SESSION_REUSE`: the same `user`, the same `browser` (the key
    of a login session), anyone at the customer, or nobody. `fresh` makes a new one, which replaces it.
    The session's times are by this machine's clock.

    Raise `AlgunaUnavailable` where trying again later may help, another `AlgunaError` where it will not, and
    `ImproperlyConfigured` where the settings cannot be used.
    """
    portal_settings = settings_for(customer, role=role)
    client = AlgunaClient.from_settings()
    place = place_for(customer, portal_settings, user=user, browser=browser)
    kept = place.get() if place else None
    if kept and not fresh and _usable(kept, client, customer):
        return kept
    asked_at = datetime.now(UTC)
    answer = client.create_portal_session(customer.alias, portal_settings, customer_id=customer.customer_id)
    # Alguna's two times are by one clock, ours by another. Only their difference can be trusted to be right.
    session = replace(answer, created_at=asked_at, expires_at=asked_at + min(answer.life, LONGEST_LIFE))
    if place:
        place.put(session)
    return session


def _usable(session: PortalSession, client: AlgunaClient, customer: "Customer") -> bool:
    """Say whether a cached session may still be given out, by the time and by the settings of now."""
    if session.expires_at - datetime.now(UTC) <= timedelta(seconds=conf.EXPIRY_MARGIN):
        return False
    try:
        client.vet(session, customer_id=customer.customer_id)
    except BadAnswer:
        return False
    return True
