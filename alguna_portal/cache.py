"""Access to Django's cache: hashed keys, and failures that are logged but never break a page."""

import json
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import router
from django.utils.crypto import salted_hmac

from .conf import conf
from .log_events import log_event
from .transactions import savepoint

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 1.0
_FAILED_AT = "_alguna_portal_failed_at"  # on the backend, of which each thread has its own


def get_cache_key(kind: str, parts: list[Any]) -> str:
    """Return a cache key for these parts: a keyed hash that doesn't reveal them."""
    # The oldest secret: while secrets are rotated, processes with and without the new one need the same keys.
    secrets = [secret for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret]
    digest = salted_hmac("alguna_portal.cache", json.dumps(parts), secret=secrets[-1], algorithm="sha256").hexdigest()
    return f"alguna_portal:{kind}:{digest}"


def try_cache(operation: Callable[[BaseCache], T], default: T, *, force: bool = False) -> T:
    """Call `operation` with the cache and return its result, or `default` if it fails.

    After a failure, the cache isn't used for `PAUSE_SECONDS` unless `force` is set: one click uses the cache several
    times and would have to wait for each timeout. The log doesn't contain the exception's text, which may be secret.
    """
    cache = caches[conf.CACHE]
    if not force and monotonic() - getattr(cache, _FAILED_AT, -PAUSE_SECONDS) < PAUSE_SECONDS:
        return default
    try:
        # Only the database cache takes part in transactions.
        if isinstance(cache, BaseDatabaseCache):
            with savepoint(router.db_for_write(cache.cache_model_class)):
                return operation(cache)
        return operation(cache)
    except Exception as exc:  # noqa: BLE001  (each backend has its own exceptions)
        setattr(cache, _FAILED_AT, monotonic())
        message = "The cache “%(cache)s” failed (%(error)s) and is done without. Check CACHES."
        log_event(logger.warning, "cache_failed", message, cache=conf.CACHE, exc=exc)
        return default


def is_database_cache() -> bool:
    """Return whether the cache is a table in a database."""
    return isinstance(caches[conf.CACHE], BaseDatabaseCache)
