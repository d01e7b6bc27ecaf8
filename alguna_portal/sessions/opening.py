"""Portal sessions: a cached one while it lives, else a new one, made once however many ask."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.conf import settings

from alguna_portal import audit
from alguna_portal.api.portal_url import validate_session
from alguna_portal.api.responses import PortalSession
from alguna_portal.audit import Outcome, Via
from alguna_portal.cache import is_database_cache
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaUnavailable, UnexpectedResponse
from alguna_portal.log_events import log_event
from alguna_portal.plans import settings_for
from alguna_portal.portal_settings import PortalSettings
from alguna_portal.roles import Role

from .cache import SessionCacheEntry, forget, get_cache_entry
from .creation import create_session, may_provision
from .single_flight import single_flight

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from alguna_portal.models import Customer, PortalLink

__all__ = ["PortalSession", "aopen_session", "forget", "open_session"]

logger = logging.getLogger(__name__)


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
    opening = _Opening(customer=customer, user=user, browser=browser, role=role, fresh=fresh, via=via, link=link)
    try:
        session = opening.at_hand() or opening.obtain()
    except Exception as exc:
        opening.failed(exc)
        raise
    opening.succeeded(session)
    return session


async def aopen_session(
    customer: "Customer",
    *,
    user: "AbstractBaseUser | AnonymousUser | None" = None,
    browser: str | None = None,
    role: str = Role.MANAGER.value,
    fresh: bool = False,
    via: str = Via.API.value,
    link: "PortalLink | None" = None,
) -> PortalSession:
    """Do as `open_session` does, without holding up the event loop, or others who wait for a session of theirs.

    What may take long is done in a thread of its own. Only what may use the database there, a cache in it or a
    customer to be created, stays in the thread that Django keeps for that: one for each request, or else one for all.
    If it is cancelled, the session is made and cached all the same, and not recorded.
    """
    # Here, since it imports `requests`, which must not be imported while Django starts.
    from alguna_portal.api import transport

    opening = _Opening(customer=customer, user=user, browser=browser, role=role, fresh=fresh, via=via, link=link)
    try:
        session = await sync_to_async(opening.at_hand)()
        if session is None:
            aside = sync_to_async if opening.may_use_database() else transport.run_in_thread
            session = await aside(opening.obtain)()
    except Exception as exc:
        await sync_to_async(opening.failed)(exc)
        raise
    await sync_to_async(opening.succeeded)(session)
    return session


@dataclass(kw_only=True, repr=False, eq=False)
class _Opening:
    """One call, in steps: first what is quick, then what may take long, in the end what is told of it."""

    customer: "Customer"
    user: "AbstractBaseUser | AnonymousUser | None"
    browser: str | None
    role: str
    fresh: bool
    via: str
    link: "PortalLink | None"
    _began: float = field(default_factory=monotonic, init=False)
    _portal_settings: PortalSettings | None = field(default=None, init=False)
    _place: SessionCacheEntry | None = field(default=None, init=False)
    _kept: PortalSession | None = field(default=None, init=False)
    _made: bool = field(default=False, init=False)

    def at_hand(self) -> PortalSession | None:
        """Return the cached session, if it will do."""
        self._portal_settings = settings_for(self.customer, role=self.role)
        self._place = get_cache_entry(self.customer, self._portal_settings, user=self.user, browser=self.browser)
        if self._place is None or self.fresh:
            return None
        self._kept = self._look(self._place)
        return self._kept if self._kept and _lasts(self._kept) else None

    def obtain(self) -> PortalSession:
        """Return a new session, made once for all who ask at the same time; or else the cached one to its end."""
        place = self._place
        if place is None:
            return self._make(conf.TIME_BUDGET)

        def make(seconds: float) -> PortalSession:
            meanwhile = self._look(place)
            if meanwhile and not self.fresh and _lasts(meanwhile):
                return meanwhile
            session = self._make(seconds)
            place.put(session)
            return session

        try:
            return single_flight(place.lock, make, budget=conf.TIME_BUDGET)
        except AlgunaUnavailable as exc:
            if self._kept is None or self._kept.expires_at <= datetime.now(UTC):
                raise
            message = "Customer %(customer)s: a session is used to its end. %(detail)s"
            log_event(logger.warning, "session_used_to_end", message, customer=self.customer.pk, exc=exc, detail=exc)
            return self._kept

    def may_use_database(self) -> bool:
        """Say whether `obtain` may use the database; not what receivers of signals, or a host's own cache, may do."""
        return is_database_cache() or may_provision(self.customer)

    def succeeded(self, session: PortalSession) -> None:
        """Record the session."""
        self._record(Outcome.OPENED if self._made else Outcome.REUSED, session_id=session.id)

    def failed(self, exc: Exception) -> None:
        """Record that there was none."""
        outcome = Outcome.UNAVAILABLE if isinstance(exc, AlgunaUnavailable) else Outcome.FAILED
        self._record(outcome, error=type(exc).__name__)

    def _record(self, outcome: str, *, session_id: str = "", error: str = "") -> None:
        audit.record(
            outcome,
            user=self.user,
            via=self.via,
            customer=self.customer,
            role=self.role,
            link=self.link,
            portal_settings=self._portal_settings,
            session_id=session_id,
            error=error,
            seconds=monotonic() - self._began,
        )

    def _make(self, seconds: float) -> PortalSession:
        assert self._portal_settings is not None  # noqa: S101  (`at_hand` has found them)
        session = create_session(self.customer, self._portal_settings, within=seconds)
        self._made = True
        return session

    def _look(self, place: SessionCacheEntry) -> PortalSession | None:
        """Return the cached session, if users may still be sent there by the settings of now."""
        session = place.get()
        if session is None:
            return None
        try:
            return validate_session(
                session,
                customer_id=self.customer.customer_id,
                url_hosts=conf.URL_HOSTS,
                loopback_http=settings.DEBUG,
            )
        except UnexpectedResponse:
            return None


def _lasts(session: PortalSession) -> bool:
    """Say whether a session works for longer than the margin."""
    return session.expires_at - datetime.now(UTC) > timedelta(seconds=conf.EXPIRY_MARGIN)
