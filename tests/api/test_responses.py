"""Answers: every status, header and body becomes a session or one of our exceptions, and none of them leaks."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st

from alguna_portal import exceptions
from alguna_portal.api.portal_url import LONGEST_URL, validate_session
from alguna_portal.api.responses import LONGEST_WAIT, PortalSession, parse_portal_session, parse_response
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    CustomerMismatch,
    CustomerUnknown,
    UnexpectedResponse,
    UnsafePortalURL,
)
from alguna_portal.redaction import redact_id, redact_text

HOSTS = ("alguna.io", ".alguna.io", "billing.example.com", "localhost", "127.0.0.1")
GOOD: dict[str, Any] = {
    "id": "a8B3kLmQ",
    "customer_id": "cust_abc123",
    "url": "https://portal.alguna.io/hs/abc123",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
    "a_field_of_tomorrow": {"tolerated": True},
}


def read(data: object, *, customer_id: str | None = None, loopback_http: bool = False) -> PortalSession:
    """Take an answer of 200 the whole way: decode, read, vet."""
    session = parse_portal_session(parse_response(200, {}, json.dumps(data).encode()))
    return validate_session(session, customer_id=customer_id, url_hosts=HOSTS, loopback_http=loopback_http)


def problem(body: str = "") -> bytes:
    """Write an error as the API does."""
    return json.dumps({"detail": body, "status": 0}).encode()


def test_a_session_is_read_as_the_api_documents_it() -> None:
    """The reference page's example becomes a session that lives for an hour."""
    session = read(GOOD, customer_id="cust_abc123")
    assert session == PortalSession(
        id="a8B3kLmQ",
        customer_id="cust_abc123",
        url="https://portal.alguna.io/hs/abc123",
        created_at=datetime(2026, 4, 1, 10, tzinfo=UTC),
        expires_at=datetime(2026, 4, 1, 11, tzinfo=UTC),
    )
    assert session.life == timedelta(hours=1)


