"""Portal sessions: a cached one while it lives, else a new one, made once however many ask."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, ValidationError

from . import audit
from .answers import PortalSession
from .audit import Outcome, Via
from .breaker import Breaker
from .conf import conf
from .customers import provision
from .exceptions import AlgunaUnavailable, BadAnswer, CustomerUnknown
from .flight import single_flight
from .plans import settings_for
from .portal_settings import PortalSettings
from .roles import Role
from .session_cache import Place, forget, place_for
from .vetting import vet

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from .models import Customer, PortalLink

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
    via: str = Via.API.value,
    link: "PortalLink | None" = None,
) -> PortalSession:
    """Return a portal session for a customer in a role: the cached one, if it has more than `EXPIRY_MARGIN` left.

    Who gets a cached session back is decided by `SESSION_REUSE`: the same `user`, the same `browser` (the key
    of a login session), anyone at the customer, or nobody. `fresh` makes a new one, which replaces it. While no
    new one can be had, the cached one is given out to its very end. The session's times are by this machine's
    clock. With `PROVISION_ON_OPEN`, a customer that Alguna does not know is created there first.

    Each call leaves a `PortalAccess`, which says that it came `via` the Billing page, a mailed `link` or code.

    Raise, within `TIME_BUDGET`, `AlgunaUnavailable` where trying again later may help, another `AlgunaError`
    where it will not, and `ImproperlyConfigured` where the settings cannot be used.
    """
    record = partial(audit.record, user=user, via=via, customer=customer, role=role, link=link)
    portal_settings: PortalSettings | None = None
    try:
        portal_settings = settings_for(customer, role=role)
        session, reused = _obtain(customer, portal_settings, user=user, browser=browser, fresh=fresh)
    except Exception as exc:
        outcome = Outcome.UNAVAILABLE if isinstance(exc, AlgunaUnavailable) else Outcome.FAILED
        record(outcome, portal_settings=portal_settings, error=type(exc).__name__)
        raise
    record(Outcome.REUSED if reused else Outcome.OPENED, portal_settings=portal_settings, session_id=session.id)
    return session


def _obtain(
    customer: "Customer",
    portal_settings: PortalSettings,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    browser: str | None,
    fresh: bool,
) -> tuple[PortalSession, bool]:
    """Return a session, and whether it was there already."""
    place = place_for(customer, portal_settings, user=user, browser=browser)
    if place is None:
        return _create(customer, portal_settings, within=conf.TIME_BUDGET), False
    kept = None if fresh else _kept(place, customer)
    if kept and _lasts(kept):
        return kept, True
    made: list[PortalSession] = []

    def make(seconds: float) -> PortalSession:
        meanwhile = _kept(place, customer)
        if meanwhile and not fresh and _lasts(meanwhile):
            return meanwhile
        made.append(_create(customer, portal_settings, within=seconds))
        place.put(made[0])
        return made[0]

    try:
        return single_flight(place.lock, make, budget=conf.TIME_BUDGET), not made
    except AlgunaUnavailable as exc:
        if kept is None or kept.expires_at <= datetime.now(UTC):
            raise
        logger.warning("Customer %s: a session is used to its end. %s", customer.pk or "(unsaved)", exc)
        return kept, True


def _create(customer: "Customer", portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Make a session; where Alguna does not know the customer, and that is wanted, make the customer first."""
    until = monotonic() + within
    try:
        return _ask(customer, portal_settings, within=within)
    except CustomerUnknown as exc:
        # A customer whose id is known is there, in this account or another one, under another alias.
        if not conf.PROVISION_ON_OPEN or customer.customer_id:
            raise
        try:
            provision(customer, within=until - monotonic())
        except ValidationError as invalid:
            # Names of fields, without their contents.
            fields = ", ".join(invalid.message_dict)
            raise CustomerUnknown(f"{exc} It could not be created there; check its {fields}.", status=404) from None
        except ObjectDoesNotExist:
            raise CustomerUnknown(f"{exc} Here it was deleted meanwhile.", status=404) from None
    return _ask(customer, portal_settings, within=until - monotonic())


def _ask(customer: "Customer", portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Ask Alguna for a session, and tell its times by our own clock."""
    # Not above: the admin is loaded as a site starts, and `requests` takes longer than the rest of it.
    from .client import AlgunaClient

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
