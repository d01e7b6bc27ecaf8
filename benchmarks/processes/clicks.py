"""Clicks with a cached session: on the app's view and on the hand-written one, in turns."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from django.core.cache import cache
from django.db import connection

from benchmarks.settings import ORDER
from benchmarks.site import get_handwritten_key
from benchmarks.users import create_users
from benchmarks.wsgi_click import Click, create_click


def fill_cache(cookie: str) -> tuple[Click, Click]:
    """Cache a session for each view; return functions that click on them."""
    ours, by_hand = create_click("/billing/", cookie), create_click("/billing-by-hand/", cookie)
    status, headers = ours()
    if status != "302 Found":
        raise RuntimeError(f"The first click was answered with {status}.")
    kept = {"url": headers["Location"], "expires_at": datetime.now(UTC) + timedelta(hours=6)}
    cache.set(get_handwritten_key(1, 1), kept, timeout=6 * 60 * 60)
    if _get_comparable_parts(ours()) != _get_comparable_parts(by_hand()):
        raise RuntimeError("The two views answer differently.")
    return ours, by_hand


def _get_comparable_parts(answer: tuple[str, Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Return a response without `Vary`, which only our view sends."""
    status, headers = answer
    return status, {name: value for name, value in headers.items() if name != "Vary"}


def time_clicks(click: Click, clicks: int) -> float:
    """Return the mean time of a click in microseconds."""
    started = perf_counter()
    for _ in range(clicks):
        if click()[0] != "302 Found":
            raise RuntimeError("A click did not lead to the portal.")
    return (perf_counter() - started) / clicks * 1e6


def count_queries(click: Click) -> int:
    """Count the queries of one request."""
    count = 0

    def counted(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(counted):
        click()
    return count


def compare_clicks(cookie: str, blocks: int, clicks: int) -> dict[str, Any]:
    """Time blocks of clicks in turns, and count queries."""
    ours, by_hand = fill_cache(cookie)
    times: dict[str, list[float]] = {"ours": [], "by_hand": []}
    clicks_by_name = [("ours", ours), ("by_hand", by_hand)]
    for _ in range(5):
        for _, click in clicks_by_name:
            time_clicks(click, clicks)
    for number in range(blocks):
        for name, click in clicks_by_name if number % 2 else reversed(clicks_by_name):
            times[name].append(time_clicks(click, clicks))
    beyond_sign_in = count_queries(ours) - count_queries(create_click("/signed-in/", cookie))
    return {**times, "queries": beyond_sign_in}


if __name__ == "__main__":
    print(json.dumps(compare_clicks(create_users(1)[0], ORDER["blocks"], ORDER["clicks"])))