def test_the_url_of_a_session_is_not_in_its_repr() -> None:
    """A URL is a credential: printing a session does not give it away."""
    assert "abc123'" in repr(read(GOOD))
    assert "hs/" not in repr(read(GOOD))


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, problem("Bad version"), AlgunaRefused, "Alguna answered 400 (“Bad version”). It will not accept"),
        (401, b'{"code": "unauthenticated", "message": "No valid key"}', AuthenticationFailed,
         "Alguna answered 401 (“No valid key”). Check ALGUNA_PORTAL_API_KEY"),
        (401, problem("Key revoked"), AuthenticationFailed, "(“Key revoked”). Check ALGUNA_PORTAL_API_KEY"),
        (403, problem("Forbidden"), AuthenticationFailed, "The API key may not do this"),
        (404, problem("Customer not found"), CustomerUnknown, "No customer in this Alguna account has this alias"),
        (408, b"", AlgunaUnavailable, "Alguna answered 408. Try again later."),
        (409, problem("Conflict"), AlgunaRefused, "It will not accept this request as it is"),
        (422, problem("Key reused"), AlgunaRefused, "(“Key reused”). It will not accept"),
        (429, problem("Slow down"), AlgunaUnavailable, "Alguna answered 429 (“Slow down”). Try again later."),
        (500, b"", AlgunaUnavailable, "Alguna answered 500. Try again later."),
        (502, b"<html><h1>Bad Gateway</h1></html>", AlgunaUnavailable, "Alguna answered 502. Try again later."),
        (503, problem("Maintenance"), AlgunaUnavailable, "(“Maintenance”). Try again later."),
        (504, b"\xff\xfe", AlgunaUnavailable, "Alguna answered 504. Try again later."),
        (599, b"null", AlgunaUnavailable, "Alguna answered 599."),
        (404, b"<h1>Not Found</h1>", UnexpectedResponse, "Alguna answered 404. Its API does not answer like this"),
        (302, b"", UnexpectedResponse, "Its API does not answer like this. Check ALGUNA_PORTAL_API_URL"),
        (304, b"", UnexpectedResponse, "Its API does not answer like this"),
        (100, b"", UnexpectedResponse, "Its API does not answer like this"),
        (200, b"<html>", UnexpectedResponse, "but not with a JSON object. Does ALGUNA_PORTAL_API_URL lead to its API"),
        (200, b"", UnexpectedResponse, "not with a JSON object"),
        (200, b"[]", UnexpectedResponse, "not with a JSON object"),
        (200, b"\xff", UnexpectedResponse, "not with a JSON object"),
        (200, b"[" * 100_000, UnexpectedResponse, "not with a JSON object"),
    ],
)  # fmt: skip
def test_every_documented_failure_has_its_exception(
    status: int, body: bytes, kind: type[AlgunaError], text: str
) -> None:
    """The exception's type says what to do, its text names the problem and the remedy."""
    with pytest.raises(AlgunaError) as caught:
        parse_response(status, {}, body)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"id": None}, UnexpectedResponse, "has no “id”, or one that is not a string"),
        ({"customer_id": ""}, UnexpectedResponse, "has no “customer_id”"),
        ({"url": 7}, UnexpectedResponse, "has no “url”"),
        ({"created_at": 1775037600}, UnexpectedResponse, "has no “created_at”"),
        ({"created_at": "yesterday"}, UnexpectedResponse, "a “created_at” that is not a time"),
        ({"expires_at": "2026-04-01T11:00:00"}, UnexpectedResponse, "a “expires_at” without a time zone"),
        ({"expires_at": "2026-04-01T09:59:59Z"}, UnexpectedResponse, "expires before it was created"),
        ({"expires_at": "2026-04-01T10:00:00Z"}, UnexpectedResponse, "expires before it was created"),
        ({"customer_id": "cust_other"}, CustomerMismatch, "made the session for customer “cust_other”"),
        ({"url": "http://portal.alguna.io/hs/abc"}, UnsafePortalURL, "it is not https"),
        ({"url": "javascript:alert(1)//portal.alguna.io"}, UnsafePortalURL, "is not a plain host name"),
        ({"url": "//portal.alguna.io/hs/abc"}, UnsafePortalURL, "it is not https"),
        ({"url": "https://evil.example/hs/abc"}, UnsafePortalURL, "“evil.example” is not in ALGUNA_PORTAL_URL_HOSTS"),
        ({"url": "https://evilalguna.io/hs/abc"}, UnsafePortalURL, "“evilalguna.io” is not in"),
        ({"url": "https://alguna.io.evil.example/"}, UnsafePortalURL, "is not in"),
        ({"url": "https://sub.billing.example.com/"}, UnsafePortalURL, "is not in"),
        ({"url": "https://portal.alguna.io@evil.example/"}, UnsafePortalURL, "it has a user name"),
        ({"url": "https://evil.example\\@portal.alguna.io/"}, UnsafePortalURL, "characters that do not belong"),
        ({"url": "https://portal.alguna.io/\r\nSet-Cookie: a=b"}, UnsafePortalURL, "characters that do not belong"),
        ({"url": " https://portal.alguna.io/"}, UnsafePortalURL, "characters that do not belong"),
        ({"url": "https://portal.\u0430lguna.io/"}, UnsafePortalURL, "characters that do not belong"),
        ({"url": "https://portal.alguna.io/" + "a" * LONGEST_URL}, UnsafePortalURL, "it is too long"),
        ({"url": "https://[portal.alguna.io/"}, UnsafePortalURL, "it cannot be read"),
        ({"url": "https://portal.alguna.io:99999/"}, UnsafePortalURL, "it cannot be read"),
        ({"url": "https:portal.alguna.io/hs"}, UnsafePortalURL, "is not a plain host name"),
        ({"url": "https://evil.example%2F.alguna.io/"}, UnsafePortalURL, "is not a plain host name"),
        ({"url": "https://.alguna.io/"}, UnsafePortalURL, "is not a plain host name"),
        ({"url": "https://[v1.x.alguna.io]/"}, UnsafePortalURL, "is refused: it"),
        ({"url": "http://localhost:8000/hs/abc"}, UnsafePortalURL, "it is not https"),
    ],
)  # fmt: skip
def test_a_success_that_is_not_one_is_refused(change: dict[str, Any], kind: type[AlgunaError], text: str) -> None:
    """Each field is checked, and no refusal shows the URL."""
    with pytest.raises(UnexpectedResponse) as caught:
        read(GOOD | change, customer_id="cust_abc123")
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert "hs/" not in str(caught.value)


