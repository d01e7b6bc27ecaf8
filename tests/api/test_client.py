"""The client: what it sends, over real sockets where that matters, and that nothing of `requests` comes out."""

import json
import logging
import os
import pickle
import socket
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
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
from tests.conftest import API, Alguna

NO_CANCEL = PortalSettings.parse({"plan_overview_settings": {"allow_subscription_cancel": False}})


class Server(ThreadingHTTPServer):
    """A real HTTP server that answers as it is told, and remembers whom it heard."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self.heard: list[dict[str, str]] = []
        self.peers: set[tuple[str, int]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One connection to `Server`."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Answer as told."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append({"path": self.path, **dict(self.headers)})
        self.server.peers.add(self.client_address)
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """A real server that stands where the API does."""
    with Server() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.ALGUNA_PORTAL_API_URL = server.url
        yield server
        server.shutdown()


def create() -> None:
    """Ask for a session with the settings of now."""
    AlgunaClient.from_settings().create_portal_session("acme-1", NO_CANCEL)


def test_the_request_is_what_the_api_asks_for(alguna: Alguna) -> None:
    """Alias and set fields in the body; key, version, idempotency key and our name in the headers."""
    session = AlgunaClient.from_settings().create_portal_session("acme-1", NO_CANCEL, customer_id="cust_abc123")
    assert session.url == alguna.url(1)
    assert alguna.bodies == [
        {"customer_alias": "acme-1", "plan_overview_settings": {"allow_subscription_cancel": False}}
    ]
    sent = alguna.requests[0].headers
    assert sent["Authorization"] == "Bearer key_1.secret-of-the-tests"
    assert sent["Alguna-Version"] == "2026-04-01"
    assert sent["Content-Type"] == sent["Accept"] == "application/json"
    assert sent["User-Agent"] == f"alguna_portal/{__version__}"
    assert UUID(sent["Idempotency-Key"]).version == 4


def test_a_client_says_which_version_it_speaks(alguna: Alguna) -> None:
    """Of the dated ones, that which it was made for."""
    client = AlgunaClient.from_settings()
    client.api_version = "2027-01-01"
    client.create_portal_session("acme-1", NO_CANCEL)
    assert alguna.requests[0].headers["Alguna-Version"] == "2027-01-01"


def test_each_session_wanted_has_an_idempotency_key_of_its_own(alguna: Alguna) -> None:
    """A key used twice would replay a spent session for a day."""
    create()
    create()
    first, second = (request.headers["Idempotency-Key"] for request in alguna.requests)
    assert first != second


def test_a_request_has_both_timeouts(alguna: Alguna, settings: Settings) -> None:
    """No call can wait for ever."""
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 2)
    create()
    assert alguna.requests[0].req_kwargs["timeout"] == (1, 2)  # type: ignore[attr-defined]


def test_a_body_that_says_nothing_about_sections_leaves_alguna_its_defaults(alguna: Alguna) -> None:
    """Unset stays unset on the wire."""
    AlgunaClient.from_settings().create_portal_session("acme-1", PortalSettings())
    assert alguna.bodies == [{"customer_alias": "acme-1"}]


def test_a_missing_key_stops_before_any_call(settings: Settings, alguna: Alguna) -> None:
    """A configuration error is none of our `AlgunaError`s, so that nothing swallows it."""
    del settings.ALGUNA_PORTAL_API_KEY
    with pytest.raises(ImproperlyConfigured, match="ALGUNA_PORTAL_API_KEY is not set"):
        create()
    assert not issubclass(ImproperlyConfigured, AlgunaError)
    assert alguna.requests == []


def test_an_alias_may_be_a_number_or_a_uuid_and_goes_as_text(alguna: Alguna) -> None:
    """Hosts pass their own primary keys."""
    client = AlgunaClient.from_settings()
    for alias in (42, UUID(int=7)):
        client.create_portal_session(alias, PortalSettings())
    assert [body["customer_alias"] for body in alguna.bodies] == ["42", "00000000-0000-0000-0000-000000000007"]


@pytest.mark.parametrize("alias", [None, ""])
def test_an_empty_alias_is_refused_before_any_call(alguna: Alguna, alias: str | None) -> None:
    """Alguna could not tell whose portal is meant."""
    with pytest.raises(ValueError, match="A customer without an alias has no portal"):
        AlgunaClient.from_settings().create_portal_session(alias, PortalSettings())
    assert alguna.requests == []


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("connection to https://portal.alguna.io/hs/abc refused"),
        requests.ConnectTimeout("bob@example.com"),
        requests.ReadTimeout(),
        requests.exceptions.SSLError(),
        requests.exceptions.ProxyError("http://user:password@proxy"),
        requests.exceptions.ChunkedEncodingError(),
        ProtocolError("broke off"),
        OSError("no such CA bundle"),
        ValueError("not an address"),
    ],
)
def test_what_goes_wrong_on_the_way_is_an_outage(alguna: Alguna, failure: Exception) -> None:
    """Every failure of the transport says that Alguna cannot be reached, and quotes nothing."""
    alguna.fail(failure)
    with pytest.raises(AlgunaUnavailable) as caught:
        create()
    assert str(caught.value) == (
        f"Alguna cannot be reached ({type(failure).__name__}). Try again later; if it stays so, check "
        "ALGUNA_PORTAL_API_URL and the way out of your network."
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_port_where_nobody_listens_is_an_outage(settings: Settings) -> None:
    """A real refusal, from the operating system."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.ALGUNA_PORTAL_API_URL = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(AlgunaUnavailable, match="ConnectionError"):
            create()


