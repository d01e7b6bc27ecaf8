"""Anything at every address of ours, as a fuzzer sends it: never an error of ours, whoever asks.

`FUZZ=20 pytest tests/hostile/test_fuzz.py` tries twenty times as much. Left out is what fails on every Django site,
before or beside our code: a Content-Type whose charset is no encoding of text, and rows chosen in the admin, or
lookups in its lists, that are none.
"""

import os
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from alguna_portal.models import Customer, Membership, PortalLink
from alguna_portal.testing import FakeAlguna, fake_alguna
from tests.support.clients import BILLING, sign_in
from tests.support.emails import path

Test = TypeVar("Test", bound=Callable[..., None])

TIMES = int(os.environ.get("FUZZ", "1"))
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X"]
# Meant: Alguna is unavailable, or answers what cannot be used.
MEANT = {502, 503}

# Without surrogates, which no request can hold, and without what ends a header's line.
texts = st.text(st.characters(codec="utf-8"), max_size=30)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
odd = st.sampled_from(
    ["", "0", "-1", "1", "2", "9" * 30, "1e9", "null", "None", "true", "%00", "\x00", "..", "../..", "//evil.example/",
     "<script>", "'", '"', ";", "{{7*7}}", "${7*7}", "%s%n", "\u202e", "\U0001f600", "a" * 5000, "[]", "{}", "_", "%"]
)  # fmt: skip
values = texts | odd
names = st.sampled_from(
    ["customer", "fresh", "next", "renew", "confirmed", "role", "note", "to", "q", "p", "o", "e", "_popup", "post",
     "customer[]", "csrfmiddlewaretoken", "state", "plan", "name", "alias", "portal_settings", "day", "text", "clear",
     "action", "notice", "auto_pay", "_changelist_filters", "memberships-TOTAL_FORMS", "memberships-0-user"]
)  # fmt: skip
parameters = st.lists(st.tuples(names | texts, values), max_size=5)
headers = st.dictionaries(
    st.sampled_from(
        ["Accept", "Accept-Language", "Accept-Encoding", "HX-Request", "HX-Current-URL", "HX-Preloaded", "Sec-Purpose",
         "Purpose", "X-Requested-With", "Cookie", "Range", "If-Modified-Since", "If-None-Match", "If-Match", "Expect",
         "Referer", "Origin", "User-Agent", "X-Forwarded-Host", "X-Forwarded-Proto", "X-CSRFToken", "Authorization",
         "Transfer-Encoding", "X-HTTP-Method-Override", "Alguna-Version", "Idempotency-Key"]
    ),
    header_values | st.sampled_from(["application/json", "text/html", "*/*", "true", "prefetch", "bytes=0-", "0", "*",
                                     "application/json;q=0", "Bearer sandbox.secret", "2026-04-01", "null"]),
    max_size=5,
)  # fmt: skip
kinds = st.sampled_from(
    ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "multipart/form-data",
     "text/plain", "", "application/octet-stream", "text/xml", "application/x-www-form-urlencoded; charset=utf-8"]
)  # fmt: skip
json_values = st.recursive(st.none() | st.booleans() | st.floats() | values, lambda inner: st.lists(inner, max_size=3))
bodies = st.binary(max_size=60) | st.builds(repr, json_values).map(str.encode)
segments = st.lists(values, min_size=1, max_size=3).map("/".join)


def fuzzed(examples: int) -> Callable[[Test], Test]:
    """Run so many examples, the same ones each time, so that failures can be reproduced."""
    """Try so many requests; the same ones each time, so that a failure is everybody's."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def site(settings: Settings, manager: User, umbrella: Customer, link: PortalLink, stranger: User) -> Any:
    """A site with users of each kind, the sandbox enabled, and a fake Alguna."""
    settings.DEBUG = False
    Membership.objects.create(user=stranger, customer=umbrella)
    Membership.objects.create(user=stranger, customer=link.customer)
    people = {"nobody": Client(), "manager": sign_in(manager), "of two": sign_in(stranger)}
    people["boss"] = sign_in(User.objects.create_superuser("boss"))
    with fake_alguna() as alguna:
        yield people, path(link), alguna


def send(client: Client, method: str, address: str, query: Any, asks: Any, kind: str, body: bytes) -> Any:
    """Send one request with a client whose cookies don't change."""
    kept = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    address = quote(address, safe="/%")
    # Whoever it is, they come as themselves; odd cookies are in test_cookies.py.
    asks = {name: value for name, value in asks.items() if name != "Cookie"}
    response = client.generic(method, f"{address}?{urlencode(query)}", body, kind, headers=asks)
    client.cookies = kept
    return response


