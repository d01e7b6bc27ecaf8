"""Where sessions are kept between clicks: their keys, their forgetting, and caches that fail.

A cached session is a credential. Its key is a keyed hash of everything it depends on (account, customer,
portal settings, reuse scope), so a changed plan or role never meets an old session, and a key says nothing.

Every entry carries the generation its customer had when the session was asked for. To forget a customer is
to drop the generation: all entries of all users are then misses, and so is one that is still on its way.

A cache that fails costs the caching, never the page.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from django.core.cache import caches
from django.utils.crypto import salted_hmac

from .answers import PortalSession
from .conf import conf
from .portal_settings import PortalSettings

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from .models import Customer

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A generation outlives every session kept under it, see `sessions.LONGEST_LIFE`.
GENERATION_SECONDS = timedelta(days=31).total_seconds()


class Place:
    """The place of one session in the cache."""

    def __init__(self, key: str, generation_key: str) -> None:
        self.key = key
        self.generation_key = generation_key
        # Known after `get`; without one, nothing is kept.
        self._generation: str | None = None

    def get(self) -> PortalSession | None:
        """Return the session kept here that has not expired, if the cache works and has one."""
        return _guarded(self._get)

    def put(self, session: PortalSession) -> None:
        """Keep a session until it expires. Call `get` first: it finds the generation that was asked under."""
        seconds = (session.expires_at - datetime.now(UTC)).total_seconds()
        if self._generation is None or seconds <= 0:
            return
        entry = {
            "generation": self._generation,
            "id": session.id,
            "customer_id": session.customer_id,
            "url": session.url,
            "created_at": session.created_at.isoformat(),
            "expires_at": session.expires_at.isoformat(),
        }
        _guarded(lambda: caches[conf.CACHE].set(self.key, entry, timeout=seconds))

    def _get(self) -> PortalSession | None:
        cache = caches[conf.CACHE]
        found = cache.get_many([self.key, self.generation_key])
        generation = found.get(self.generation_key)
        if generation is None:
            # `get_or_set` keeps the first of two that come at once.
            generation = cache.get_or_set(self.generation_key, lambda: uuid4().hex, GENERATION_SECONDS)
        self._generation = generation
        return _session(found.get(self.key), generation)


def place_for(
    customer: "Customer",
    portal_settings: PortalSettings,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    browser: str | None,
) -> Place | None:
    """Find the place of a session under the reuse scope; None where this caller's sessions are not reused."""
    scope = conf.SESSION_REUSE
    holder = {"user": user and user.pk, "browser": browser, "customer": "all", "never": None}[scope]
    if holder is None:
        return None
    session = [
        conf.API_URL,
        conf.API_VERSION,
        conf.API_KEY,
        customer.alias,
        customer.customer_id,
        portal_settings.payload(),
        scope,
        str(holder),
    ]
    return Place(_hashed("session", session), _generation_key(customer))


def forget(customer: "Customer") -> None:
    """Make every cached session of a customer unreachable, for all users and roles, from now on."""
    _guarded(lambda: caches[conf.CACHE].delete(_generation_key(customer)))


def _generation_key(customer: "Customer") -> str:
    return _hashed("generation", [customer.alias])


def _hashed(kind: str, parts: list[Any]) -> str:
    digest = salted_hmac("alguna_portal.session_cache", json.dumps(parts), algorithm="sha256").hexdigest()
    return f"alguna_portal:{kind}:{digest}"


def _session(entry: Any, generation: str | None) -> PortalSession | None:
    """Read an entry; one of another generation, form or time is none."""
    try:
        if entry["generation"] != generation:
            return None
        session = PortalSession(
            id=entry["id"],
            customer_id=entry["customer_id"],
            url=entry["url"],
            created_at=datetime.fromisoformat(entry["created_at"]),
            expires_at=datetime.fromisoformat(entry["expires_at"]),
        )
        return session if session.expires_at > datetime.now(UTC) else None
    except (KeyError, TypeError, ValueError):
        return None


def _guarded(operation: Callable[[], T]) -> T | None:
    """Run a cache operation; log its failure without its text, which may hold anything, and go on."""
    try:
        return operation()
    except Exception as exc:  # noqa: BLE001  (backends raise what they like)
        logger.warning(
            "The cache “%s” failed (%s); the portal opens without it. Check CACHES.",
            conf.CACHE,
            type(exc).__name__,
        )
        return None
