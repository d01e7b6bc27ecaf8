"""Plays Alguna for other processes: takes its time, counts its calls, and can vanish as a dropped packet does.

Prints its port, then serves until it is killed. `GET /calls` tells the calls for each customer. On SIGUSR1 it
vanishes: connections that are open stay silent, and new ones are not answered, not even with a refusal.
"""

import asyncio
import json
import signal
import socket
from collections import Counter
from datetime import UTC, datetime, timedelta

from benchmarks.settings import ORDER

LIFE = timedelta(hours=6)


class Alguna:
    """The server and what it has been asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls: Counter[str] = Counter()
        self.vanished = asyncio.Event()
        self.queue: list[socket.socket] = []

    async def serve(self) -> None:
        """Serve until killed."""
        server = await asyncio.start_server(self.converse, "127.0.0.1", 0, backlog=512)
        address = server.sockets[0].getsockname()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.vanished.set)
        print(json.dumps(address[1]), flush=True)
        await self.vanished.wait()
        server.close()
        self.fill(address)
        await asyncio.Event().wait()

    def fill(self, address: tuple[str, int]) -> None:
        """Listen with a queue that is full, so that the kernel drops what asks for a connection."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(0)
        self.queue.append(listener)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            self.queue.append(waiting)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                _, _, rest = head.partition("\r\ncontent-length:")
                body = await reader.readexactly(int(rest.split("\r\n")[0]) if rest else 0)
                answer = await self.answer(body)
                if self.vanished.is_set():
                    await asyncio.Event().wait()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(answer), answer)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, body: bytes) -> bytes:
        """Make a session, or tell the calls."""
        if not body:
            return json.dumps(self.calls).encode()
        self.calls[json.loads(body)["customer_alias"]] += 1
        number = self.calls.total()
        if self.seconds:
            await asyncio.sleep(self.seconds)
        now = datetime.now(UTC)
        session = {
            "id": f"session_{number}",
            "customer_id": "cust_1",
            "url": f"https://portal.alguna.io/hs/0123456789abcdef0123456789abcdef0123456789abcdef{number}",
            "created_at": now.isoformat(),
            "expires_at": (now + LIFE).isoformat(),
        }
        return json.dumps(session).encode()


if __name__ == "__main__":
    asyncio.run(Alguna(ORDER["seconds"]).serve())
