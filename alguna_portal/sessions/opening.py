"""`open_session` and `aopen_session`: return a cached portal session or create a new one, and record the result."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from time import monotonic

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from alguna_portal import audit
from alguna_portal.api.portal_url import validate_session
from alguna_portal.api.responses import PortalSession
from alguna_portal.audit import Outcome, Via
from alguna_portal.cache import is_database_cache
from alguna_portal.conf import conf
from alguna_portal.customers.provisioning import may_provision
from alguna_portal.exceptions import AlgunaUnavailable, UnexpectedResponse
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer, PortalLink
from alguna_portal.plans import settings_for
from alguna_portal.portal_settings import PortalSettings
from alguna_portal.roles import Role

from .cache import SessionCacheEntry, deserialize_session, get_cache_entry, serialize_session
from .creation import create_session
from .single_flight import single_flight

logger = logging.getLogger(__name__)


def open_session(
    customer: Customer,
    *,
    user: AbstractBaseUser | AnonymousUser | None = None,
    browser: str | None = None,
    role: str = Role.MANAGER.value,
    fresh: bool = False,
    via: str = Via.API.value,
    link: PortalLink | None = None,
) -> PortalSession:
    """Return a portal session for a customer in a role.

    A cached session is reused if more than `EXPIRY_MARGIN` seconds of it are left. `SESSION_REUSE` sets its scope: the
    same `user`, the same `browser` (the key of a login session), all users of the customer, or no reuse. With
    `fresh=True` a new session replaces the cached one. During an outage, the cached session is returned until it
    expires. The session's times are in this machine's time. If Alguna doesn't know the customer and `PROVISION_ON_OPEN`
    is on, the customer is created first.

    Every call adds a `PortalAccess` to the audit trail. Its `via` is the Billing page, a mailed `link` or code.

    The call takes at most `TIME_BUDGET` seconds. It raises `AlgunaUnavailable` if a later retry may succeed, another
    `AlgunaError` if it can't, and `ImproperlyConfigured` if a setting isn't valid.
    """
    opener = SessionOpener(customer=customer, user=user, browser=browser, role=role, fresh=fresh, via=via, link=link)
    try:
        session = opener.get_cached() or opener.create()
    except Exception as exc:
        opener.record_failure(exc)
        raise
    opener.record_success(session)
    return session


async def aopen_session(
    customer: Customer,
    *,
    user: AbstractBaseUser | AnonymousUser | None = None,
    browser: str | None = None,
    role: str = Role.MANAGER.value,
    fresh: bool = False,
    via: str = Via.API.value,
    link: PortalLink | None = None,
) -> PortalSession:
    """Return a portal session as `open_session` does, without blocking the event loop or other calls.

    Slow steps run in a separate thread. If they may use the database (a database cache, or a customer to create), they
    run in Django's thread for synchronous code instead: one for each request, or else one for the process. If the call
    is cancelled, the session is still created and cached, but not recorded.
    """
    opener = SessionOpener(customer=customer, user=user, browser=browser, role=role, fresh=fresh, via=via, link=link)
    try:
        session = await sync_to_async(opener.get_cached)()
        if session is None:
            # Imported in a thread: loading `requests` takes long. Not at the top: Django would load it at start-up.
            transport = await sync_to_async(import_module)("alguna_portal.api.transport")
            run = sync_to_async if opener.may_use_database() else transport.run_in_thread
            session = await run(opener.create)()
    except Exception as exc:
        await sync_to_async(opener.record_failure)(exc)
        raise
    await sync_to_async(opener.record_success)(session)
    return session


@dataclass(kw_only=True, repr=False, eq=False)
class SessionOpener:
    """The steps of `open_session` and `aopen_session`: get the cached session, create a session, record the result."""

    customer: Customer
    user: AbstractBaseUser | AnonymousUser | None
    browser: str | None
    role: str
    fresh: bool
    via: str
    link: PortalLink | None
    _started: float = field(default_factory=monotonic, init=False)
    _portal_settings: PortalSettings | None = field(default=None, init=False)
    _entry: SessionCacheEntry | None = field(default=None, init=False)
    _cached: PortalSession | None = field(default=None, init=False)
    _is_new: bool = field(default=False, init=False)

    def get_cached(self) -> PortalSession | None:
        """Return the cached session, if it lasts longer than the margin and `fresh` is off. Fast."""
        self._portal_settings = settings_for(self.customer, role=self.role)
        self._entry = get_cache_entry(self.customer, self._portal_settings, user=self.user, browser=self.browser)
        if self._entry is None or self.fresh:
            return None
        self._cached = self._read(self._entry)
        return self._cached if self._cached and _exceeds_margin(self._cached) else None

    def create(self) -> PortalSession:
        """Return a new session, which concurrent callers share; in an outage, the cached one until it expires. Slow."""
        entry = self._entry
        if entry is None:
            return self._create(conf.TIME_BUDGET)

        def create(seconds: float) -> PortalSession:
            cached = self._read(entry)
            if cached and not self.fresh and _exceeds_margin(cached):
                return cached
            session = self._create(seconds)
            entry.put(session)
            return session

        try:
            return single_flight(
                entry.lock_key,
                create,
                budget=conf.TIME_BUDGET,
                serialize=serialize_session,
                deserialize=deserialize_session,
            )
        except AlgunaUnavailable as exc:
            if self._cached is None or self._cached.expires_at <= datetime.now(UTC):
                raise
            message = "Customer %(customer)s: a session is used to its end. %(detail)s"
            log_event(logger.warning, "session_used_to_end", message, customer=self.customer.pk, exc=exc, detail=exc)
            return self._cached

    def may_use_database(self) -> bool:
        """Return whether `create` may use the database, apart from signal receivers and third-party caches."""
        return is_database_cache() or may_provision(self.customer)

    def record_success(self, session: PortalSession) -> None:
        """Record that the session was opened or reused."""
        self._record(Outcome.OPENED if self._is_new else Outcome.REUSED, session_id=session.id)

    def record_failure(self, exc: Exception) -> None:
        """Record that there was no session."""
        outcome = Outcome.UNAVAILABLE if isinstance(exc, AlgunaUnavailable) else Outcome.FAILED
        self._record(outcome, error=type(exc).__name__)

    def _record(self, outcome: str, **result: str) -> None:
        audit.record(
            outcome,
            user=self.user,
            via=self.via,
            customer=self.customer,
            role=self.role,
            link=self.link,
            portal_settings=self._portal_settings,
            seconds=monotonic() - self._started,
            **result,
        )

    def _create(self, seconds: float) -> PortalSession:
        assert self._portal_settings is not None  # noqa: S101  (set by `get_cached`)
        session = create_session(self.customer, self._portal_settings, within=seconds)
        self._is_new = True
        return session

    def _read(self, entry: SessionCacheEntry) -> PortalSession | None:
        """Return the cached session, if the current settings still allow its URL and customer."""
        session = entry.get()
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


def _exceeds_margin(session: PortalSession) -> bool:
    return session.expires_at - datetime.now(UTC) > timedelta(seconds=conf.EXPIRY_MARGIN)
