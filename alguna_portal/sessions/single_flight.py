"""Single flight: of many callers that need the same value at the same time, one creates it and all get the result.

The caller that adds the lock to the cache is the leader. It creates the value, stores the outcome (the value or the
exception) under the lock's token, and releases the lock. The others are followers: they wait for the outcome of the
token that they found. If a leader dies, it stores nothing and its lock expires; then a follower becomes the leader.

The times are shares of the request's budget. A lock expires after three quarters of it, and the leader's call gets no
more time, so no second call starts while the first one runs. The last eighth is for followers that have waited in
vain: they create a value of their own, without a lock.
"""

from collections.abc import Callable
from random import uniform
from time import monotonic, sleep
from typing import Any, TypeVar
from uuid import uuid4

from django.core.cache.backends.base import BaseCache

from alguna_portal import exceptions
from alguna_portal.cache import try_cache
from alguna_portal.exceptions import AlgunaError

LOCK_SHARE = 3 / 4
ALONE_SHARE = 1 / 8
POLL_SECONDS = 0.01, 0.1  # The first and the longest pause: most responses come fast, the others take long.
OUTCOME_KEY = "alguna_portal:outcome:%s"
OUTCOME_SECONDS = 30

T = TypeVar("T")


def single_flight(
    lock: str,
    create: Callable[[float], T],
    *,
    budget: float,
    serialize: Callable[[T], Any],
    deserialize: Callable[[Any], T | None],
) -> T:
    """Return the value that `create` returns, or raise what it raises; it runs once for all callers with this lock.

    `create` gets the seconds that it may use. It should first check if the value exists by now, because the last
    leader may have released the lock a moment ago. `serialize` makes the value fit for the cache. `deserialize` returns
    None if it can't read it. All callers return or raise within about `budget` seconds.
    """
    started = monotonic()
    while (left := budget * (1 - ALONE_SHARE) - (monotonic() - started)) > 0:
        # Caches count whole seconds, and some lose one. The call gets no more time than its lock.
        token, seconds = uuid4().hex, max(1, int(min(budget * LOCK_SHARE, left)))
        if _acquire(lock, token, seconds):
            return _lead(lock, token, create, min(seconds, left), serialize)
        if (value := _follow(lock, left, deserialize)) is not None:
            return value
    return create(budget - (monotonic() - started))


def _acquire(lock: str, token: str, seconds: int) -> bool:
    def add(cache: BaseCache) -> bool:
        for _ in range(2):
            if cache.add(lock, token, timeout=seconds + 1):
                return True
            if cache.get(lock) is not None:
                return False
        # If `add` fails twice although there is no lock, the cache fails silently.
        return True

    # If the cache fails, every caller is a leader.
    return try_cache(add, True)


def _lead(lock: str, token: str, create: Callable[[float], T], seconds: float, serialize: Callable[[T], Any]) -> T:
    started = monotonic()
    outcome: dict[str, Any] = {}
    try:
        value = create(seconds)
        outcome = {"value": serialize(value)}
    except AlgunaError as exc:
        outcome = {"failure": type(exc).__name__, "arguments": [str(exc), exc.status, exc.retry_after]}
        raise
    finally:
        # After the lock has expired, another caller may hold it.
        is_ours = monotonic() - started < seconds
        if outcome:
            try_cache(lambda cache: cache.set(OUTCOME_KEY % token, outcome, timeout=OUTCOME_SECONDS), None)
        # A cache that refuses to write may still delete, and a lock that stays makes other callers wait.
        if is_ours:
            try_cache(lambda cache: cache.get(lock) == token and cache.delete(lock), False, force=True)
    return value


def _follow(lock: str, seconds: float, deserialize: Callable[[Any], T | None]) -> T | None:
    """Wait for the leader's outcome; return None if the leader has died or the time is up."""
    until = monotonic() + seconds
    pause, longest = POLL_SECONDS
    token = try_cache(lambda cache: cache.get(lock), None)
    while token and monotonic() < until:
        sleep(uniform(pause / 2, pause))  # noqa: S311  (spreads the load, keeps no secret)
        pause = min(pause * 1.5, longest)
        is_locked = try_cache(lambda cache: cache.get(lock), None) == token
        # Read after the lock, because a leader stores its outcome before it releases the lock.
        if outcome := try_cache(lambda cache: cache.get(OUTCOME_KEY % token), None):
            if "failure" not in outcome:
                return deserialize(outcome.get("value"))
            message, status, retry_after = outcome["arguments"]
            raise getattr(exceptions, outcome["failure"], AlgunaError)(message, status=status, retry_after=retry_after)
        if not is_locked:
            break
    return None
