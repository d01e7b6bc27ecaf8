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

from benchmarks.figures import Figure, at_most, percentile
from benchmarks.load_generator import Visit, visits
from benchmarks.servers import Server, alguna, gunicorn, redis, run

SECONDS, ORDINARY_EVERY, BILLING_EVERY, WORKERS = 60, 1 / 30, 1, 8
CALM = 2.0  # seconds, in which gunicorn's workers start, or finish what they began


def measure() -> list[Figure]:
    """Compare the same load before and after Alguna vanishes."""
    with ExitStack() as stack:
        folder, cache = stack.enter_context(TemporaryDirectory()), stack.enter_context(redis())
        server = stack.enter_context(alguna(seconds=0.05))
        order = {"database": f"{folder}/db.sqlite3", "cache": cache, "api_url": server.url}
        cookies = run("users", order | {"people": 1 + 2 * round(SECONDS / BILLING_EVERY) + WORKERS})
        site = stack.enter_context(gunicorn(order, workers=WORKERS))
        healthy, _ = asyncio.run(_load(site, cookies, cache))
        if {each.status for each in healthy} != {200, 302}:
            raise RuntimeError("Not every page was served while Alguna was there.")
        _vanish(server)
        dark, opened = asyncio.run(_load(site, cookies, cache))
    return _figures(healthy, dark, opened)


async def _load(site: Server, cookies: list[str], cache: dict[str, Any]) -> tuple[list[Visit], float | None]:
    """Put a minute's load on the site; return the visits, and when the breaker opened."""
    strangers = [cookies.pop() for _ in range(round(SECONDS / BILLING_EVERY))]
    regulars = [cookies[0]] * round(SECONDS / ORDINARY_EVERY)
    start = monotonic() + CALM
    watch = asyncio.create_task(_breaker_opens(cache["LOCATION"]))
    found = await asyncio.gather(
        visits(site.port, "/ordinary/", regulars, every=ORDINARY_EVERY, start=start),
        visits(site.port, "/billing/", strangers, every=BILLING_EVERY, start=start),
    )
    opened = watch.result() if watch.done() else None
    watch.cancel()
    return [each for of_path in found for each in of_path], opened


async def _breaker_opens(location: str) -> float:
    """Wait until the breaker's entry is there."""
    async with redis_asyncio.from_url(location) as client:
        while not await client.keys("*breaker*:open"):
            await asyncio.sleep(0.05)
    return monotonic()


def _vanish(server: Server) -> None:
    """Make Alguna vanish, and make sure that a connection is neither accepted nor refused."""
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
    raise RuntimeError("Alguna has not vanished: connections to it are accepted or refused.")


def _figures(healthy: list[Visit], dark: list[Visit], opened: float | None) -> list[Figure]:
    before, during = _times(healthy, "/ordinary/"), _times(dark, "/ordinary/")
    p95_before, p95_during = percentile(before, 95), percentile(during, 95)
    began = min(each.due for each in dark)
    after = [each for each in dark if each.path == "/billing/" and opened is not None and each.due >= opened]
    billing = median([each.seconds for each in after]) * 1000 if after else float("inf")
    billing_before = _times(healthy, "/billing/")
    statuses = {
        path: sorted({each.status for each in dark if each.path == path}) for path in ("/ordinary/", "/billing/")
    }
    slow = sum(each > 1 for each in during)
    return [
        at_most(
            "outage, ordinary pages: p95 black-holed / healthy",
            p95_during / p95_before,
            1.5,
            note=f"{p95_during * 1000:.0f} ms against {p95_before * 1000:.0f} ms",
        ),
        at_most(
            "outage, Billing: median once the breaker is open",
            billing,
            50,
            " ms",
            digits=0,
            note=f"open after {opened - began:.1f} s" if opened else "it never opened",
        ),
        Figure(
            measure="outage, ordinary pages: median, p99, slowest",
            figure=", ".join(f"{1000 * each:.0f} ms" for each in (median(during), percentile(during, 99), max(during)))
            + f"; {slow} of {len(during)} above 1 s; statuses {statuses['/ordinary/']}",
        ),
        Figure(
            measure="outage, Billing: slowest; median while healthy",
            figure=f"{max(_times(dark, '/billing/')):.1f} s; {median(billing_before) * 1000:.0f} ms; "
            f"statuses {statuses['/billing/']}",
        ),
    ]


def _times(found: list[Visit], path: str) -> list[float]:
    return [each.seconds for each in found if each.path == path]
