"""The breaker: while Alguna is down or hangs, nobody waits for it.

After `FAILURES` failed requests in a row, from all processes together, none is sent for `OPEN_SECONDS`; then one
goes ahead as a probe, and decides. Failures are outages and timeouts. An answer of 4xx is none: whoever refuses
is there.

A failure may take as long as a timeout to show, and by then every worker of a site could be waiting. So requests
under way are watched as well: while `SLOW_REQUESTS` of them have been under way for more than `SLOW_SECONDS`, no
other is sent.

The state lives in the cache, so processes learn from each other, and all times are the cache's own: no clocks of
theirs are compared. Without a working cache there is no breaker. Each failure and each request under way is an
entry of its own, since `add` is atomic on every cache that processes share, and `incr` is not.

pybreaker was weighed. Its storage would have to be written for Django's caches, which is as much code as this
is; it lets every process send a probe of its own, and it watches no requests under way.
"""

from math import ceil
from time import time
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.memcached import BaseMemcachedCache

from .cache import attempt, cache_key
from .conf import conf
from .exceptions import AlgunaUnavailable, BreakerOpen

FAILURES = 5
OPEN_SECONDS = 15
# How long failures are remembered, and so how long after its opening a breaker still asks for a probe first.
MEMORY_SECONDS = 60
SLOW_REQUESTS = 3
SLOW_SECONDS = 1


class Breaker:
    """The breaker of one account at Alguna, for one call with its retries."""

    def __init__(self) -> None:
        account = cache_key("breaker", [conf.API_URL])
        self._failures = [f"{account}:failure{number}" for number in range(FAILURES)]
        self._open_until = f"{account}:open"
        self._probe = f"{account}:probe"
        self._under_way = [f"{account}:under-way{number}" for number in range(SLOW_REQUESTS)]
        self._young = [f"{account}:young{number}" for number in range(SLOW_REQUESTS)]
        self._seen_failures = 0
        # Which of the entries for requests under way is ours, if one was free.
        self._place: int | None = None

    def before_request(self) -> None:
        """Let a request pass, or raise `BreakerOpen` with the seconds until the next one may."""
        entries = [*self._failures, self._open_until, *self._under_way, *self._young]
        found: dict[str, Any] = attempt(lambda cache: cache.get_many(entries), {})
        self._seen_failures = len(found.keys() & self._failures)
        if self._open_until in found:
            # The entry's own life decides; its content only tells people when to come back.
            raise _refusal("failed several times in a row", found[self._open_until] - time())
        if found.keys() >= set(self._under_way) and not found.keys() & self._young:
            raise _refusal("keeps several requests waiting", SLOW_SECONDS)
        if self._seen_failures >= FAILURES and not attempt(self._becomes_probe, True):
            raise _refusal("failed several times in a row", 1)
        self._place = attempt(self._set_out, None)

    def after_request(self, failure: Exception | None) -> None:
        """Learn from a request: from its failure, or from its success."""
        if self._place is not None:
            ours = [self._under_way[self._place], self._young[self._place]]
            attempt(lambda cache: cache.delete_many(ours), None)
        if isinstance(failure, AlgunaUnavailable) and not (failure.status and failure.status < 500):
            attempt(self._count, None)
        elif self._seen_failures:
            attempt(lambda cache: cache.delete_many([*self._failures, self._open_until, self._probe]), None)

    def _becomes_probe(self, cache: BaseCache) -> bool:
        return cache.add(self._probe, 1, timeout=_longest_call())

    def _set_out(self, cache: BaseCache) -> int | None:
        """Take one of the entries for requests under way, if one is free; those who find none are not watched."""
        for number, (entry, young) in enumerate(zip(self._under_way, self._young, strict=True)):
            if cache.add(entry, 1, timeout=_longest_call()):
                # Memcached counts in ticks of a second: up to one is lost.
                cache.set(young, 1, timeout=SLOW_SECONDS + isinstance(cache, BaseMemcachedCache))
                return number
        return None

    def _count(self, cache: BaseCache) -> None:
        any(cache.add(entry, 1, timeout=MEMORY_SECONDS) for entry in self._failures)
        if len(cache.get_many(self._failures)) == FAILURES:
            cache.set_many(dict.fromkeys(self._failures, 1), timeout=MEMORY_SECONDS)
            cache.set(self._open_until, time() + OPEN_SECONDS, timeout=OPEN_SECONDS)
            cache.delete(self._probe)


def _longest_call() -> int:
    """Return how long an entry may outlive a process that died in mid-call, in seconds."""
    return ceil(conf.TIME_BUDGET)


def _refusal(why: str, seconds: float) -> BreakerOpen:
    return BreakerOpen(f"Alguna {why} and is left alone for a moment.", retry_after=min(max(seconds, 1), OPEN_SECONDS))
