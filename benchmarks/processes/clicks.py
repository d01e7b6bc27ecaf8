"""Measures cached clicks on Billing, alternately in the view of alguna_portal and in the handwritten one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from django.core.cache import cache
from django.db import connection

from benchmarks.settings import PARAMETERS
from benchmarks.site import get_handwritten_cache_key
from benchmarks.users import create_users
from benchmarks.wsgi_client import SendRequest, create_request_sender


def fill_cache(cookie: str) -> tuple[SendRequest, SendRequest]:
    """Cache a session for each of the two views; return the functions that send requests to them."""
    ours, by_hand = create_request_sender("/billing/", cookie), create_request_sender("/billing-by-hand/", cookie)
    status, headers = ours()
    if status != "302 Found":
        raise RuntimeError(f"The first click returned {status}.")
    session = {"url": headers["Location"], "expires_at": datetime.now(UTC) + timedelta(hours=6)}
    cache.set(get_handwritten_cache_key(1, 1), session, timeout=6 * 60 * 60)
    if _get_comparable_parts(ours()) != _get_comparable_parts(by_hand()):
        raise RuntimeError("The two views return different responses.")
    return ours, by_hand


def _get_comparable_parts(response: tuple[str, Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Return status and headers without `Vary`, because only our view has several formats."""
    status, headers = response
    return status, {name: value for name, value in headers.items() if name != "Vary"}


def measure_block(send_request: SendRequest, clicks: int) -> float:
    """Return the mean time of a number of clicks, in microseconds."""
    started = perf_counter()
    for _ in range(clicks):
        if send_request()[0] != "302 Found":
            raise RuntimeError("A click did not lead to the portal.")
    return (perf_counter() - started) / clicks * 1e6


def count_queries(send_request: SendRequest) -> int:
    """Return the number of queries of one request."""
    count = 0

    def count_and_execute(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(count_and_execute):
        send_request()
    return count


def measure(cookie: str, blocks: int, clicks: int) -> dict[str, Any]:
    """Measure blocks of clicks alternately. Each view is first in every other round."""
    ours, by_hand = fill_cache(cookie)
    times: dict[str, list[float]] = {"ours": [], "by_hand": []}
    views = [("ours", ours), ("by_hand", by_hand)]
    for _ in range(5):
        for _, send_request in views:
            measure_block(send_request, clicks)
    for number in range(blocks):
        for name, send_request in views if number % 2 else reversed(views):
            times[name].append(measure_block(send_request, clicks))
    beyond_sign_in = count_queries(ours) - count_queries(create_request_sender("/signed-in/", cookie))
    return {**times, "queries": beyond_sign_in}


if __name__ == "__main__":
    print(json.dumps(measure(create_users(1)[0], PARAMETERS["blocks"], PARAMETERS["clicks"])))
