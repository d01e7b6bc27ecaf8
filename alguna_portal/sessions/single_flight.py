"""Single flight: many ask for the same missing session at once, one asks Alguna, and all get its answer.

Whoever adds the lock to the cache leads: calls Alguna, leaves the outcome, session or failure, under the lock's
token, and lets go. The others follow: they wait for the outcome of the token that they found. A leader that
dies leaves nothing, and its lock expires; then one of the followers leads.

The times are shares of the request's budget. A lock lives three quarters of it, and the leader's call is given
no longer, so no second call begins while the first is under way. The last eighth belongs to those who waited in
vain for all of the rest: they go alone.
"""

from collections.abc import Callable
from random import uniform
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from django.core.cache.backends.base import BaseCache

from alguna_portal import exceptions
from alguna_portal.api.responses import PortalSession
from alguna_portal.cache import try_cache
from alguna_portal.exceptions import AlgunaError

from .cache import deserialize_session, serialize_session

LOCK_SHARE = 3 / 4
ALONE_SHARE = 1 / 8
POLL_SECONDS = 0.01, 0.1  # from, to: at first a fast Alguna is likely, later a slow one
OUTCOME_SECONDS = 30


def single_flight(lock: str, make: Callable[[float], PortalSession], *, budget: float) -> PortalSession:
    """Return what `make` makes, called once however many ask under the same lock; or raise what it raises.

    `make` takes the seconds that it may use. It should look first whether there is a session by now: the last
    leader may have let go the moment before.
    """
    started = monotonic()
    while (left := budget * (1 - ALONE_SHARE) - (monotonic() - started)) > 0:
        # Caches count whole seconds, and some lose one. The call is given no more than its lock.
        token, life = uuid4().hex, max(1, int(min(budget * LOCK_SHARE, left)))
        if _acquire(lock, token, life):
            return _lead(lock, token, make, min(life, left))
        if session := _follow(lock, left):
            return session
    return make(budget - (monotonic() - started))


def _acquire(lock: str, token: str, life: int) -> bool:
    def add(cache: BaseCache) -> bool:
        for _ in range(2):
            if cache.add(lock, token, timeout=life + 1):
                return True
            if cache.get(lock) is not None:
                return False
        # Twice nothing could be added, and nothing was there: a cache that fails without a word.
        return True

    # Without a working cache everybody leads.
    return try_cache(add, True)


def _lead(lock: str, token: str, make: Callable[[float], PortalSession], seconds: float) -> PortalSession:
    started = monotonic()
    outcome: dict[str, Any] = {}
    try:
        session = make(seconds)
        outcome = {"session": serialize_session(session)}
    except AlgunaError as exc:
        outcome = {"failure": type(exc).__name__, "arguments": [str(exc), exc.status, exc.retry_after]}
        raise
    finally:
        # Once its life is over, the lock is another's.
        is_ours = monotonic() - started < seconds
        if outcome:
            try_cache(lambda cache: cache.set(_outcome_key(token), outcome, timeout=OUTCOME_SECONDS), None)
        # A cache that refuses the one may still do the other, and a lock left behind would make people wait.
        if is_ours:
            try_cache(lambda cache: _let_go(cache, lock, token), None, force=True)
    return session


def _let_go(cache: BaseCache, lock: str, token: str) -> None:
    if cache.get(lock) == token:
        cache.delete(lock)


def _follow(lock: str, seconds: float) -> PortalSession | None:
    """Wait for the outcome of whoever leads; return None where it died, or where time is up."""
    until = monotonic() + seconds
    pause, longest = POLL_SECONDS
    token = try_cache(lambda cache: cache.get(lock), None)
    while token and monotonic() < until:
        sleep(uniform(pause / 2, pause))  # noqa: S311  (spreads the load, keeps no secret)
        pause = min(pause * 1.5, longest)
        leads = try_cache(lambda cache: cache.get(lock), None) == token
        # Read after the lock: a leader leaves its outcome before it lets go.
        if outcome := try_cache(lambda cache: cache.get(_outcome_key(token)), None):
            return _reached(outcome)
        if not leads:
            break
    return None


def _reached(outcome: dict[str, Any]) -> PortalSession | None:
    """Return the session that the leader has made, or fail as it did."""
    if "failure" in outcome:
        message, status, retry_after = outcome["arguments"]
        raise getattr(exceptions, outcome["failure"], AlgunaError)(message, status=status, retry_after=retry_after)
    return deserialize_session(outcome.get("session"))


def _outcome_key(token: str) -> str:
    return f"alguna_portal:outcome:{token}"
