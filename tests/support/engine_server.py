"""HTTP server with the sandbox's engine, for tests that need Alguna in another process or thread."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.types import ApiError, Request, new_state

KEY = "key_1.secret-of-the-tests"


class AlgunaServer(ThreadingHTTPServer):
    """Simulates Alguna: waits `seconds` before each response and returns 429 for request number `busy_at`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = 0.0
        self.busy_at = -1
        self.retry_after = 1
        self.times: list[float] = []
        self.refused_at: list[float] = []
        self.state = new_state()
        self.engine = Engine(state=self.state, api_key=KEY, portal_url="https://portal.alguna.io")

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def customers(self) -> dict[str, str]:
        """The ids of the customers by alias. Fails if two customers have the same alias."""
        ids = {}
        for customer in list(self.state["customers"].values()):
            (alias,) = customer["aliases"]
            assert alias not in ids
            ids[alias] = customer["id"]
        return ids


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: AlgunaServer

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        self.server.times.append(time.monotonic())
        number = len(self.server.times)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.seconds)
        if number == self.server.busy_at:
            self.server.refused_at.append(time.monotonic())
            headers = {"Retry-After": str(self.server.retry_after)}
            answer = ApiError(429, "Too many requests.", headers=headers).to_response()
        else:
            parts = urlsplit(self.path)
            answer = self.server.engine.handle(
                Request(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query)),
                    headers=dict(self.headers),
                    body=body,
                )
            )
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def alguna_server() -> Iterator[AlgunaServer]:
    """Run the server."""
    with AlgunaServer() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