def test_a_server_that_never_answers_is_an_outage(settings: Settings) -> None:
    """A real read timeout."""
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.ALGUNA_PORTAL_API_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AlgunaUnavailable, match="ReadTimeout"):
            create()


def test_a_body_that_breaks_off_is_an_outage(server: Server) -> None:
    """Fewer bytes than were announced are no answer."""
    server.answer = (200, {"Content-Length": "100", "Connection": "close"}, b'{"id"')
    with pytest.raises(AlgunaUnavailable):
        create()


@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "http://\xff/", "\x00", "x" * 5000])
def test_redirects_are_not_followed_nor_even_read(server: Server, location: str) -> None:
    """The key goes to the address that was configured, and nowhere else."""
    server.answer = (307, {"Location": location}, b"")
    with pytest.raises(UnexpectedResponse, match="does not answer like this"):
        create()
    assert [heard["path"] for heard in server.heard] == ["/customer-portal-sessions"]


def test_a_netrc_entry_does_not_replace_the_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`requests` prefers `.netrc` to an Authorization header; ours must be what is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(UnexpectedResponse):
        create()
    assert server.heard[0]["Authorization"] == "Bearer key_1.secret-of-the-tests"


def test_connections_are_reused_and_cookies_are_not_kept(server: Server) -> None:
    """One pool a process; Alguna can set no state that threads would share."""
    server.answer = (200, {"Set-Cookie": "a=b"}, b"{}")
    for _ in range(3):
        with pytest.raises(UnexpectedResponse):
            create()
    assert len(server.peers) == 1
    assert "Cookie" not in server.heard[-1]


