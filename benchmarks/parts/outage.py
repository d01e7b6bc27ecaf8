"""The outage: gunicorn with 8 sync workers and Redis, behind it an Alguna that takes 50 ms. One client asks for 30
ordinary pages a second, each with three queries, and for Billing once a second, each time for a customer that
has no session yet; requests go out when they are due, and their time counts from then. After 60 s, Alguna vanishes for
60 s: new connections time out as when a firewall drops packets (a listener on the same port whose queue is full, which
is tried out first), and those that were kept alive stay silent. The breaker counts as open from when its entry first
stands in Redis.
"""

import asyncio
import os
import signal
import socket
from contextlib import ExitStack, closing, suppress
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from redis import asyncio as redis_asyncio

from benchmarks.figures import Figure, create_figure_at_most, get_percentile
from benchmarks.load import TimedRequest, send_requests
from benchmarks.servers import Server, run_alguna, run_gunicorn, run_process, run_redis

SECONDS, ORDINARY_EVERY, BILLING_EVERY, WORKERS = 60, 1 / 30, 1, 8
PAUSE = 2.0  # seconds, in which gunicorn's workers start, or finish what they began


def measure() -> list[Figure]:
    """Compare the same load before and after Alguna vanishes."""
    with ExitStack() as stack:
        folder, cache = stack.enter_context(TemporaryDirectory()), stack.enter_context(run_redis())
        server = stack.enter_context(run_alguna(seconds=0.05))
        order = {"database": f"{folder}/db.sqlite3", "cache": cache, "api_url": server.url}
        cookies = run_process("users", order | {"users": 1 + 2 * round(SECONDS / BILLING_EVERY) + WORKERS})
        site = stack.enter_context(run_gunicorn(order, workers=WORKERS))
        healthy, _ = asyncio.run(_run_load(site, cookies, cache))
        if {each.status for each in healthy} != {200, 302}:
            raise RuntimeError("Not every page was served while Alguna was there.")
        _make_alguna_unreachable(server)
        unreachable, opened = asyncio.run(_run_load(site, cookies, cache))
    return _create_figures(healthy, unreachable, opened)


async def _run_load(site: Server, cookies: list[str], cache: dict[str, Any]) -> tuple[list[TimedRequest], float | None]:
    """Send requests for a minute; return them and when the breaker opened."""
    new_cookies = [cookies.pop() for _ in range(round(SECONDS / BILLING_EVERY))]
    page_cookies = [cookies[0]] * round(SECONDS / ORDINARY_EVERY)
    start = monotonic() + PAUSE
    watch = asyncio.create_task(_wait_for_open_breaker(cache["LOCATION"]))
    found = await asyncio.gather(
        send_requests(site.port, "/ordinary/", page_cookies, every=ORDINARY_EVERY, start=start),
        send_requests(site.port, "/billing/", new_cookies, every=BILLING_EVERY, start=start),
    )
    opened = watch.result() if watch.done() else None
    watch.cancel()
    return [each for of_path in found for each in of_path], opened


async def _wait_for_open_breaker(location: str) -> float:
    """Wait until the cache has the entry of an open breaker."""
    async with redis_asyncio.from_url(location) as client:
        while not await client.keys("*breaker*:open"):
            await asyncio.sleep(0.05)
    return monotonic()


def _make_alguna_unreachable(server: Server) -> None:
    """Make the stub unreachable and check that a connection is neither accepted nor refused."""
    os.kill(server.process.pid, signal.SIGUSR1)
    for _ in range(20):
        with closing(socket.socket()) as probe:
            probe.settimeout(1)
            try:
                # Refused: between the old listener and the new one.
                with suppress(ConnectionRefusedError, ConnectionResetError):
                    probe.connect(("127.0.0.1", server.port))
            except TimeoutError:
                return
        sleep(0.1)
    raise RuntimeError("Alguna is reachable: connections to it are accepted or refused.")


def _create_figures(healthy: list[TimedRequest], unreachable: list[TimedRequest], opened: float | None) -> list[Figure]:
    before, during = _get_times(healthy, "/ordinary/"), _get_times(unreachable, "/ordinary/")
    p95_before, p95_during = get_percentile(before, 95), get_percentile(during, 95)
    began = min(each.due for each in unreachable)
    after = [each for each in unreachable if each.path == "/billing/" and opened is not None and each.due >= opened]
    billing = median([each.seconds for each in after]) * 1000 if after else float("inf")
    billing_before = _get_times(healthy, "/billing/")
    statuses = {
        path: sorted({each.status for each in unreachable if each.path == path}) for path in ("/ordinary/", "/billing/")
    }
    slow = sum(each > 1 for each in during)
    return [
        create_figure_at_most(
            "outage, ordinary pages: p95 black-holed / healthy",
            p95_during / p95_before,
            1.5,
            note=f"{p95_during * 1000:.0f} ms against {p95_before * 1000:.0f} ms",
        ),
        create_figure_at_most(
            "outage, Billing: median once the breaker is open",
            billing,
            50,
            " ms",
            digits=0,
            note=f"open after {opened - began:.1f} s" if opened else "it never opened",
        ),
        Figure(
            measure="outage, ordinary pages: median, p99, slowest",
            figure=", ".join(
                f"{1000 * each:.0f} ms" for each in (median(during), get_percentile(during, 99), max(during))
            )
            + f"; {slow} of {len(during)} above 1 s; statuses {statuses['/ordinary/']}",
        ),
        Figure(
            measure="outage, Billing: slowest; median while healthy",
            figure=f"{max(_get_times(unreachable, '/billing/')):.1f} s; {median(billing_before) * 1000:.0f} ms; "
            f"statuses {statuses['/billing/']}",
        ),
    ]


def _get_times(found: list[TimedRequest], path: str) -> list[float]:
    return [each.seconds for each in found if each.path == path]
