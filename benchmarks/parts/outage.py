"""The outage is simulated with gunicorn (8 sync workers), Redis and a stub of Alguna that responds after 50 ms. A
client requests 30 ordinary pages per second, with three queries each, and the billing page once per second, each time
for a customer without a session. Requests are sent when they're due, and latency is measured from that time. After 60
s, Alguna becomes unreachable for 60 s: new connections time out as with a firewall that drops packets (a listener on
the same port with a full queue, which is tested first), and existing connections receive no data. The breaker counts as
open from the time when its entry appears in Redis.
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

from benchmarks.figures import Figure, get_percentile, require_at_most
from benchmarks.load_generator import RequestResult, send_requests
from benchmarks.servers import Server, run_alguna_stub, run_gunicorn, run_process, run_redis

SECONDS, ORDINARY_EVERY, BILLING_EVERY, WORKERS = 60, 1 / 30, 1, 8
PAUSE = 2.0  # seconds, in which gunicorn's workers start or finish earlier requests


def measure() -> list[Figure]:
    """Compare the same load before and after Alguna becomes unreachable."""
    with ExitStack() as stack:
        folder, cache = stack.enter_context(TemporaryDirectory()), stack.enter_context(run_redis())
        server = stack.enter_context(run_alguna_stub(seconds=0.05))
        parameters = {"database": f"{folder}/db.sqlite3", "cache": cache, "api_url": server.url}
        cookies = run_process("users", parameters | {"users": 1 + 2 * round(SECONDS / BILLING_EVERY) + WORKERS})
        site = stack.enter_context(run_gunicorn(parameters, workers=WORKERS))
        healthy, _ = asyncio.run(_run_load(site, cookies, cache))
        if {each.status for each in healthy} != {200, 302}:
            raise RuntimeError("Some pages failed while Alguna was reachable.")
        _make_unreachable(server)
        unreachable, opened = asyncio.run(_run_load(site, cookies, cache))
    return _get_figures(healthy, unreachable, opened)


async def _run_load(
    site: Server, cookies: list[str], cache: dict[str, Any]
) -> tuple[list[RequestResult], float | None]:
    """Send requests for a minute; return their results and the time when the breaker opened."""
    new_users = [cookies.pop() for _ in range(round(SECONDS / BILLING_EVERY))]
    same_user = [cookies[0]] * round(SECONDS / ORDINARY_EVERY)
    start = monotonic() + PAUSE
    watcher = asyncio.create_task(_wait_for_open_breaker(cache["LOCATION"]))
    results = await asyncio.gather(
        send_requests(site.port, "/ordinary/", same_user, every=ORDINARY_EVERY, start=start),
        send_requests(site.port, "/billing/", new_users, every=BILLING_EVERY, start=start),
    )
    opened = watcher.result() if watcher.done() else None
    watcher.cancel()
    return [each for of_path in results for each in of_path], opened


async def _wait_for_open_breaker(location: str) -> float:
    """Wait until the breaker's entry exists; return the time."""
    async with redis_asyncio.from_url(location) as client:
        while not await client.keys("*breaker*:open"):
            await asyncio.sleep(0.05)
    return monotonic()


def _make_unreachable(server: Server) -> None:
    """Make Alguna unreachable; check that connections are neither accepted nor refused."""
    os.kill(server.process.pid, signal.SIGUSR1)
    for _ in range(20):
        with closing(socket.socket()) as probe:
            probe.settimeout(1)
            try:
                # Connections are refused until the new listener has replaced the old one.
                with suppress(ConnectionRefusedError, ConnectionResetError):
                    probe.connect(("127.0.0.1", server.port))
            except TimeoutError:
                return
        sleep(0.1)
    raise RuntimeError("Alguna is still reachable: connections are accepted or refused.")


def _get_figures(healthy: list[RequestResult], unreachable: list[RequestResult], opened: float | None) -> list[Figure]:
    before, during = _get_latencies(healthy, "/ordinary/"), _get_latencies(unreachable, "/ordinary/")
    p95_before, p95_during = get_percentile(before, 95), get_percentile(during, 95)
    start = min(each.due for each in unreachable)
    after = [each for each in unreachable if each.path == "/billing/" and opened is not None and each.due >= opened]
    billing = median([each.seconds for each in after]) * 1000 if after else float("inf")
    billing_before = _get_latencies(healthy, "/billing/")
    statuses = {
        path: sorted({each.status for each in unreachable if each.path == path}) for path in ("/ordinary/", "/billing/")
    }
    slow = sum(each > 1 for each in during)
    return [
        require_at_most(
            "outage, ordinary pages: p95 black-holed / healthy",
            p95_during / p95_before,
            1.5,
            note=f"{p95_during * 1000:.0f} ms against {p95_before * 1000:.0f} ms",
        ),
        require_at_most(
            "outage, Billing: median once the breaker is open",
            billing,
            50,
            " ms",
            digits=0,
            note=f"open after {opened - start:.1f} s" if opened else "it never opened",
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
            figure=f"{max(_get_latencies(unreachable, '/billing/')):.1f} s; {median(billing_before) * 1000:.0f} ms; "
            f"statuses {statuses['/billing/']}",
        ),
    ]


def _get_latencies(results: list[RequestResult], path: str) -> list[float]:
    return [each.seconds for each in results if each.path == path]
