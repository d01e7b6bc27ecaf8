"""Open-loop load generator: sends each request when it's due, even if earlier requests haven't finished.

Latency is measured from the time when a request was due. So if the site stalls, the delay of later requests counts,
too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

TIMEOUT = 40.0  # seconds; also the latency of a request without a response


@dataclass(frozen=True, kw_only=True)
class RequestResult:
    """A request with the time when it was due, the status of its response and its latency in seconds."""

    path: str
    due: float
    status: int
    seconds: float


async def send_requests(
    port: int, path: str, cookies: Sequence[str], *, every: float, start: float
) -> list[RequestResult]:
    """Request a page with one cookie after another; `every` is the interval in seconds."""
    tasks = []
    for number, cookie in enumerate(cookies):
        due = start + number * every
        await asyncio.sleep(due - monotonic())
        tasks.append(asyncio.create_task(_send_request(port, path, cookie, due)))
    return await asyncio.gather(*tasks)


async def _send_request(port: int, path: str, cookie: str, due: float) -> RequestResult:
    try:
        status = await asyncio.wait_for(_get_status(port, path, cookie), due + TIMEOUT - monotonic())
    except (OSError, TimeoutError):
        status = 0
    # A fast failure doesn't count as a fast response.
    return RequestResult(path=path, due=due, status=status, seconds=monotonic() - due if status else TIMEOUT)


async def _get_status(port: int, path: str, cookie: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
        )
        response = await reader.read(-1)
    finally:
        writer.close()
    return int(response.split(b" ", 2)[1]) if response else 0
