"""Plays Alguna for other processes: takes its time, counts its calls, and can vanish as a dropped packet does.

Prints its port, then serves until it is killed. `GET /calls` tells the calls for each customer, `GET /times` when
requests about customers came, in seconds. It knows no customer, or all of them, and creates whom it is told to. On
SIGUSR1 it vanishes: connections that are open stay silent, and new ones are not answered, not even with a refusal.
"""

import asyncio
import json
import signal
import socket
import time
from array import array
from collections import Counter
from datetime import UTC, datetime, timedelta

from benchmarks.settings import ORDER

LIFE = timedelta(hours=6)


class Alguna:
    """The server and what it has been asked."""

    def __init__(self, seconds: float, *, knows_everyone: bool) -> None:
        self.seconds = seconds
        self.knows_everyone = knows_everyone
        self.times = array("d")
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
                status, answer = await self.answer(head, body)
                if self.vanished.is_set():
                    await asyncio.Event().wait()
                writer.write(
                    b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (status, len(answer), answer)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, head: str, body: bytes) -> tuple[int, bytes]:
        """Make a session, find or create a customer, or tell what was asked."""
        path = head.split(" ", 2)[1]
        if path.startswith("/customers"):
            self.times.append(time.monotonic())
            if self.seconds:
                await asyncio.sleep(self.seconds)
            return self.customer(path, body)
        if not body:
            return 200, json.dumps(self.times.tolist() if path == "/times" else self.calls).encode()
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
        return 200, json.dumps(session).encode()

    def customer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Look a customer up, or create it; the id follows from the alias."""
        if body:
            aliases = json.loads(body)["aliases"]
            return 200, json.dumps({"id": f"cust_{aliases[0]}", "aliases": aliases}).encode()
        if not self.knows_everyone:
            return 404, b'{"detail": "No customer has this alias.", "status": 404}'
        return 200, json.dumps({"customer_id": f"cust_{path.partition('=')[2]}"}).encode()


if __name__ == "__main__":
    asyncio.run(Alguna(ORDER["seconds"], knows_everyone=ORDER.get("knows_everyone", False)).serve())