def test_a_forked_child_opens_connections_of_its_own(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that shared a socket would read each other's answers."""
    with pytest.raises(UnexpectedResponse):
        create()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(UnexpectedResponse):
        create()
    assert len(server.peers) == 2


def reported(exc: Exception) -> str:
    """Return what Django would report of an exception and its causes, but for the frames of these tests."""
    frames = ExceptionReporter(None, type(exc), exc, exc.__traceback__).get_traceback_frames()
    ours = [frame for frame in frames if not frame["filename"].startswith(str(Path(__file__).parent))]
    assert any("alguna_portal" in frame["filename"] for frame in ours)
    return str(exc) + str([frame["vars"] for frame in ours])


def test_a_report_of_an_outage_shows_neither_key_nor_request(settings: Settings) -> None:
    """A host that lets the exception through mails its frames and their variables to ADMINS."""
    settings.ALGUNA_PORTAL_API_URL = "http://127.0.0.1:1"
    with pytest.raises(AlgunaUnavailable) as caught:
        create()
    assert "ConnectionError < ConnectionRefusedError" in str(caught.value)
    assert "secret-of-the-tests" not in reported(caught.value)


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_a_report_of_a_refusal_shows_no_key(server: Server, status: int) -> None:
    """Whatever was answered, the key is in no variable that Django reports."""
    server.answer = (status, {}, b"<html>")
    with pytest.raises(AlgunaError) as caught:
        create()
    assert "secret-of-the-tests" not in reported(caught.value)


@pytest.mark.parametrize("change", [{"id": 7}, {"expires_at": "never"}, {"url": "https://evil.example/hs/token1"}])
def test_a_report_of_a_bad_answer_does_not_show_the_url(alguna: Alguna, change: dict[str, Any]) -> None:
    """Neither the exception nor the variables in its frames, as Django reports them."""
    alguna.change = change
    with pytest.raises(UnexpectedResponse) as caught:
        create()
    assert "hs/token1" not in reported(caught.value)


@pytest.mark.parametrize("key", ["abc.", "."])
def test_a_key_without_a_secret_half_spoils_no_message(server: Server, key: str, settings: Settings) -> None:
    """An empty half is not looked for between all letters."""
    settings.ALGUNA_PORTAL_API_KEY = key
    server.answer = (403, {}, b'{"detail": "not allowed"}')
    with pytest.raises(AuthenticationFailed, match="not allowed"):
        create()


def test_http_for_this_machine_passes_under_debug_only(alguna: Alguna, settings: Settings) -> None:
    """The sandbox works during development; in production, nothing without TLS."""
    alguna.change = {"url": "http://localhost:8000/sandbox/hs/x"}
    settings.ALGUNA_PORTAL_URL_HOSTS = ["localhost"]
    with pytest.raises(UnsafePortalURL):
        create()
    settings.DEBUG = True
    create()


class RecordingBreaker(CircuitBreaker):
    """A circuit breaker that allows every call and records how it ended."""

    def __init__(self) -> None:
        self.ended: list[BaseException | None] = []

    def before_call(self) -> None:
        """Allow the call."""

    def after_call(self, failure: BaseException | None) -> None:
        """Record the failure, or None after a success."""
        self.ended.append(failure)


def test_circuit_breaker_is_told_how_each_call_ended(alguna: Alguna) -> None:
    """It gets None after a success, or the exception that is raised."""
    circuit_breaker = RecordingBreaker()
    client = AlgunaClient.from_settings(circuit_breaker=circuit_breaker)
    client.create_portal_session("acme-1", NO_CANCEL)
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable) as caught:
        client.create_portal_session("acme-1", NO_CANCEL)
    assert circuit_breaker.ended == [None, caught.value]


