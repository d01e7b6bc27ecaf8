"""Clicks on Billing whose session is in the cache: ours and those written by hand, in turns."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from django.core.cache import cache
from django.db import connection

from benchmarks.users import settle
from benchmarks.settings import ORDER
from benchmarks.site import key_by_hand
from benchmarks.wsgi_client import Visit, visitor


def warm(cookie: str) -> tuple[Visit, Visit]:
    """Bring a session into the cache, once by our view and once by hand; return how to click on either."""
    ours, by_hand = visitor("/billing/", cookie), visitor("/billing-by-hand/", cookie)
    status, headers = ours()
    if status != "302 Found":
        raise RuntimeError(f"The first click was answered with {status}.")
    kept = {"url": headers["Location"], "expires_at": datetime.now(UTC) + timedelta(hours=6)}
    cache.set(key_by_hand(1, 1), kept, timeout=6 * 60 * 60)
    if _essence(ours()) != _essence(by_hand()):
        raise RuntimeError("The two views answer differently.")
    return ours, by_hand


def _essence(answer: tuple[str, Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Leave out what names the forms that only ours has."""
    status, headers = answer
    return status, {name: value for name, value in headers.items() if name != "Vary"}


def block(visit: Visit, clicks: int) -> float:
    """Click so many times; return the mean time of a click in microseconds."""
    started = perf_counter()
    for _ in range(clicks):
        if visit()[0] != "302 Found":
            raise RuntimeError("A click did not lead to the portal.")
    return (perf_counter() - started) / clicks * 1e6


def queries(visit: Visit) -> int:
    """Count the queries of one request."""
    count = 0

    def counted(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(counted):
        visit()
    return count


def compare(cookie: str, blocks: int, clicks: int) -> dict[str, Any]:
    """Measure blocks of clicks in turns, each first every other time."""
    ours, by_hand = warm(cookie)
    times: dict[str, list[float]] = {"ours": [], "by_hand": []}
    visits = [("ours", ours), ("by_hand", by_hand)]
    for _ in range(5):
        for _, visit in visits:
            block(visit, clicks)
    for number in range(blocks):
        for name, visit in visits if number % 2 else reversed(visits):
            times[name].append(block(visit, clicks))
    beyond_sign_in = queries(ours) - queries(visitor("/signed-in/", cookie))
    return {**times, "queries": beyond_sign_in}


if __name__ == "__main__":
    print(json.dumps(compare(settle(1)[0], ORDER["blocks"], ORDER["clicks"])))
