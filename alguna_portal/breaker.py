"""The breaker: while Alguna is down, nobody waits for it.

After `FAILURES` failed requests in a row, from all processes together, none is sent for `OPEN_SECONDS`; then one
goes ahead as a probe, and decides. The state lives in the cache, so processes learn from each other, and
without a working cache there is no breaker. Failures are outages and timeouts. An answer of 4xx is none: whoever
refuses is there.

pybreaker was weighed. Its storage would have to be written for Django's caches, which is as much code as this
is, and it lets every process send a probe of its own.
"""

from math import ceil
from time import time
from typing import Any

from django.core.cache.backends.base import BaseCache

from .cache import attempt, cache_key
from .conf import conf
from .exceptions import AlgunaUnavailable, BreakerOpen

FAILURES = 5
OPEN_SECONDS = 15
# How long failures are remembered, and so how long after its opening a breaker still asks for a probe first.
MEMORY_SECONDS = 60


class Breaker:
    """The breaker of one account at Alguna, for one call with its retries."""

    def __init__(self) -> None:
        account = [conf.API_URL]
        # One entry for each failure, since `add` is atomic on every cache that processes share and `incr` is not.
        self._failures = [cache_key("breaker-failure", [*account, number]) for number in range(FAILURES)]
        self._open_until = cache_key("breaker-open", account)
        self._probe = cache_key("breaker-probe", account)
        self._seen_failures = 0

    def before_request(self) -> None:
        """Let a request pass, or raise `BreakerOpen` with the seconds until the next one may."""
        found: dict[str, Any] = attempt(lambda cache: cache.get_many([*self._failures, self._open_until]), {})
        self._seen_failures = len(found.keys() & self._failures)
        if self._open_until in found:
            # The entry's own life decides; its content only tells people when to come back.
            raise self._refusal(found[self._open_until] - time())
        if self._seen_failures >= FAILURES and not attempt(self._becomes_probe, True):
            raise self._refusal(1)

    def after_request(self, failure: Exception | None) -> None:
        """Learn from a request: from its failure, or from its success."""
        if isinstance(failure, AlgunaUnavailable) and not (failure.status and failure.status < 500):
            attempt(self._count, None)
        elif self._seen_failures:
            attempt(lambda cache: cache.delete_many([*self._failures, self._open_until, self._probe]), None)

    def _becomes_probe(self, cache: BaseCache) -> bool:
        # Whoever probes and dies blocks the next probe no longer than a call may take.
        return cache.add(self._probe, 1, timeout=ceil(conf.TIME_BUDGET))

    def _count(self, cache: BaseCache) -> None:
        any(cache.add(entry, 1, timeout=MEMORY_SECONDS) for entry in self._failures)
        if len(cache.get_many(self._failures)) == FAILURES:
            cache.set_many(dict.fromkeys(self._failures, 1), timeout=MEMORY_SECONDS)
            cache.set(self._open_until, time() + OPEN_SECONDS, timeout=OPEN_SECONDS)
            cache.delete(self._probe)

    def _refusal(self, seconds: float) -> BreakerOpen:
        return BreakerOpen(
            f"Alguna failed {FAILURES} times in a row and is left alone for a moment.",
            retry_after=min(max(seconds, 1), OPEN_SECONDS),
        )
