"""API responses: each status, header and body becomes a session or an exception that contains no secrets."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st

from alguna_portal import exceptions
from alguna_portal.api.portal_url import validate_session
from alguna_portal.api.responses import LONGEST_WAIT, PortalSession, parse_portal_session, parse_response
from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    CustomerUnknown,
    UnexpectedResponse,
)

SESSION: dict[str, Any] = {
    "id": "a8B3kLmQ",
    "customer_id": "cust_abc123",
    "url": "https://portal.alguna.io/hs/abc123",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
    "a_field_of_tomorrow": {"tolerated": True},
}


def error(detail: str) -> bytes:
    """Return an error in the API's format."""
    return json.dumps({"detail": detail, "status": 0}).encode()


def test_session_is_parsed_as_documented() -> None:
    """`repr` doesn't show its URL, which is a credential."""
    session = parse_portal_session(parse_response(200, {}, json.dumps(SESSION).encode()))
    assert session == PortalSession(
        id="a8B3kLmQ",
        customer_id="cust_abc123",
        url="https://portal.alguna.io/hs/abc123",
        created_at=datetime(2026, 4, 1, 10, tzinfo=UTC),
        expires_at=datetime(2026, 4, 1, 11, tzinfo=UTC),
    )
    assert session.life == timedelta(hours=1)
    assert "abc123'" in repr(session)
    assert "hs/" not in repr(session)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, error("Bad version"), AlgunaRefused, "Alguna answered 400 (“Bad version”). It will not accept"),
        (401, b'{"code": "unauthenticated", "message": "No valid key"}', AuthenticationFailed,
         "Alguna answered 401 (“No valid key”). Check ALGUNA_PORTAL_API_KEY"),
        (401, error("Key revoked"), AuthenticationFailed, "(“Key revoked”). Check ALGUNA_PORTAL_API_KEY"),
        (403, error("Forbidden"), AuthenticationFailed, "The API key may not do this"),
        (404, error("Customer not found"), CustomerUnknown, "No customer in this Alguna account has this alias"),
        (408, b"", AlgunaUnavailable, "Alguna answered 408. Try again later."),
        (409, error("Conflict"), AlgunaRefused, "It will not accept this request as it is"),
        (422, error("Key reused"), AlgunaRefused, "(“Key reused”). It will not accept"),
        (429, error("Slow down"), AlgunaUnavailable, "Alguna answered 429 (“Slow down”). Try again later."),
        (500, b"", AlgunaUnavailable, "Alguna answered 500. Try again later."),
        (502, b"<html><h1>Bad Gateway</h1></html>", AlgunaUnavailable, "Alguna answered 502. Try again later."),
        (503, error("Maintenance"), AlgunaUnavailable, "(“Maintenance”). Try again later."),
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
def test_failure_raises_its_exception_with_the_remedy(
    status: int, body: bytes, kind: type[AlgunaError], text: str
) -> None:
    with pytest.raises(AlgunaError) as caught:
        parse_response(status, {}, body)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"id": None}, "has no “id”, or one that is not a string"),
        ({"customer_id": ""}, "has no “customer_id”"),
        ({"url": 7}, "has no “url”"),
        ({"created_at": 1775037600}, "has no “created_at”"),
        ({"created_at": "yesterday"}, "a “created_at” that is not a time"),
        ({"expires_at": "2026-04-01T11:00:00"}, "a “expires_at” without a time zone"),
        ({"expires_at": "2026-04-01T09:59:59Z"}, "expires before it was created"),
        ({"expires_at": "2026-04-01T10:00:00Z"}, "expires before it was created"),
        *(({name: None}, f"has no “{name}”") for name in ("id", "customer_id", "url", "created_at", "expires_at")),
    ],
)
def test_invalid_session_is_rejected(change: dict[str, Any], text: str) -> None:
    """Each field is required and checked, and the exception doesn't show the URL."""
    with pytest.raises(UnexpectedResponse) as caught:
        parse_portal_session({name: value for name, value in (SESSION | change).items() if value is not None})
    assert type(caught.value) is UnexpectedResponse
    assert text in str(caught.value)
    assert "hs/" not in str(caught.value)