def test_nothing_of_a_real_call_is_logged_that_must_not_be(
    server: Server, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    """At no level and by no library on the way, in success, failure and retry."""
    caplog.set_level(logging.DEBUG)
    settings.ALGUNA_PORTAL_RETRIES = 1
    leaky = b'{"detail": "bob@acme.example key_1.secret-of-the-tests https://portal.alguna.io/hs/token1"}'
    for status, headers in ((200, {}), (401, {}), (503, {"Retry-After": "0"}), (302, {"Location": "/hs/token1"})):
        server.answer = (status, headers, leaky)
        with pytest.raises(AlgunaError):
            create()
    assert "urllib3" in caplog.text
    assert "is repeated in" in caplog.text
    assert not any(leak in caplog.text for leak in ("bob@", "secret-of-the-tests", "token1"))


def test_no_error_quotes_the_key(server: Server) -> None:
    """A gateway that repeats the key does not get it into our logs."""
    said = "invalid key key_1.secret-of-the-tests, secret secret-of-the-tests"
    server.answer = (401, {}, json.dumps({"code": "unauthenticated", "message": said}).encode())
    with pytest.raises(AuthenticationFailed) as caught:
        create()
    assert "invalid key [key], secret [key]" in str(caught.value)


def test_the_secret_half_is_what_follows_the_last_dot(server: Server, settings: Settings) -> None:
    """Whatever the name of the key looks like."""
    settings.ALGUNA_PORTAL_API_KEY = "key.of.staging.its-secret"
    server.answer = (401, {}, b'{"code": "unauthenticated", "message": "no key its-secret"}')
    with pytest.raises(AuthenticationFailed, match=r"no key \[key\]"):
        create()


def test_subscriptions_are_read_to_their_last_page(alguna: Alguna) -> None:
    """A hundred at a time, and all of them; whoever has thousands is no customer that plans can be read of."""
    everything = [{"customer_id": "cust_1", "status": "active", "plan_id": f"plan_{number}"} for number in range(2001)]
    asked: list[tuple[str | None, str]] = []
    listed = everything[:200]

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = dict(pair.split("=") for pair in str(request.url).partition("?")[2].split("&"))
        assert query["customer_id"] == "cust_1"
        asked.append((request.method, query["offset"]))
        first = int(query["offset"])
        return 200, {}, json.dumps({"data": listed[first : first + int(query["limit"])]})

    alguna.http.add_callback("GET", f"{API}/subscriptions", callback=answer)
    client = AlgunaClient.from_settings()
    found = client.subscriptions("cust_1")
    assert [each.plan_id for each in found] == [each["plan_id"] for each in listed]
    assert asked == [("GET", "0"), ("GET", "100"), ("GET", "200")]
    listed = everything
    with pytest.raises(UnexpectedResponse, match=r"^Alguna has more than 2000 subscriptions of one customer\.$"):
        client.subscriptions("cust_1")
    listed = everything[:1999]
    assert len(client.subscriptions("cust_1")) == 1999


def test_an_id_may_hold_anything_that_a_path_may_not(alguna: Alguna) -> None:
    """It names one customer, whatever stands in it."""
    alguna.http.get(f"{API}/customers/a%2Fb%3Fc", json={"id": "a/b?c", "aliases": ["acme-1"]})
    client = AlgunaClient.from_settings()
    assert client.aliases("a/b?c") == ["acme-1"]
    assert client.has_alias("a/b?c", "acme-1")
    assert not client.has_alias("a/b?c", "acme-2")


def test_a_customer_that_is_created_again_is_so_each_time_under_a_key_of_its_own(alguna: Alguna) -> None:
    """Without an address there is no contact; the same request has the same key, unless it must not be the same."""
    alguna.http.post(f"{API}/customers", json={"id": "cust_1", "aliases": ["acme-1"]})
    client = AlgunaClient.from_settings()
    keys = []
    for again in (False, False, True, True):
        assert client.create_customer(alias="acme-1", name="Acme", currency="EUR", again=again) == ("cust_1", False)
        sent = alguna.http.calls[-1].request
        assert json.loads(sent.body or "") == {"name": "Acme", "currency": "EUR", "aliases": ["acme-1"]}
        keys.append(sent.headers["Idempotency-Key"])
    # The same for two releases that run side by side while one is replaced, whatever they write first.
    canonical = b'{"aliases": ["acme-1"], "currency": "EUR", "name": "Acme"}'
    assert keys[0] == keys[1] == f"customer-{sha256(canonical).hexdigest()}"
    assert len(set(keys)) == 3
    assert [UUID(key).version for key in keys[2:]] == [4, 4]


@pytest.mark.parametrize(
    ("method", "path", "ask"),
    [
        ("GET", "/customers/lookup", lambda client: client.find_customer("acme-1", within=2)),
        ("GET", "/customers/cust_1", lambda client: client.aliases("cust_1", within=2)),
        ("GET", "/customers/cust_1", lambda client: client.has_alias("cust_1", "acme-1", within=2)),
        ("GET", "/subscriptions", lambda client: client.subscriptions("cust_1", within=2)),
        ("POST", "/customers", lambda client: client.create_customer(alias="a", name="A", currency="EUR", within=2)),
        (
            "POST",
            "/customer-portal-sessions",
            lambda client: client.create_portal_session("acme-1", PortalSettings(), within=2),
        ),
    ],
)
def test_every_question_has_no_longer_than_its_caller_gives_it(method: str, path: str, ask: Any) -> None:
    """Which is less here than the time for a part of an answer."""
    with responses.RequestsMock() as http:
        http.add(method, API + path, status=503)
        with pytest.raises(AlgunaUnavailable):
            ask(AlgunaClient.from_settings())
        assert 0 < http.calls[0].request.req_kwargs["timeout"][1] <= 2  # type: ignore[attr-defined]


def test_no_repr_shows_the_key() -> None:
    """A client in a traceback gives nothing away."""
    client = AlgunaClient.from_settings()
    assert "secret-of-the-tests" not in repr(client) + repr(vars(client))
