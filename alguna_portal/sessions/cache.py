"""Session cache: cache keys, invalidation, serialization and encryption.

A cached session is a credential. Its cache key is a hash of everything that the session depends on (account, customer,
portal settings, reuse scope), so a changed plan or role never gets an old session.

Every entry contains the generation that its customer had when the session was requested. `forget` deletes the
generation, so all of the customer's entries become misses, including sessions that are still being created.
"""

import json
import logging
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.cache.backends.base import BaseCache
from django.utils.encoding import force_bytes
from django.views.decorators.debug import sensitive_variables

from alguna_portal.api.responses import PortalSession
from alguna_portal.cache import get_cache_key, try_cache
from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer
from alguna_portal.portal_settings import PortalSettings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

logger = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(minutes=1)  # the most by which the clocks of machines that share a cache may differ
# Longer than any session lives. If a generation expires early, the only cost is a new session.
GENERATION_SECONDS = timedelta(days=31).total_seconds()
# Makes these keys different from all other keys that Django and this app derive from the same secret.
ENCRYPTION_PURPOSE = b"alguna_portal.encryption"


def get_cache_entry(
    customer: Customer,
    portal_settings: PortalSettings,
    *,
    user: AbstractBaseUser | AnonymousUser | None,
    browser: str | None,
) -> "SessionCacheEntry | None":
    """Return the cache entry for a session in the reuse scope; None if this caller's sessions aren't reused."""
    scope = conf.SESSION_REUSE
    holder = {"user": user and user.pk, "browser": browser, "customer": "all", "never": None}[scope]
    if holder in (None, ""):
        return None
    # Read here, because in `SessionCacheEntry.get` a wrong setting would look like a cache failure.
    _ = conf.ENCRYPT_CACHE
    parts = [conf.API_URL, conf.API_KEY, str(customer.alias), portal_settings.payload(), scope, str(holder)]
    return SessionCacheEntry(get_cache_key("session", parts), _get_generation_key(customer))


def forget(customer: Customer) -> bool:
    """Invalidate a customer's cached sessions, for all users and roles.

    If the cache fails, log an error and return False: then the sessions may still be reused.
    """
    forgotten = try_cache(lambda cache: [cache.delete(_get_generation_key(customer))], None, force=True) is not None
    if not forgotten:
        message = "Customer %(customer)s: cached sessions could not be forgotten."
        log_event(logger.error, "sessions_not_forgotten", message, customer=customer.pk)
    return forgotten


def _get_generation_key(customer: Customer) -> str:
    return get_cache_key("generation", [str(customer.alias)])


class SessionCacheEntry:
    """The cache entry of one session."""

    def __init__(self, key: str, generation_key: str) -> None:
        self.key = key
        self.lock_key = f"{key}:lock"
        self.generation_key = generation_key
        # Set by `get`. `put` stores nothing without it, because `forget` couldn't invalidate that entry.
        self._generation: str | None = None

    def get(self) -> PortalSession | None:
        """Return the cached session, or None if there is none, it has expired or the cache fails."""
        return try_cache(self._get, None)

    def put(self, session: PortalSession) -> None:
        """Cache a session until it expires. Call `get` before the session is requested, to read the generation."""
        seconds = (session.expires_at - datetime.now(UTC)).total_seconds()
        if self._generation is not None and seconds > 0:
            entry = serialize_session(session) | {"generation": self._generation}
            try_cache(lambda cache: cache.set(self.key, entry, timeout=seconds), None)

    def _get(self, cache: BaseCache) -> PortalSession | None:
        found = cache.get_many([self.key, self.generation_key])
        self._generation = found.get(self.generation_key)
        if self._generation is None:
            # If two processes do this at the same time, `get_or_set` returns the first one's value to both.
            self._generation = cache.get_or_set(self.generation_key, lambda: uuid4().hex, GENERATION_SECONDS)
        entry = found.get(self.key)
        if not isinstance(entry, dict) or entry.get("generation") != self._generation:
            return None
        session = deserialize_session(entry)
        now = datetime.now(UTC)
        # If a session was created in the future, our clock was set back and its real lifetime is unknown.
        from_future = session and session.created_at > now + CLOCK_TOLERANCE
        return session if session and session.expires_at > now and not from_future else None


@sensitive_variables("plain")
def serialize_session(session: PortalSession) -> dict[str, str]:
    """Return a session, including its URL, as a dict for the cache. With `ENCRYPT_CACHE` the dict is encrypted."""
    is_encrypted = conf.ENCRYPT_CACHE
    plain = {
        "id": session.id,
        "customer_id": session.customer_id,
        "url": session.url,
        "created_at": session.created_at.isoformat(),
        "expires_at": session.expires_at.isoformat(),
    }
    return {"sealed": encrypt(plain)} if is_encrypted else plain


@sensitive_variables("entry", "plain")
def deserialize_session(entry: Any) -> PortalSession | None:
    """Return the session in a dict from the cache; None if it isn't valid, or isn't encrypted as configured."""
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


@sensitive_variables("data")
def encrypt(data: dict[str, str]) -> str:
    """Encrypt data with a key derived from `SECRET_KEY`; raise `ImproperlyConfigured` if that is empty."""
    return _get_cipher(_get_secrets()).encrypt(json.dumps(data).encode()).decode()


def decrypt(token: object) -> Any:
    """Return the data that was encrypted with any of the current secrets, or None for anything else."""
    from cryptography.fernet import InvalidToken

    cipher = _get_cipher(_get_secrets())
    # The token's age isn't checked: entries contain their own expiry time, and clocks may differ.
    try:
        return json.loads(cipher.decrypt(token)) if isinstance(token, str) else None
    except (InvalidToken, ValueError):
        return None


def _get_secrets() -> tuple[bytes, ...]:
    # Django rejects an empty `SECRET_KEY`, but not an empty fallback, whose key anybody could derive.
    return tuple(force_bytes(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret)


# The secrets are the arguments, so a changed setting has an effect at once. With `maxsize=1` old secrets don't stay.
@lru_cache(maxsize=1)
@sensitive_variables()
def _get_cipher(secrets: tuple[bytes, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # HKDF derives a key from a secret that is hard to guess but not uniform, and has a field for the purpose.
    # `salted_hmac` is for signatures, and the stretching used for passwords doesn't improve a good secret.
    keys = [HKDF(algorithm=SHA256(), length=32, salt=None, info=ENCRYPTION_PURPOSE).derive(each) for each in secrets]
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
