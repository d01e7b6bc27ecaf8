"""An HTTP server on a real socket that returns a fixed response and records its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class RecordingServer(ThreadingHTTPServer):
    """The server: set `response` to status, headers and body; `peers` are the addresses of its connections."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.response: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self.requests: list[dict[str, str]] = []
        self.peers: set[tuple[str, int]] = set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RecordingServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append({"path": self.path, **dict(self.headers)})
        self.server.peers.add(self.client_address)
        status, headers, body = self.server.response
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def run_recording_server() -> Iterator[RecordingServer]:
    """Run a server in a thread."""
    with RecordingServer() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