def assert_no_error(response: Any, *, private: bool = False) -> None:
    """Check that the response is an expected one."""
    assert response.status_code < 500 or response.status_code in MEANT
    if not response.streaming:
        assert b"Traceback" not in response.content
    if private and response.status_code not in (400, 301):
        assert response["X-Frame-Options"] == "DENY"
        assert "public" not in response.get("Cache-Control", "")


request = {
    "method": st.sampled_from(METHODS),
    "query": parameters,
    "form": parameters,
    "asks": headers,
    "kind": kinds,
    "body": bodies,
}


def encode_body(form: Any, kind: str, body: bytes) -> bytes:
    """Encode a form as forms are sent; return any other body unchanged."""
    return urlencode(form).encode() if kind.startswith("application/x-www-form") else body


@fuzzed(200)
@given(who=st.sampled_from(["nobody", "manager", "of two"]), **request)
def test_billing(site: Any, who: str, method: str, query: Any, form: Any, asks: Any, kind: str, body: bytes) -> None:
    """Whoever asks, however, for whatever."""
    people, _link, _alguna = site
    response = send(people[who], method, BILLING, query, asks, kind, encode_body(form, kind, body))
    assert_no_error(response, private=True)


@fuzzed(150)
@given(tail=st.just("") | segments, whole=st.booleans(), **request)
@example(tail="\n", whole=True, method="GET", query=[], form=[], asks={}, kind="", body=b"")
def test_mailed_links(
    site: Any, tail: str, whole: bool, method: str, query: Any, form: Any, asks: Any, kind: str, body: bytes
) -> None:
    """A link that is right, has something appended, or is something else altogether."""
    people, link, _alguna = site
    address = link + tail if whole else f"/billing/link/{tail}"
    assert_no_error(
        send(people["nobody"], method, address, query, asks, kind, encode_body(form, kind, body)), private=True
    )


PAGES = [
    "customer/", "customer/add/", "customer/{}/change/", "customer/{}/history/", "customer/{}/delete/",
    "customer/{}/create-in-alguna/", "customer/{}/send-portal-link/", "portallink/", "portallink/add/",
    "portallink/{}/change/", "portallink/{}/revoke/", "portallink/{}/send-again/", "portallink/{}/history/",
    "portalaccess/", "portalaccess/{}/change/", "portalaccess/{}/delete/",
]  # fmt: skip


@fuzzed(150)
@given(page=st.sampled_from(PAGES), key=values, who=st.sampled_from(["boss", "boss", "manager", "nobody"]), **request)
def test_the_admin(
    site: Any, page: str, key: str, who: str, method: str, query: Any, form: Any, asks: Any, kind: str, body: bytes
) -> None:
    """Its pages of ours, for rows there are and others."""
    people, _link, _alguna = site
    address = "/admin/alguna_portal/" + page.format(key)
    assert_no_error(send(people[who], method, address, query, asks, kind, encode_body(form, kind, body)))


SANDBOX = [
    "customers", "customers/lookup", "customers/{}", "customer-portal-sessions", "subscriptions/{}", "brand.css",
    "hs/{}", "portal/customer-session/customer-portal", "hs/{}/billing", "hs/{}/account", "hs/{}/payment-method",
    "hs/{}/auto-pay", "hs/{}/invoices/{}", "hs/{}/invoices/{}/pdf", "hs/{}/subscriptions/{}/cancel",
    "hs/{}/subscriptions/{}/plan", "{}",
]  # fmt: skip


@fuzzed(150)
@given(page=st.sampled_from(SANDBOX), key=segments, key_is_sent=st.booleans(), **request)
def test_the_sandbox(
    site: Any, settings: Settings, page: str, key: str, key_is_sent: bool, method: str, query: Any, form: Any,
    asks: Any, kind: str, body: bytes,
) -> None:  # fmt: skip
    """Its API, with the key and without, and its pages; as a developer has it."""
    settings.DEBUG = True
    people, _link, _alguna = site
    if key_is_sent:
        asks = {**asks, "Authorization": "Bearer sandbox.secret", "Alguna-Version": "2026-04-01"}
    address = "/sandbox/" + page.replace("{}", key)
    response = send(people["nobody"], method, address, query, asks, kind, encode_body(form, kind, body))
    assert response.status_code < 500


def test_the_fuzzed_urls_work(site: Any) -> None:
    """The users can sign in and the URLs exist, so the fuzzer isn't rejected early."""
    people, link, alguna = site
    assert isinstance(alguna, FakeAlguna)
    assert people["manager"].get(BILLING).status_code == 302
    assert people["of two"].get(BILLING).status_code == 200
    assert people["boss"].get("/admin/alguna_portal/customer/").status_code == 200
    assert people["nobody"].get(link).status_code == 200
    assert len(alguna.sessions) == 1
