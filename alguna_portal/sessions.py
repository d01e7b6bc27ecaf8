"""Portal sessions: a cached one while it lives, else a new one, made once however many ask."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from .answers import PortalSession
from .breaker import Breaker
from .client import AlgunaClient
from .conf import conf
from .exceptions import AlgunaUnavailable, BadAnswer
from .flight import single_flight
from .plans import settings_for
from .portal_settings import PortalSettings
from .roles import Role
from .session_cache import Place, forget, place_for
from .vetting import vet

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from .models import Customer

__all__ = ["PortalSession", "forget", "open_session"]

logger = logging.getLogger(__name__)

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
    """Return a portal session for a customer in a role: the cached one, if it has more than `EXPIRY_MARGIN` left.

    Who gets a cached session back is decided by `SESSION_REUSE`: the same `user`, the same `browser` (the key
    of a login session), anyone at the customer, or nobody. `fresh` makes a new one, which replaces it. While no
    new one can be had, the cached one is given out to its very end. The session's times are by this machine's
    clock.

    Raise, within `TIME_BUDGET`, `AlgunaUnavailable` where trying again later may help, another `AlgunaError`
    where it will not, and `ImproperlyConfigured` where the settings cannot be used.
    """
    portal_settings = settings_for(customer, role=role)
    place = place_for(customer, portal_settings, user=user, browser=browser)
    if place is None:
        return _create(customer, portal_settings, within=conf.TIME_BUDGET)
    kept = None if fresh else _kept(place, customer)
    if kept and _lasts(kept):
        return kept

    def make(seconds: float) -> PortalSession:
        meanwhile = _kept(place, customer)
        if meanwhile and not fresh and _lasts(meanwhile):
            return meanwhile
        session = _create(customer, portal_settings, within=seconds)
        place.put(session)
        return session

    try:
        return single_flight(place.lock, make, budget=conf.TIME_BUDGET)
    except AlgunaUnavailable as exc:
        if kept is None or kept.expires_at <= datetime.now(UTC):
            raise
        logger.warning("Customer %s: a session is used to its end. %s", customer.pk or "(unsaved)", exc)
        return kept


def _create(customer: "Customer", portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Make a session, and tell its times by our own clock."""
    client = AlgunaClient.from_settings(watcher=Breaker())
    asked_at = datetime.now(UTC)
    answer = client.create_portal_session(
        customer.alias, portal_settings, customer_id=customer.customer_id, within=within
    )
    # Alguna's two times are by one clock, ours by another. Only their difference can be trusted to be right.
    return replace(answer, created_at=asked_at, expires_at=asked_at + min(answer.life, LONGEST_LIFE))


def _kept(place: Place, customer: "Customer") -> PortalSession | None:
    """Return the cached session, if users may still be sent there by the settings of now."""
    session = place.get()
    if session is None:
        return None
    try:
        return vet(
            session,
            customer_id=customer.customer_id,
            url_hosts=conf.URL_HOSTS,
            loopback_http=settings.DEBUG,
        )
    except BadAnswer:
        return None


def _lasts(session: PortalSession) -> bool:
    """Say whether a session works for longer than the margin."""
    return session.expires_at - datetime.now(UTC) > timedelta(seconds=conf.EXPIRY_MARGIN)
