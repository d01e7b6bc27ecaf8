"""The cache as this app uses it: keys that say nothing, and failures that cost speed, never the page."""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
_FAILED_AT = "_alguna_portal_failed_at"  # on the backend, of which Django makes one a thread


def get_cache_key(kind: str, parts: list[Any]) -> str:
    """Make a key out of everything that it stands for: a keyed hash, from which nothing can be read or guessed."""
    # Under the oldest secret that still counts: while one is rotated, processes that know both and those that know
    # only the old one must agree on names, or what one of them forgets the others still give out.
    secrets = [secret for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret]
    digest = salted_hmac("alguna_portal.cache", json.dumps(parts), secret=secrets[-1], algorithm="sha256").hexdigest()
    return f"alguna_portal:{kind}:{digest}"


def try_cache(operation: Callable[[BaseCache], T], otherwise: T, *, force: bool = False) -> T:
    """Do something with the cache, or else go on; its failure is logged without its text, which may hold anything.

    A cache that failed is left alone for a moment, since one click asks it several times, and one that hangs
    would take its time for each; `force` asks all the same.
    """
    cache = caches[conf.CACHE]
    if not force and monotonic() - getattr(cache, _FAILED_AT, -PAUSE_SECONDS) < PAUSE_SECONDS:
        return otherwise
    try:
        with _savepoint(cache):
            return operation(cache)
    except Exception as exc:  # noqa: BLE001  (backends raise what they like)
        setattr(cache, _FAILED_AT, monotonic())
        message = "The cache “%(cache)s” failed (%(error)s) and is done without. Check CACHES."
        log_event(logger.warning, "cache_failed", message, cache=conf.CACHE, exc=exc)
        return otherwise


def is_database_cache() -> bool:
    """Say whether the cache is a table in a database."""
    return isinstance(caches[conf.CACHE], BaseDatabaseCache)


def _savepoint(cache: BaseCache) -> AbstractContextManager[Any]:
    """Guard against failures of the database cache; no other is part of a transaction."""
    if isinstance(cache, BaseDatabaseCache):
        return savepoint(router.db_for_write(cache.cache_model_class))
    return nullcontext()
