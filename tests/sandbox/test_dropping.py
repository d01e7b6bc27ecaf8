"""DroppedConnection connections, over real sockets."""

import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from django.core.wsgi import get_wsgi_application

from tests.sandbox.conftest import HEADERS, Door

DROP = {**HEADERS, "Alguna-Sandbox-Fault": "drop"}


class Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.fixture
def wsgiref() -> Iterator[str]:
    """The address of a plain wsgiref server; it touches no database."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sent(address: str, *, method: str = "GET", body: bytes = b"") -> bytes:
    """Return every byte that a server answers, by a connection that would like to be kept open."""
    parts = urlsplit(address)
    lines = [f"{method} /sandbox/customers HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in DROP.items()]
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer


def test_nothing_is_sent_before_the_connection_closes(live_server: Any, settings: Any) -> None:
    """Under Django's own server, which `runserver` and LiveServerTestCase share."""
    settings.DEBUG = True
    assert sent(live_server.url) == b""
    assert sent(live_server.url, method="POST", body=b"{}") == b""


def test_a_client_gets_a_connection_error_and_then_goes_on(live_server: Any, settings: Any) -> None:
    """On a connection that was used before, too."""
    settings.DEBUG = True
    address = f"{live_server.url}/sandbox/customers"
    with requests.Session() as client:
        assert client.get(address, headers=HEADERS, timeout=10).status_code == 200
        with pytest.raises(requests.ConnectionError):
            client.get(address, headers=DROP, timeout=10)
        assert client.get(address, headers=HEADERS, timeout=10).status_code == 200


def test_plain_wsgiref_drops_as_well(wsgiref: str, settings: Any) -> None:
    """Its reader of the socket is not wrapped."""
    settings.DEBUG = True
    assert sent(wsgiref) == b""


def test_a_server_that_hides_its_socket_meets_an_exception(door: Door) -> None:
    """That is all that can be done there."""
    response = door.ask("GET", "/customers", **{"Alguna-Sandbox-Fault": "drop"})
    with pytest.raises(ConnectionAbortedError):
        b"".join(response)
