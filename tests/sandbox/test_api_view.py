"""The API over HTTP: paths, headers, storage of the state in the database, and dropped connections."""

import json
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from django.core.wsgi import get_wsgi_application
from django.test import Client

from alguna_portal.sandbox.models import Record, Records
from tests.sandbox.conftest import ACME, HEADERS, SandboxClient


@pytest.mark.parametrize(
    ("alias", "encoded"),
    [
        ("a/b c", "a%2Fb%20c"),
        ("a/b c", "a/b%20c"),
        ("line\nbreak", "line%0Abreak"),
        ("ü", "%C3%BC"),
        ("x/", "x/"),
        ("100%", "100%25"),
    ],
)
def test_alias_with_special_characters_is_found_by_path(sandbox: SandboxClient, alias: str, encoded: str) -> None:
    """A slash can be encoded or not, because servers decode the path before Django gets it."""
    customer = sandbox.create_customer(aliases=[alias])
    assert json.loads(sandbox.request("GET", f"/customers/{encoded}").content) == customer


def test_status_headers_and_query_are_passed_on(sandbox: SandboxClient) -> None:
    creation = {**ACME, "aliases": ["a"]}
    first, replay = (sandbox.request("POST", "/customers", creation, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert replay.content == first.content
    assert replay["Idempotent-Replayed"] == "true"
    assert replay["Content-Type"] == "application/json"
    assert replay["Cache-Control"] == "no-store"
    assert sandbox.request("POST", "/customers", {"name": "B", "currency": "USD", "aliases": ["a"]}).status_code == 409
    assert sandbox.get_data("/customers?alias=b") == []
    assert sandbox.request("PUT", "/customers")["Allow"] == "GET, POST"
    assert sandbox.request("GET", "/").status_code == 404


def test_change_is_stored(sandbox: SandboxClient) -> None:
    """The list keeps its order."""
    first, second = sandbox.create_customer(aliases=["one"]), sandbox.create_customer()
    sandbox.request("PATCH", "/customers/one", {"name": "New", "aliases": ["two"]})
    customers = sandbox.get_data("/customers")
    assert [(customer["id"], customer["name"]) for customer in customers] == [
        (first["id"], "New"),
        (second["id"], "Acme Inc"),
    ]
    assert sandbox.request("GET", "/customers/one").status_code == 404


def test_session_url_has_the_host_and_scheme_of_the_request(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["dev.test", "testserver"]
    settings.ALGUNA_SANDBOX_SESSION_SECONDS = 60
    customer = sandbox.create_customer()
    session = sandbox.client.post(
        "/sandbox/customer-portal-sessions",
        {"customer_id": customer["id"]},
        content_type="application/json",
        headers={**HEADERS, "Host": "dev.test:8000"},
        secure=True,
    ).json()
    assert session["url"].startswith("https://dev.test:8000/sandbox/hs/")
    assert session["created_at"][:16] != session["expires_at"][:16]


def test_api_needs_no_csrf_token(sandbox: SandboxClient) -> None:
    strict = SandboxClient(Client(enforce_csrf_checks=True))
    assert strict.create_customer()["name"] == "Acme Inc"


def test_api_key_is_a_setting(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_API_KEY = "other.key"
    assert sandbox.request("GET", "/customers").status_code == 401
    assert sandbox.request("GET", "/customers", Authorization="Bearer other.key").status_code == 200


def test_records_are_a_mapping_of_copies(sandbox: SandboxClient) -> None:
    records = Records("things", using="default")
    records["a"] = {"n": 1}
    records["b"] = {"n": 2}
    records["a"]["n"] = 5
    assert dict(records) == {"a": {"n": 1}, "b": {"n": 2}}
    records["a"] = {"n": 3}
    assert list(records.values()) == [{"n": 3}, {"n": 2}]
    assert list(records) == ["a", "b"]
    assert len(records) == 2
    assert len(Records("others", using="default")) == 0
    del records["a"]
    assert "a" not in records
    with pytest.raises(KeyError):
        del records["a"]


def test_str_of_a_record_does_not_contain_its_key(sandbox: SandboxClient) -> None:
    record = Record(collection="aliases", key="secret alias", data={}, pk=7)
    assert str(record) == "aliases record 7"


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
