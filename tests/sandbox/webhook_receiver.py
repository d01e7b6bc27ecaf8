"""A webhook receiver on a local port that records messages."""

import contextlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_c2FuZGJveC1zZWNyZXQ="


def verify_message(body: bytes | str, headers: Mapping[str, str]) -> Any:
    """Verify the signature of a message with the official library; return its JSON."""
    return Webhook(SECRET).verify(body, {name.replace("svix", "webhook"): value for name, value in headers.items()})


Received = tuple[dict[str, str], bytes]


class WebhookReceiver:
    """Responds with `statuses` in order, then with 204. Before each response, it calls `before_response`."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.before_response: Callable[[], object] = lambda: None
        self._received: SimpleQueue[Received] = SimpleQueue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._received.put(({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.before_response()
                with contextlib.suppress(OSError):  # The sender may have disconnected.
                    self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)  # if a sender follows the redirect
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self) -> Received:
        """Wait for the next message and return it."""
        return self._received.get(timeout=10)

    def get_all(self) -> list[Received]:
        """Return all messages that have arrived."""
        messages = []
        with contextlib.suppress(Empty):
            while True:
                messages.append(self._received.get_nowait())
        return messages
