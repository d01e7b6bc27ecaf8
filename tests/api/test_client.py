"""API client: requests and responses, over real sockets if it matters, without secrets in logs and error reports."""

import json
import logging
import os
import pickle
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
import requests
import responses
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import ExceptionReporter
from pytest_django import Settings
from urllib3.exceptions import ProtocolError

from alguna_portal import __version__
from alguna_portal.api.circuit_breaker import CircuitBreaker
from alguna_portal.api.client import AlgunaClient
from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaUnavailable,
    AuthenticationFailed,
    UnexpectedResponse,
    UnsafePortalURL,
)
from alguna_portal.portal_settings import PortalSettings
from tests.conftest import API, FakeApi
from tests.support.recording_server import RecordingServer, run_recording_server

NO_CANCEL = PortalSettings.parse({"plan_overview_settings": {"allow_subscription_cancel": False}})


@pytest.fixture
def server(settings: Settings) -> Iterator[RecordingServer]:
    """A server on a real socket at `ALGUNA_PORTAL_API_URL`."""
    with run_recording_server() as server:
        settings.ALGUNA_PORTAL_API_URL = server.url
        yield server


def create(alias: object = "acme-1", portal_settings: PortalSettings = NO_CANCEL, **options: Any) -> str:
    """Create a portal session with the current settings; return its URL."""
    return AlgunaClient.from_settings().create_portal_session(alias, portal_settings, **options).url


def create_and_fail(kind: type[Exception], match: str | None = None) -> Exception:
    """Create a portal session; return the exception that is raised."""
    with pytest.raises(kind, match=match) as caught:
        create()
    return caught.value


def test_request_has_the_documented_body_and_headers(alguna: FakeApi) -> None:
    assert create(customer_id="cust_abc123") == alguna.url(1)
    assert alguna.bodies == [
        {"customer_alias": "acme-1", "plan_overview_settings": {"allow_subscription_cancel": False}}
    ]
    sent = alguna.requests[0].headers
    assert sent["Authorization"] == "Bearer key_1.secret-of-the-tests"
    assert sent["Alguna-Version"] == "2026-04-01"
    assert sent["Content-Type"] == sent["Accept"] == "application/json"
    assert sent["User-Agent"] == f"alguna_portal/{__version__}"
    assert UUID(sent["Idempotency-Key"]).version == 4


def test_version_header_is_the_version_of_the_client(alguna: FakeApi) -> None:
    client = AlgunaClient.from_settings()
    client.api_version = "2027-01-01"
    client.create_portal_session("acme-1", NO_CANCEL)
    assert alguna.requests[0].headers["Alguna-Version"] == "2027-01-01"


def test_each_session_has_its_own_idempotency_key(alguna: FakeApi) -> None:
    """With the same key, Alguna would return the first session for a day."""
    create()
    create()
    first, second = (request.headers["Idempotency-Key"] for request in alguna.requests)
    assert first != second


def test_request_has_both_timeouts(alguna: FakeApi, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 2)
    create()
    assert alguna.requests[0].req_kwargs["timeout"] == (1, 2)  # type: ignore[attr-defined]


def test_missing_key_raises_before_a_request(settings: Settings, alguna: FakeApi) -> None:
    """The exception isn't an `AlgunaError`, so that code for outages doesn't hide it."""
    del settings.ALGUNA_PORTAL_API_KEY
    create_and_fail(ImproperlyConfigured, match="ALGUNA_PORTAL_API_KEY is not set")
    assert not issubclass(ImproperlyConfigured, AlgunaError)
    assert alguna.requests == []


@pytest.mark.parametrize(
    ("alias", "sent"), [("acme-1", "acme-1"), (42, "42"), (UUID(int=7), "00000000-0000-0000-0000-000000000007")]
)
def test_alias_is_sent_as_text_and_unset_settings_are_not_sent(alguna: FakeApi, alias: object, sent: str) -> None:
    create(alias, PortalSettings())
    assert alguna.bodies == [{"customer_alias": sent}]


@pytest.mark.parametrize("alias", [None, ""])
def test_empty_alias_raises_before_a_request(alguna: FakeApi, alias: str | None) -> None:
    with pytest.raises(ValueError, match="A customer without an alias has no portal"):
        create(alias)
    assert alguna.requests == []


@pytest.mark.parametrize(
    "failure",
    [requests.ConnectionError("connection to https://portal.alguna.io/hs/abc refused"),
     requests.ConnectTimeout("bob@example.com"), requests.ReadTimeout(), requests.exceptions.SSLError(),
     requests.exceptions.ProxyError("http://user:password@proxy"), requests.exceptions.ChunkedEncodingError(),
     ProtocolError("broke off"), OSError("no such CA bundle"), ValueError("not an address")],
)  # fmt: skip
def test_transport_failures_raise_unavailable(alguna: FakeApi, failure: Exception) -> None:
    """The text contains the class name of the failure, but not its text."""
    alguna.fail(failure)
    exc = create_and_fail(AlgunaUnavailable)
    assert str(exc) == (
        f"Alguna cannot be reached ({type(failure).__name__}). Try again later; if it stays so, check "
        "ALGUNA_PORTAL_API_URL and the way out of your network."
    )
    assert str(pickle.loads(pickle.dumps(exc))) == str(exc)


