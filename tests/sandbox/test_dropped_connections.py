"""Dropped connections on real sockets."""

import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from django.core.wsgi import get_wsgi_application

from tests.sandbox.conftest import HEADERS, SandboxClient

DROP = {**HEADERS, "Alguna-Sandbox-Fault": "drop"}


class QuietHandler(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


@pytest.fixture
def wsgiref() -> Iterator[str]:
    """The URL of a plain wsgiref server."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def get_response_bytes(address: str, *, method: str = "GET", body: bytes = b"") -> bytes:
    """Return all bytes of the response on a keep-alive connection."""
    parts = urlsplit(address)
    lines = [f"{method} /sandbox/customers HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in DROP.items()]
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    return received


def test_connection_closes_without_a_response(live_server: Any, settings: Any) -> None:
    """Django's development server and LiveServerTestCase share this code."""
    settings.DEBUG = True
    assert get_response_bytes(live_server.url) == b""
    assert get_response_bytes(live_server.url, method="POST", body=b"{}") == b""


def test_client_gets_a_connection_error_and_can_reconnect(live_server: Any, settings: Any) -> None:
    """The dropped connection was used before."""
    settings.DEBUG = True
    address = f"{live_server.url}/sandbox/customers"
    with requests.Session() as client:
        assert client.get(address, headers=HEADERS, timeout=10).status_code == 200
        with pytest.raises(requests.ConnectionError):
            client.get(address, headers=DROP, timeout=10)
        assert client.get(address, headers=HEADERS, timeout=10).status_code == 200


def test_connection_closes_with_plain_wsgiref(wsgiref: str, settings: Any) -> None:
    """It doesn't wrap the socket's reader."""
    settings.DEBUG = True
    assert get_response_bytes(wsgiref) == b""


def test_exception_is_raised_if_the_server_does_not_expose_its_socket(sandbox: SandboxClient) -> None:
    response = sandbox.request("GET", "/customers", **{"Alguna-Sandbox-Fault": "drop"})
    with pytest.raises(ConnectionAbortedError):
        b"".join(response)