def test_times_may_have_small_letters_and_offsets() -> None:
    times = {"created_at": "2026-04-01t10:00:00z", "expires_at": "2026-04-01T13:00:00+02:00"}
    assert parse_portal_session(SESSION | times).life == timedelta(hours=1)


def test_quoted_reason_contains_no_secrets() -> None:
    """Addresses, URLs, keys, tokens and line breaks are removed from it, and it is shortened."""
    reason = (
        "Key key_1.hush of bob@example.com, bob%40example.com\r\n at portal.alguna.io/hs/abc123 "
        "https://portal.alguna.io/hs/abc123 half hush "
        f"{'t0ken' * 10} \x1b[31m " + "very long " * 100
    )
    with pytest.raises(AlgunaRefused) as caught:
        parse_response(400, {}, error(reason), redact=lambda text: text.replace("key_1.", "").replace("hush", "[key]"))
    text = str(caught.value)
    assert "Key [key] of [e-mail] [e-mail] at [URL] [URL] half [key] […]" in text
    assert not any(leak in text for leak in ("hush", "bob", "abc123", "t0ken", "\n", "\x1b"))
    assert len(text) < 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RETRY-after": "7"}, 7.0),
        ({"RETRY-after": " 0 "}, 0.0),
        ({"RETRY-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"RETRY-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"RETRY-after": "9999999999"}, LONGEST_WAIT),
        ({"RETRY-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_WAIT),
        ({"RETRY-after": "soon"}, None),
        ({"RETRY-after": "-3"}, None),
        ({"RETRY-after": ""}, None),
        ({"Date": "Sat, 21 Nov 2026 11:50:00 GMT", "Retry-After": "Sat, 21 Nov 2026 11:50:30 GMT"}, 30.0),
    ],
)
@time_machine.travel("2026-11-21T12:00:00Z", tick=False)
def test_retry_after_becomes_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """From seconds or a date, which is compared with the response's own `Date`. Invalid values are ignored."""
    with pytest.raises(AlgunaUnavailable) as caught:
        parse_response(503, headers, b"")
    assert caught.value.retry_after == seconds


def test_conflict_with_retry_after_is_temporary() -> None:
    """The same request is still running. Any other 409 is a permanent failure."""
    with pytest.raises(AlgunaUnavailable, match="still running") as caught:
        parse_response(409, {"Retry-After": "1"}, error("In progress"))
    assert caught.value.retry_after == 1


texts = st.sampled_from([*SESSION.values(), "", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]) | st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner, max_size=3)
)
sessions = st.fixed_dictionaries({}, optional=dict.fromkeys(SESSION, json_values))
bodies = st.binary() | st.builds(lambda data: json.dumps(data).encode(), sessions | json_values)
headers = st.dictionaries(st.sampled_from(["Retry-After", "retry-after", "Date", "X-Other"]), st.text())


@given(status=st.integers(100, 999) | st.just(200), headers=headers, body=bodies)
@example(status=503, headers={"Retry-After": "Mon, 01 Jan 0000 00:00:00 GMT"}, body=b"")
@example(status=200, headers={}, body=b'{"id": ' + b"9" * 5000 + b"}")
@example(status=400, headers={}, body=b'{"detail": "\\ud800"}')
def test_any_response_is_a_session_or_an_alguna_error(status: int, headers: dict[str, str], body: bytes) -> None:
    """The session is validated, and the text of the exception can be written to a log."""
    try:
        session = parse_portal_session(parse_response(status, headers, body))
        validate_session(session, customer_id=None, url_hosts=[".alguna.io", "localhost"], loopback_http=True)
    except AlgunaError as exc:
        str(exc).encode()
    else:
        assert 200 <= status < 300
        assert session.life > timedelta(0)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, AlgunaError)]
)
def test_exceptions_can_be_pickled(kind: type[AlgunaError]) -> None:
    """With all attributes, for task queues."""
    copy = pickle.loads(pickle.dumps(kind("what and why", status=503, retry_after=2.5)))
    assert (type(copy), str(copy), copy.status, copy.retry_after) == (kind, "what and why", 503, 2.5)