def test_times_are_read_in_any_case_and_zone() -> None:
    """RFC 3339 allows small letters and offsets."""
    session = read(GOOD | {"created_at": "2026-04-01t10:00:00z", "expires_at": "2026-04-01T13:00:00+02:00"})
    assert session.life == timedelta(hours=1)


@pytest.mark.parametrize("name", ["id", "customer_id", "url", "created_at", "expires_at"])
def test_a_missing_field_is_named(name: str) -> None:
    """All five fields are required."""
    with pytest.raises(UnexpectedResponse, match=f"“{name}”"):
        read({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("url", ["https://alguna.io/", "https://a.b.alguna.io:8443/x", "https://BILLING.example.com/"])
def test_portals_on_listed_hosts_are_let_through(url: str) -> None:
    """A host itself, any subdomain where a dot leads, and any port."""
    assert read(GOOD | {"url": url}).url == url


def test_http_passes_for_this_machine_only_and_only_when_asked() -> None:
    """The sandbox works during development, and nothing else does without TLS."""
    for url in ("http://localhost:8000/x", "http://127.0.0.1:8000/x"):
        assert read(GOOD | {"url": url}, loopback_http=True).url == url
    for url in ("http://portal.alguna.io/", "ftp://localhost/"):
        with pytest.raises(UnsafePortalURL, match="it is not https"):
            read(GOOD | {"url": url}, loopback_http=True)
    for url in ("http://[::1]:8000/", "http://app.localhost/", "http://evil-localhost.com/"):
        with pytest.raises(UnsafePortalURL, match="is not in ALGUNA_PORTAL_URL_HOSTS"):
            read(GOOD | {"url": url}, loopback_http=True)


@pytest.mark.parametrize(
    ("host", "means_us"),
    [("localhost", True), ("app.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
     ("evil-localhost.com", False), ("localhost.evil.com", False), ("10.0.0.1", False), ("", False)],
)  # fmt: skip
def test_a_loopback_host_is_this_machine_and_no_other(host: str, *, means_us: bool) -> None:
    """Names that only look like it do not count."""
    assert is_loopback(host) is means_us


def test_a_customer_whose_id_is_not_known_is_anybody() -> None:
    """Without a stored id there is nothing to compare with."""
    assert read(GOOD, customer_id=None).customer_id == "cust_abc123"


def test_what_alguna_says_is_quoted_without_what_must_not_leak() -> None:
    """Addresses, URLs, keys, tokens and line breaks are taken out of the quoted reason, and it is cut."""
    said = (
        "Key key_1.hush of bob@example.com, bob%40example.com\r\n at portal.alguna.io/hs/abc123 "
        "https://portal.alguna.io/hs/abc123 half hush "
        f"{'t0ken' * 10} \x1b[31m " + "very long " * 100
    )
    with pytest.raises(AlgunaRefused) as caught:
        parse_response(
            400, {}, problem(said), redact=lambda text: text.replace("key_1.hush", "[key]").replace("hush", "[key]")
        )
    text = str(caught.value)
    assert "Key [key] of [e-mail] [e-mail] at [URL] [URL] half [key] […]" in text
    assert not any(leak in text for leak in ("hush", "bob", "abc123", "t0ken", "\n", "\x1b"))
    assert len(text) < 300


def test_a_very_long_reason_is_quoted_as_quickly_as_a_short_one() -> None:
    """Whoever writes it must not decide for how long a worker thinks about it; half an address stays hidden, too."""
    assert redact_text("a." * 400_000) == ""
    cut_in_two = f"{'https://x.example/ ' * 52}somebody@example.com"
    assert redact_text(cut_in_two) == " ".join(["[URL]"] * 52)[:200]
    assert "somebody" not in redact_text("https://x.example/y " * 49 + "and somebody.with.a.long.name@example.com")
    assert redact_text("x " * 2000) == ("x " * 100)[:200]


def test_an_id_is_shown_unless_it_is_an_address() -> None:
    """However long it is: it is what people must compare."""
    long = f"cust_{'0123456789abcdef' * 4}"
    assert (redact_id(long), redact_id("a@b.example"), redact_id("https://x")) == (long, "[…]", "[…]")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("9999999999", LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
@time_machine.travel("2026-11-21T12:00:00Z", tick=False)
def test_retry_after_is_read_in_both_its_forms(header: str, seconds: float | None) -> None:
    """Seconds or a date become seconds from now, within a day; what is neither is ignored."""
    with pytest.raises(AlgunaUnavailable) as caught:
        parse_response(503, {"RETRY-after": header}, b"")
    assert caught.value.retry_after == seconds


@time_machine.travel("2026-11-21T12:10:00Z", tick=False)
def test_a_date_to_retry_at_is_by_the_clock_that_wrote_it() -> None:
    """Where the answer tells its own time, a clock that differs from ours changes nothing."""
    headers = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 12:00:30 GMT"}
    with pytest.raises(AlgunaUnavailable) as caught:
        parse_response(503, headers, b"")
    assert caught.value.retry_after == 30


def test_a_conflict_that_names_a_wait_is_one_in_passing() -> None:
    """409 with `Retry-After` means that the same request still runs; any other is a real conflict."""
    with pytest.raises(AlgunaUnavailable, match="still running") as caught:
        parse_response(409, {"Retry-After": "1"}, problem("In progress"))
    assert caught.value.retry_after == 1


texts = st.sampled_from([*GOOD.values(), "", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]) | st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner, max_size=3)
)
sessions = st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, json_values))
bodies = st.binary() | st.builds(lambda data: json.dumps(data).encode(), sessions | json_values)
headers = st.dictionaries(st.sampled_from(["Retry-After", "retry-after", "Date", "X-Other"]), st.text())


@given(status=st.integers(100, 999) | st.just(200), headers=headers, body=bodies)
@example(status=503, headers={"Retry-After": "Mon, 01 Jan 0000 00:00:00 GMT"}, body=b"")
@example(status=200, headers={}, body=b'{"id": ' + b"9" * 5000 + b"}")
@example(status=400, headers={}, body=b'{"detail": "\\ud800"}')
def test_nothing_but_our_exceptions_comes_out(status: int, headers: dict[str, str], body: bytes) -> None:
    """Whatever arrives, the result is a vetted session or an `AlgunaError` that can be written to a log."""
    try:
        session = parse_portal_session(parse_response(status, headers, body))
        validate_session(session, customer_id=None, url_hosts=HOSTS, loopback_http=True)
    except AlgunaError as exc:
        str(exc).encode()
    else:
        assert 200 <= status < 300
        assert session.life > timedelta(0)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, AlgunaError)]
)
def test_exceptions_survive_pickling(kind: type[AlgunaError]) -> None:
    """A task queue can carry each of them with all that it knows."""
    copy = pickle.loads(pickle.dumps(kind("what and why", status=503, retry_after=2.5)))
    assert (type(copy), str(copy), copy.status, copy.retry_after) == (kind, "what and why", 503, 2.5)
