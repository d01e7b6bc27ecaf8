"""The breaker: while Alguna is down or hangs, nobody waits for it.

After `FAILURES` failed calls in a row, from all processes together, none is made for `OPEN_SECONDS`; then one
goes ahead as a probe, and decides. Failures are outages and timeouts. An answer of 4xx is none: whoever refuses
is there.

A failure may take as long as a timeout to show, and by then every worker of a site could be waiting. So calls
under way are watched as well: while `SLOW_CALLS` of them have been under way for more than `SLOW_SECONDS`, which no
healthy answer takes, no other is made. (Less by up to a second, on caches that count whole seconds.)

The state lives in the cache, so processes learn from each other, and all times are the cache's own: no clocks of
theirs are compared. Without a working cache there is no breaker. Each failure and each call under way is an
entry of its own, since `add` is atomic on every cache that processes share, and `incr` is not.

pybreaker was weighed. Its storage would have to be written for Django's caches, which is as much code as this
is; it lets every process send a probe of its own, and it watches no calls under way.
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
# How long failures are remembered, and so how long after its opening a breaker still asks for a probe first.
MEMORY_SECONDS = 60
SLOW_CALLS = 3
SLOW_SECONDS = 3


class CircuitBreaker:
    """The breaker of one API, for one call with its retries."""

    def __init__(self) -> None:
        account = get_cache_key("breaker", [conf.API_URL])
        self._failures = [f"{account}:failure{number}" for number in range(FAILURES)]
        self._open_until = f"{account}:open"
        self._probe = f"{account}:probe"
        self._under_way = [f"{account}:under-way{number}" for number in range(SLOW_CALLS)]
        self._young = [f"{account}:young{number}" for number in range(SLOW_CALLS)]
        self._seen_failures = 0
        # Which of the entries for calls under way is ours, if one was free.
        self._place: int | None = None

    def before_call(self) -> None:
        """Let a call pass, or raise `BreakerOpen` with the seconds until the next one may."""
        entries = [*self._failures, self._open_until, *self._under_way, *self._young]
        found: dict[str, Any] = try_cache(lambda cache: cache.get_many(entries), {})
        self._seen_failures = len(found.keys() & self._failures)
        if self._open_until in found:
            # The entry's own life decides; its content only tells people when to come back.
            raise _refusal("failed several times in a row", found[self._open_until] - time())
        if found.keys() >= set(self._under_way) and not found.keys() & self._young:
            raise _refusal("keeps several calls waiting", SLOW_SECONDS)
        if self._seen_failures >= FAILURES and not try_cache(self._becomes_probe, True):
            raise _refusal("failed several times in a row", 1)
        self._place = try_cache(self._set_out, None)

    def after_call(self, failure: BaseException | None) -> None:
        """Learn from a call: from its failure or its success, and nothing from one that was cut off."""
        if self._place is not None:
            ours = [self._under_way[self._place], self._young[self._place]]
            try_cache(lambda cache: cache.delete_many(ours), None, force=True)
        if isinstance(failure, AlgunaUnavailable) and not (failure.status and failure.status < 500):
            try_cache(self._count, None)
        elif self._seen_failures and (failure is None or isinstance(failure, AlgunaError)):
            try_cache(lambda cache: cache.delete_many([*self._failures, self._open_until, self._probe]), None)

    def _becomes_probe(self, cache: BaseCache) -> bool:
        return cache.add(self._probe, 1, timeout=_longest_call())

    def _set_out(self, cache: BaseCache) -> int | None:
        """Take one of the entries for calls under way, if one is free; those who find none are not watched."""
        for number, (entry, young) in enumerate(zip(self._under_way, self._young, strict=True)):
            if cache.add(entry, 1, timeout=_longest_call()):
                cache.set(young, 1, timeout=SLOW_SECONDS)
                return number
        return None

    def _count(self, cache: BaseCache) -> None:
        any(cache.add(entry, 1, timeout=MEMORY_SECONDS) for entry in self._failures)
        if len(cache.get_many(self._failures)) == FAILURES:
            cache.set_many(dict.fromkeys(self._failures, 1), timeout=MEMORY_SECONDS)
            cache.set(self._open_until, time() + OPEN_SECONDS, timeout=OPEN_SECONDS)
            message = "Alguna failed %(failures)s times in a row, and is left alone for %(seconds)s s."
            log_event(logger.warning, "breaker_opened", message, failures=FAILURES, seconds=OPEN_SECONDS)
            cache.delete(self._probe)


def _longest_call() -> int:
    """Return how long an entry may outlive a process that died in mid-call, in seconds."""
    return ceil(conf.TIME_BUDGET)


def _refusal(why: str, seconds: float) -> BreakerOpen:
    return BreakerOpen(f"Alguna {why} and is left alone for a moment.", retry_after=min(max(seconds, 1), OPEN_SECONDS))