@pytest.mark.parametrize(("listens", "failure"), [(False, "ConnectionError"), (True, "ReadTimeout")])
def test_silent_port_raises_unavailable(settings: Settings, *, listens: bool, failure: str) -> None:
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        settings.ALGUNA_PORTAL_API_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        create_and_fail(AlgunaUnavailable, match=failure)


def test_incomplete_body_raises_unavailable(server: RecordingServer) -> None:
    server.response = (200, {"Content-Length": "100", "Connection": "close"}, b'{"id"')
    create_and_fail(AlgunaUnavailable)


@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "http://\xff/", "\x00", "x" * 5000])
def test_redirects_are_not_followed(server: RecordingServer, location: str) -> None:
    """The key is only sent to the configured URL, and an invalid location isn't parsed."""
    server.response = (307, {"Location": location}, b"")
    create_and_fail(UnexpectedResponse, match="does not answer like this")
    assert [request["path"] for request in server.requests] == ["/customer-portal-sessions"]


def test_netrc_entry_does_not_replace_the_key(
    server: RecordingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`requests` prefers `.netrc` to an Authorization header."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    create_and_fail(UnexpectedResponse)
    assert server.requests[0]["Authorization"] == "Bearer key_1.secret-of-the-tests"


def test_connections_are_reused_without_cookies(server: RecordingServer) -> None:
    """Alguna can't set state that threads would share."""
    server.response = (200, {"Set-Cookie": "a=b"}, b"{}")
    for _ in range(3):
        create_and_fail(UnexpectedResponse)
    assert len(server.peers) == 1
    assert "Cookie" not in server.requests[-1]


def test_forked_process_opens_its_own_connections(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with the same socket would read each other's responses."""
    create_and_fail(UnexpectedResponse)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    create_and_fail(UnexpectedResponse)
    assert len(server.peers) == 2


def test_http_is_accepted_for_a_loopback_host_with_debug_only(alguna: FakeApi, settings: Settings) -> None:
    alguna.change = {"url": "http://localhost:8000/sandbox/hs/x"}
    settings.ALGUNA_PORTAL_URL_HOSTS = ["localhost"]
    create_and_fail(UnsafePortalURL)
    settings.DEBUG = True
    create()


def test_circuit_breaker_records_how_each_call_ended(alguna: FakeApi) -> None:
    circuit_breaker = mock.create_autospec(CircuitBreaker, instance=True)
    client = AlgunaClient.from_settings(circuit_breaker=circuit_breaker)
    client.create_portal_session("acme-1", NO_CANCEL)
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable) as caught:
        client.create_portal_session("acme-1", NO_CANCEL)
    assert circuit_breaker.before_call.call_count == 2
    assert circuit_breaker.after_call.call_args_list == [mock.call(None), mock.call(caught.value)]


def get_report(exc: Exception) -> str:
    """Return what Django's error report shows of an exception and its causes, without the frames of these tests."""
    frames = ExceptionReporter(None, type(exc), exc, exc.__traceback__).get_traceback_frames()
    ours = [frame for frame in frames if not frame["filename"].startswith(str(Path(__file__).parent))]
    assert any("alguna_portal" in frame["filename"] for frame in ours)
    return str(exc) + str([frame["vars"] for frame in ours])


def test_error_report_of_an_outage_does_not_show_the_key(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_URL = "http://127.0.0.1:1"
    exc = create_and_fail(AlgunaUnavailable, match="ConnectionError < ConnectionRefusedError")
    assert "secret-of-the-tests" not in get_report(exc)


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_error_report_of_a_response_does_not_show_the_key(server: RecordingServer, status: int) -> None:
    server.response = (status, {}, b"<html>")
    assert "secret-of-the-tests" not in get_report(create_and_fail(AlgunaError))


@pytest.mark.parametrize("change", [{"id": 7}, {"expires_at": "never"}, {"url": "https://evil.example/hs/token1"}])
def test_error_report_of_an_invalid_session_does_not_show_its_url(alguna: FakeApi, change: dict[str, Any]) -> None:
    alguna.change = change
    assert "hs/token1" not in get_report(create_and_fail(UnexpectedResponse))


def test_logs_contain_no_secrets(server: RecordingServer, caplog: pytest.LogCaptureFixture, settings: Settings) -> None:
    """At all levels of all libraries, after a success, a failure and a retry."""
    caplog.set_level(logging.DEBUG)
    settings.ALGUNA_PORTAL_RETRIES = 1
    leaky = b'{"detail": "bob@acme.example key_1.secret-of-the-tests https://portal.alguna.io/hs/token1"}'
    for status, headers in ((200, {}), (401, {}), (503, {"Retry-After": "0"}), (302, {"Location": "/hs/token1"})):
        server.response = (status, headers, leaky)
        create_and_fail(AlgunaError)
    assert "urllib3" in caplog.text
    assert "is repeated in" in caplog.text
    assert not any(leak in caplog.text for leak in ("bob@", "secret-of-the-tests", "token1"))


@pytest.mark.parametrize(
    ("key", "reason", "quoted"),
    [
        ("key_1.secret-of-the-tests", "invalid key key_1.secret-of-the-tests, secret secret-of-the-tests",
         r"invalid key \[key\], secret \[key\]"),
        ("key.of.staging.its-secret", "no key its-secret", r"no key \[key\]"),
        ("abc.", "not allowed", "not allowed"),
        (".", "not allowed", "not allowed"),
    ],
)  # fmt: skip
def test_exceptions_do_not_quote_the_key(
    server: RecordingServer, settings: Settings, key: str, reason: str, quoted: str
) -> None:
    """Neither the whole key nor its secret half, which follows the last dot and may be empty."""
    settings.ALGUNA_PORTAL_API_KEY = key
    server.response = (401, {}, json.dumps({"code": "unauthenticated", "message": reason}).encode())
    create_and_fail(AuthenticationFailed, match=quoted)


def test_repr_does_not_show_the_key() -> None:
    client = AlgunaClient.from_settings()
    assert "secret-of-the-tests" not in repr(client) + repr(vars(client))


def test_subscriptions_are_read_to_the_last_page(alguna: FakeApi) -> None:
    """With 100 on each page, and an exception for more than 2,000."""
    everything = [{"customer_id": "cust_1", "status": "active", "plan_id": f"plan_{number}"} for number in range(2001)]
    sent: list[tuple[str | None, str]] = []
    listed = everything[:200]

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = dict(pair.split("=") for pair in str(request.url).partition("?")[2].split("&"))
        assert query["customer_id"] == "cust_1"
        sent.append((request.method, query["offset"]))
        first = int(query["offset"])
        return 200, {}, json.dumps({"data": listed[first : first + int(query["limit"])]})

    alguna.http.add_callback("GET", f"{API}/subscriptions", callback=answer)
    client = AlgunaClient.from_settings()
    found = client.subscriptions("cust_1")
    assert [each.plan_id for each in found] == [each["plan_id"] for each in listed]
    assert sent == [("GET", "0"), ("GET", "100"), ("GET", "200")]
    listed = everything
    with pytest.raises(UnexpectedResponse, match=r"^Alguna has more than 2000 subscriptions of one customer\.$"):
        client.subscriptions("cust_1")
    listed = everything[:1999]
    assert len(client.subscriptions("cust_1")) == 1999


def test_ids_are_quoted_in_urls(alguna: FakeApi) -> None:
    alguna.http.get(f"{API}/customers/a%2Fb%3Fc", json={"id": "a/b?c", "aliases": ["acme-1"]})
    client = AlgunaClient.from_settings()
    assert client.aliases("a/b?c") == ["acme-1"]
    assert client.has_alias("a/b?c", "acme-1")
    assert not client.has_alias("a/b?c", "acme-2")


def test_customer_creation_has_the_same_idempotency_key_unless_again(alguna: FakeApi) -> None:
    """The key depends on the data. Without an email address, there is no contact."""
    alguna.http.post(f"{API}/customers", json={"id": "cust_1", "aliases": ["acme-1"]})
    client = AlgunaClient.from_settings()
    keys = []
    for again in (False, False, True, True):
        assert client.create_customer(alias="acme-1", name="Acme", currency="EUR", again=again) == ("cust_1", False)
        sent = alguna.http.calls[-1].request
        assert json.loads(sent.body or "") == {"name": "Acme", "currency": "EUR", "aliases": ["acme-1"]}
        keys.append(sent.headers["Idempotency-Key"])
    # Two releases that run side by side need the same key.
    canonical = b'{"aliases": ["acme-1"], "currency": "EUR", "name": "Acme"}'
    assert keys[0] == keys[1] == f"customer-{sha256(canonical).hexdigest()}"
    assert len(set(keys)) == 3
    assert [UUID(key).version for key in keys[2:]] == [4, 4]


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/customers/lookup", lambda client: client.find_customer("acme-1", within=2)),
        ("GET", "/customers/cust_1", lambda client: client.aliases("cust_1", within=2)),
        ("GET", "/customers/cust_1", lambda client: client.has_alias("cust_1", "acme-1", within=2)),
        ("GET", "/subscriptions", lambda client: client.subscriptions("cust_1", within=2)),
        ("POST", "/customers", lambda client: client.create_customer(alias="a", name="A", currency="EUR", within=2)),
        ("POST", "/customer-portal-sessions", lambda client: client.create_portal_session("a", NO_CANCEL, within=2)),
    ],
)
def test_every_method_respects_within(method: str, path: str, call: Any) -> None:
    with responses.RequestsMock() as http:
        http.add(method, API + path, status=503)
        with pytest.raises(AlgunaUnavailable):
            call(AlgunaClient.from_settings())
        assert 0 < http.calls[0].request.req_kwargs["timeout"][1] <= 2  # type: ignore[attr-defined]
