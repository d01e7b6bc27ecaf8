"""Open-loop load: requests go out when they are due, however long earlier ones take.

So a latency counts from when its request was due, and a site that stalls is not spared the requests of those who
would have come meanwhile.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

LONGEST = 40.0  # seconds; what takes longer, or gets no answer, counts as this


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request that was made: to which path, when it was due, the answer's status, and the seconds it took."""

    path: str
    due: float
    status: int
    seconds: float


async def visits(port: int, path: str, cookies: Sequence[str], *, every: float, start: float) -> list[Visit]:
    """Ask for a page with each of these cookies, one after another, as often as said."""
    tasks = []
    for number, cookie in enumerate(cookies):
        due = start + number * every
        await asyncio.sleep(due - monotonic())
        tasks.append(asyncio.create_task(_visit(port, path, cookie, due)))
    return await asyncio.gather(*tasks)


async def _visit(port: int, path: str, cookie: str, due: float) -> Visit:
    try:
        status = await asyncio.wait_for(_status(port, path, cookie), due + LONGEST - monotonic())
    except (OSError, TimeoutError):
        status = 0
    # A failure is not a fast answer.
    return Visit(path=path, due=due, status=status, seconds=monotonic() - due if status else LONGEST)


async def _status(port: int, path: str, cookie: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read(-1)
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0
