"""A host's webhook on a socket: what it got, and what it answers."""

import contextlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Self

SECRET = "whsec_c2FuZGJveC1zZWNyZXQ="

Got = tuple[dict[str, str], bytes]


class Receiver:
    """Answers with its statuses one after the other, then with 204; before that, it does what `meanwhile` does."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self._got: SimpleQueue[Got] = SimpleQueue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._got.put(({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.meanwhile()
                with contextlib.suppress(OSError):  # the sender may have gone
                    self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)  # for who lets a message be led astray
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self) -> Got:
        """Return what it got first, as soon as it has."""
        return self._got.get(timeout=10)

    def every(self) -> list[Got]:
        """Return all that it has got."""
        got = []
        with contextlib.suppress(Empty):
            while True:
                got.append(self._got.get_nowait())
        return got
