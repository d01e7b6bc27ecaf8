"""Stub of Alguna's API with a configurable response time, which counts its calls and can become unreachable.

It prints its port and runs until it's killed. `GET /calls` returns the number of calls for each customer, `GET /times`
the times of requests about customers, in seconds. It has either no customers or all of them, and creates new ones.
After SIGUSR1 it's unreachable: existing connections receive no data, and new ones are neither accepted nor refused.
"""

import asyncio
import json
import signal
import socket
import time
from array import array
from collections import Counter
from datetime import UTC, datetime, timedelta

from benchmarks.settings import PARAMETERS

SESSION_LIFETIME = timedelta(hours=6)


class AlgunaStub:
    """The server and its recorded calls."""

    def __init__(self, seconds: float, *, knows_everyone: bool) -> None:
        self.seconds = seconds
        self.knows_everyone = knows_everyone
        self.times = array("d")
        self.calls: Counter[str] = Counter()
        self.unreachable = asyncio.Event()
        self.queue: list[socket.socket] = []

    async def serve(self) -> None:
        """Run until the process is killed."""
        server = await asyncio.start_server(self.handle_connection, "127.0.0.1", 0, backlog=512)
        address = server.sockets[0].getsockname()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.unreachable.set)
        print(json.dumps(address[1]), flush=True)
        await self.unreachable.wait()
        server.close()
        self.fill_queue(address)
        await asyncio.Event().wait()

    def fill_queue(self, address: tuple[str, int]) -> None:
        """Listen with a full queue, so that the kernel drops new connections."""
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

    async def handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                _, _, rest = head.partition("\r\ncontent-length:")
                body = await reader.readexactly(int(rest.split("\r\n")[0]) if rest else 0)
                status, content = await self.get_response(head, body)
                if self.unreachable.is_set():
                    await asyncio.Event().wait()
                writer.write(
                    b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (status, len(content), content)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def get_response(self, head: str, body: bytes) -> tuple[int, bytes]:
        """Create a session, find or create a customer, or return the recorded calls."""
        path = head.split(" ", 2)[1]
        if path.startswith("/customers"):
            self.times.append(time.monotonic())
            if self.seconds:
                await asyncio.sleep(self.seconds)
            return self.get_customer_response(path, body)
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
            "expires_at": (now + SESSION_LIFETIME).isoformat(),
        }
        return 200, json.dumps(session).encode()

    def get_customer_response(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Find or create a customer. Its id is derived from the alias."""
        if body:
            aliases = json.loads(body)["aliases"]
            return 200, json.dumps({"id": f"cust_{aliases[0]}", "aliases": aliases}).encode()
        if not self.knows_everyone:
            return 404, b'{"detail": "No customer has this alias.", "status": 404}'
        return 200, json.dumps({"customer_id": f"cust_{path.partition('=')[2]}"}).encode()


if __name__ == "__main__":
    asyncio.run(AlgunaStub(PARAMETERS["seconds"], knows_everyone=PARAMETERS.get("knows_everyone", False)).serve())
