"""Circuit breaker for calls to the Alguna API: while Alguna is down or hangs, calls fail at once.

After `FAILURES` failed calls in a row, counted over all processes, no call is made for `OPEN_SECONDS`. Then one call is
made as a probe. If it succeeds, the breaker closes; if it fails, the breaker opens again. Only outages and timeouts are
failures: a 4xx response shows that Alguna works.

A failure can take as long as a timeout, and by then every worker of a site could be waiting. So calls in progress count
too: while `SLOW_CALLS` of them have lasted longer than `SLOW_SECONDS`, no other call is made. (Up to a second less with
caches that count whole seconds.)

The state is in the cache, which all processes share. Expiry uses the cache's clock, so clocks needn't agree. If the
cache fails, there is no breaker. Each failure and each call in progress is a cache entry, because `add` is atomic on
every shared cache and `incr` isn't.

pybreaker isn't used: its storage would have to be written for Django's caches, which is as much code as this module;
each process would send its own probe; and it doesn't count calls in progress.
"""

import logging
from math import ceil
from time import time
from typing import Any

from django.core.cache.backends.base import BaseCache

from alguna_portal.cache import get_cache_key, try_cache
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, BreakerOpen
from alguna_portal.log_events import log_event

logger = logging.getLogger(__name__)

FAILURES = 5
OPEN_SECONDS = 15
# How long failures count. Until then, a breaker that was open makes a probe first.
MEMORY_SECONDS = 60
SLOW_CALLS = 3
SLOW_SECONDS = 3


class CircuitBreaker:
    """The circuit breaker of one API, used for one call including its retries."""

    def __init__(self) -> None:
        prefix = get_cache_key("breaker", [conf.API_URL])
        # How long an entry may outlive a process that was killed during a call.
        self._longest_call = ceil(conf.TIME_BUDGET)
        self._failures = [f"{prefix}:failure{number}" for number in range(FAILURES)]
        self._open_until = f"{prefix}:open"
        self._probe = f"{prefix}:probe"
        # A call in progress has an entry, and a second one until it counts as slow.
        self._in_progress = [f"{prefix}:under-way{number}" for number in range(SLOW_CALLS)]
        self._not_slow = [f"{prefix}:young{number}" for number in range(SLOW_CALLS)]
        self._slot: tuple[str, ...] = ()
        self._failure_count = 0

    def before_call(self) -> None:
        """Return if the call may be made; raise `BreakerOpen` with the seconds to wait if not."""
        keys = [*self._failures, self._open_until, *self._in_progress, *self._not_slow]
        found: dict[str, Any] = try_cache(lambda cache: cache.get_many(keys), {})
        self._failure_count = len(found.keys() & self._failures)
        if self._open_until in found:
            # The expiry of the entry decides, not the time in it: clocks may differ.
            raise _create_exception("failed several times in a row", found[self._open_until] - time())
        if found.keys() >= set(self._in_progress) and not found.keys() & self._not_slow:
            raise _create_exception("keeps several calls waiting", SLOW_SECONDS)
        if self._failure_count >= FAILURES and not try_cache(self._becomes_probe, True):
            raise _create_exception("failed several times in a row", 1)
        self._slot = try_cache(self._take_slot, ())

    def after_call(self, failure: BaseException | None) -> None:
        """Record how the call ended: success, failure, or neither if the call was interrupted."""
        if self._slot:
            try_cache(lambda cache: cache.delete_many(self._slot), None, force=True)
        if isinstance(failure, AlgunaUnavailable) and not (failure.status and failure.status < 500):
            try_cache(self._count_failure, None)
        elif self._failure_count and (failure is None or isinstance(failure, AlgunaError)):
            try_cache(lambda cache: cache.delete_many([*self._failures, self._open_until, self._probe]), None)

    def _becomes_probe(self, cache: BaseCache) -> bool:
        return cache.add(self._probe, 1, timeout=self._longest_call)

    def _take_slot(self, cache: BaseCache) -> tuple[str, ...]:
        """Add the entries of a call in progress; return their keys, or none if there are enough."""
        for in_progress, not_slow in zip(self._in_progress, self._not_slow, strict=True):
            if cache.add(in_progress, 1, timeout=self._longest_call):
                cache.set(not_slow, 1, timeout=SLOW_SECONDS)
                return in_progress, not_slow
        return ()

    def _count_failure(self, cache: BaseCache) -> None:
        any(cache.add(entry, 1, timeout=MEMORY_SECONDS) for entry in self._failures)
        if len(cache.get_many(self._failures)) == FAILURES:
            cache.set_many(dict.fromkeys(self._failures, 1), timeout=MEMORY_SECONDS)
            cache.set(self._open_until, time() + OPEN_SECONDS, timeout=OPEN_SECONDS)
            message = "Alguna failed %(failures)s times in a row, and is left alone for %(seconds)s s."
            log_event(logger.warning, "breaker_opened", message, failures=FAILURES, seconds=OPEN_SECONDS)
            cache.delete(self._probe)


def _create_exception(reason: str, seconds: float) -> BreakerOpen:
    retry_after = min(max(seconds, 1), OPEN_SECONDS)
    return BreakerOpen(f"Alguna {reason} and is left alone for a moment.", retry_after=retry_after)
