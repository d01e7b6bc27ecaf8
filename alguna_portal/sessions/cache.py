"""Where sessions are kept between clicks, and how they are forgotten.

A cached session is a credential. Its key stands for everything that it depends on (account, customer, portal
settings, reuse scope), so a changed plan or role never meets an old session.

Every entry carries the generation that its customer had when the session was asked for. To forget a customer is
to drop the generation: all entries of all users are then misses, and so is one that is still on its way.
"""

import json
import logging
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core.cache.backends.base import BaseCache
from django.utils.encoding import force_bytes
from django.views.decorators.debug import sensitive_variables

from alguna_portal.api.responses import PortalSession
from alguna_portal.cache import get_cache_key, try_cache
from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.portal_settings import PortalSettings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from alguna_portal.models import Customer


# --- from alguna_portal.sessions.encryption

# What the keys are for. The same secret gives other keys to all else that Django and this app derive from it.
PURPOSE = b"alguna_portal.encryption"


@sensitive_variables("data")
def encrypt(data: dict[str, str]) -> str:
    """Encrypt data under the `SECRET_KEY` of now; raise `ImproperlyConfigured` where it is empty."""
    return _cipher(_secrets()).encrypt(json.dumps(data).encode()).decode()


def decrypt(token: object) -> Any:
    """Return what was sealed, or None for anything that none of the secrets of now has sealed."""
    from cryptography.fernet import InvalidToken

    cipher = _cipher(_secrets())
    # Its age is not asked: what is kept here knows its own end, and clocks may be apart.
    try:
        return json.loads(cipher.decrypt(token)) if isinstance(token, str) else None
    except (InvalidToken, ValueError):
        return None


def _secrets() -> tuple[bytes, ...]:
    # Django refuses an empty secret, and lets an empty fallback pass, whose key anybody could make.
    return tuple(force_bytes(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret)


# By the secrets themselves, so a changed setting counts at once; only the last ones, so replaced ones are let go.
@lru_cache(maxsize=1)
@sensitive_variables()
def _cipher(secrets: tuple[bytes, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # HKDF, and not Django's `salted_hmac`, which signs: HKDF is made for this, a key out of a secret that is hard to
    # guess but not uniform, with a field for the purpose. Stretching, as for passwords, would help no good secret.
    keys = [HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret) for secret in secrets]
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])


# --- from alguna_portal.sessions.entries


@sensitive_variables("plain")
def serialize_session(session: PortalSession) -> dict[str, str]:
    """Write a session, its URL included: an entry is a credential, and with `ENCRYPT_CACHE` it is sealed."""
    is_sealed = conf.ENCRYPT_CACHE
    plain = {
        "id": session.id,
        "customer_id": session.customer_id,
        "url": session.url,
        "created_at": session.created_at.isoformat(),
        "expires_at": session.expires_at.isoformat(),
    }
    return {"sealed": encrypt(plain)} if is_sealed else plain


@sensitive_variables("entry", "plain")
def deserialize_session(entry: Any) -> PortalSession | None:
    """Read a session, or return None for anything that is not one, or not as `ENCRYPT_CACHE` has it written now."""
    try:
        plain = decrypt(entry["sealed"]) if conf.ENCRYPT_CACHE else entry
        session = PortalSession(
            id=str(plain["id"]),
            customer_id=str(plain["customer_id"]),
            url=str(plain["url"]),
            created_at=datetime.fromisoformat(plain["created_at"]),
            expires_at=datetime.fromisoformat(plain["expires_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return session if session.created_at.tzinfo and session.expires_at.tzinfo else None


logger = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(minutes=1)  # how far the clocks of machines that share a cache may be apart
# Longer than any session lives; a generation that ends under a session costs no more than a new one.
GENERATION_SECONDS = timedelta(days=31).total_seconds()


class SessionCacheEntry:
    """The place of one session in the cache."""

    def __init__(self, key: str, generation_key: str) -> None:
        self.key = key
        self.lock = f"{key}:lock"
        self.generation_key = generation_key
        # Known after `get`; without one, nothing is kept.
        self._generation: str | None = None

    def get(self) -> PortalSession | None:
        """Return the session kept here that has not expired, if the cache works and has one."""
        return try_cache(self._get, None)

    def put(self, session: PortalSession) -> None:
        """Keep a session until it expires. Call `get` first: it finds the generation that was asked under."""
        seconds = (session.expires_at - datetime.now(UTC)).total_seconds()
        if self._generation is not None and seconds > 0:
            entry = serialize_session(session) | {"generation": self._generation}
            try_cache(lambda cache: cache.set(self.key, entry, timeout=seconds), None)

    def _get(self, cache: BaseCache) -> PortalSession | None:
        found = cache.get_many([self.key, self.generation_key])
        self._generation = found.get(self.generation_key)
        if self._generation is None:
            # `get_or_set` keeps the first of two that come at once.
            self._generation = cache.get_or_set(self.generation_key, lambda: uuid4().hex, GENERATION_SECONDS)
        entry = found.get(self.key)
        if not isinstance(entry, dict) or entry.get("generation") != self._generation:
            return None
        session = deserialize_session(entry)
        now = datetime.now(UTC)
        # One from the future shows that our clock was set back: how long it really lives cannot be known.
        from_future = session and session.created_at > now + CLOCK_TOLERANCE
        return session if session and session.expires_at > now and not from_future else None


def get_cache_entry(
    customer: "Customer",
    portal_settings: PortalSettings,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    browser: str | None,
) -> SessionCacheEntry | None:
    """Find the place of a session under the reuse scope; None where this caller's sessions are not reused."""
    scope = conf.SESSION_REUSE
    holder = {"user": user and user.pk, "browser": browser, "customer": "all", "never": None}[scope]
    if holder in (None, ""):
        return None
    # Read before anything is asked: where an entry is read, a wrong setting would pass for a cache that failed.
    _ = conf.ENCRYPT_CACHE
    session = [
        conf.API_URL,
        conf.API_KEY,
        str(customer.alias),
        portal_settings.payload(),
        scope,
        str(holder),
    ]
    return SessionCacheEntry(get_cache_key("session", session), _generation_key(customer))


def forget(customer: "Customer") -> bool:
    """Make every cached session of a customer unreachable, for all users and roles, from now on.

    Return False, and log an error, where the cache failed and they may still be given out.
    """
    forgotten = try_cache(lambda cache: [cache.delete(_generation_key(customer))], None, force=True) is not None
    if not forgotten:
        message = "Customer %(customer)s: cached sessions could not be forgotten."
        log_event(logger.error, "sessions_not_forgotten", message, customer=customer.pk)
    return forgotten


def _generation_key(customer: "Customer") -> str:
    return get_cache_key("generation", [str(customer.alias)])
