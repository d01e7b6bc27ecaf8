"""Validation of portal sessions: the customer, the scheme and the host of the URL."""

from datetime import UTC, datetime, timedelta

import pytest

from alguna_portal.api.portal_url import LONGEST_URL, validate_session
from alguna_portal.api.responses import PortalSession
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.exceptions import CustomerMismatch, UnsafePortalURL

HOSTS = ("alguna.io", ".alguna.io", "billing.example.com", "localhost", "127.0.0.1")
NOW = datetime(2026, 4, 1, 10, tzinfo=UTC)


def validate(url: str, *, customer_id: str | None = "cust_abc123", loopback_http: bool = False) -> PortalSession:
    """Validate a session of the customer `cust_abc123`."""
    session = PortalSession(
        id="1", customer_id="cust_abc123", url=url, created_at=NOW, expires_at=NOW + timedelta(hours=1)
    )
    return validate_session(session, customer_id=customer_id, url_hosts=HOSTS, loopback_http=loopback_http)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://portal.alguna.io/hs/abc", "it is not https"),
        ("javascript:alert(1)//portal.alguna.io", "is not a plain host name"),
        ("//portal.alguna.io/hs/abc", "it is not https"),
        ("https://evil.example/hs/abc", "“evil.example” is not in ALGUNA_PORTAL_URL_HOSTS"),
        ("https://evilalguna.io/hs/abc", "“evilalguna.io” is not in"),
        ("https://alguna.io.evil.example/", "is not in"),
        ("https://sub.billing.example.com/", "is not in"),
        ("https://portal.alguna.io@evil.example/", "it has a user name"),
        ("https://evil.example\\@portal.alguna.io/", "characters that do not belong"),
        ("https://portal.alguna.io/\r\nSet-Cookie: a=b", "characters that do not belong"),
        (" https://portal.alguna.io/", "characters that do not belong"),
        ("https://portal.\u0430lguna.io/", "characters that do not belong"),
        ("https://portal.alguna.io/" + "a" * LONGEST_URL, "it is too long"),
        ("https://[portal.alguna.io/", "it cannot be read"),
        ("https://portal.alguna.io:99999/", "it cannot be read"),
        ("https:portal.alguna.io/hs", "is not a plain host name"),
        ("https://evil.example%2F.alguna.io/", "is not a plain host name"),
        ("https://.alguna.io/", "is not a plain host name"),
        ("https://[v1.x.alguna.io]/", "is refused: it"),
        ("http://localhost:8000/hs/abc", "it is not https"),
    ],
)
def test_unsafe_url_is_rejected(url: str, problem: str) -> None:
    """The exception doesn't show the URL."""
    with pytest.raises(UnsafePortalURL) as caught:
        validate(url)
    assert problem in str(caught.value)
    assert "hs/" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://alguna.io/", "https://a.b.alguna.io:8443/x", "https://BILLING.example.com/"])
def test_url_on_a_listed_host_is_accepted(url: str) -> None:
    """A host, a subdomain of a host with a leading dot, and any port."""
    assert validate(url).url == url


def test_loopback_http_accepts_http_for_a_loopback_host_only() -> None:
    for url in ("http://localhost:8000/x", "http://127.0.0.1:8000/x"):
        assert validate(url, loopback_http=True).url == url
    for url in ("http://portal.alguna.io/", "ftp://localhost/"):
        with pytest.raises(UnsafePortalURL, match="it is not https"):
            validate(url, loopback_http=True)
    for url in ("http://[::1]:8000/", "http://app.localhost/", "http://evil-localhost.com/"):
        with pytest.raises(UnsafePortalURL, match="is not in ALGUNA_PORTAL_URL_HOSTS"):
            validate(url, loopback_http=True)


def test_session_of_another_customer_is_rejected() -> None:
    """If the customer's id isn't known, it can't be compared."""
    with pytest.raises(CustomerMismatch, match="made the session for customer “cust_abc123”"):
        validate("https://alguna.io/", customer_id="cust_other")
    assert validate("https://alguna.io/", customer_id=None).customer_id == "cust_abc123"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("app.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
     ("evil-localhost.com", False), ("localhost.evil.com", False), ("10.0.0.1", False), ("", False)],
)  # fmt: skip
def test_is_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
