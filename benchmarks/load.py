"""Open-loop load: requests are sent when they are due, however long earlier ones take.

The time of a request counts from when it was due, so a site that stalls gets all the requests of that time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

LONGEST = 40.0  # seconds; what takes longer, or gets no answer, counts as this


@dataclass(frozen=True, kw_only=True)
class TimedRequest:
    """A request: its path, when it was due, the status of the response (0 for none) and the seconds it took."""

    path: str
    due: float
    status: int
    seconds: float


async def send_requests(
    port: int, path: str, cookies: Sequence[str], *, every: float, start: float
) -> list[TimedRequest]:
    """Send a request with each of these cookies, one every `every` seconds."""
    tasks = []
    for number, cookie in enumerate(cookies):
        due = start + number * every
        await asyncio.sleep(due - monotonic())
        tasks.append(asyncio.create_task(_send_request(port, path, cookie, due)))
    return await asyncio.gather(*tasks)


async def _send_request(port: int, path: str, cookie: str, due: float) -> TimedRequest:
    try:
        status = await asyncio.wait_for(_get_status(port, path, cookie), due + LONGEST - monotonic())
    except (OSError, TimeoutError):
        status = 0
    # A failure must not count as a fast response.
    return TimedRequest(path=path, due=due, status=status, seconds=monotonic() - due if status else LONGEST)


async def _get_status(port: int, path: str, cookie: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read(-1)
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0
