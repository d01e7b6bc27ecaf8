"""Fuzzing of every URL: random requests cause no server errors, for users of each kind.

`FUZZ=20 pytest tests/hostile/test_fuzz.py` runs twenty times as many examples. It omits requests that fail on every
Django site outside this app: a Content-Type with an unknown charset, and invalid selections and lookups in admin lists.
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
from tests.support.emails import get_link_path

Test = TypeVar("Test", bound=Callable[..., None])

TIMES = int(os.environ.get("FUZZ", "1"))
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X"]
# Expected errors: Alguna is unavailable, or its response is invalid.
EXPECTED = {502, 503}

# Without surrogates, which requests can't contain, and without line breaks in headers.
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
    return settings(
        max_examples=examples * TIMES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def site(settings: Settings, manager: User, umbrella: Customer, link: PortalLink, non_member: User) -> Any:
    """A site with users of each kind, the sandbox enabled, and a fake Alguna."""
    settings.DEBUG = False
    Membership.objects.create(user=non_member, customer=umbrella)
    Membership.objects.create(user=non_member, customer=link.customer)
    people = {"nobody": Client(), "manager": sign_in(manager), "of two": sign_in(non_member)}
    people["boss"] = sign_in(User.objects.create_superuser("boss"))
    with fake_alguna() as alguna:
        yield people, get_link_path(link), alguna


def send(client: Client, address: str, request: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    """Send one request with a client whose cookies don't change."""
    cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    url = f"{quote(address, safe='/%')}?{urlencode(request['query'])}"
    is_form = request["kind"].startswith("application/x-www-form")
    body = urlencode(request["form"]).encode() if is_form else request["body"]
    # Each client keeps its own cookies; test_cookies.py tests invalid ones.
    sent = {name: value for name, value in request["headers"].items() if name != "Cookie"} | (headers or {})
    response = client.generic(request["method"], url, body, request["kind"], headers=sent)
    client.cookies = cookies
    return response


def assert_no_error(response: Any, *, private: bool = False) -> None:
    """Check that the response is an expected one."""
    assert response.status_code < 500 or response.status_code in EXPECTED
    if not response.streaming:
        assert b"Traceback" not in response.content
    if private and response.status_code not in (400, 301):
        assert response["X-Frame-Options"] == "DENY"
        assert "public" not in response.get("Cache-Control", "")


FIELDS = {"query": parameters, "form": parameters, "headers": headers, "kind": kinds, "body": bodies}
requests = st.fixed_dictionaries({"method": st.sampled_from(METHODS), **FIELDS})


@fuzzed(200)
@given(who=st.sampled_from(["nobody", "manager", "of two"]), request_=requests)
def test_billing(site: Any, who: str, request_: dict[str, Any]) -> None:
    people, _link, _alguna = site
    assert_no_error(send(people[who], BILLING, request_), private=True)


@fuzzed(150)
@given(tail=st.just("") | segments, whole=st.booleans(), request_=requests)
@example("\n", True, {"method": "GET", "query": [], "form": [], "headers": {}, "kind": "", "body": b""})
def test_emailed_links(site: Any, tail: str, whole: bool, request_: dict[str, Any]) -> None:
    """Valid links, links with something appended, and other paths."""
    people, link, _alguna = site
    assert_no_error(send(people["nobody"], link + tail if whole else f"/billing/link/{tail}", request_), private=True)


PAGES = [
    "customer/", "customer/add/", "customer/{}/change/", "customer/{}/history/", "customer/{}/delete/",
    "customer/{}/create-in-alguna/", "customer/{}/send-portal-link/", "portallink/", "portallink/add/",
    "portallink/{}/change/", "portallink/{}/revoke/", "portallink/{}/send-again/", "portallink/{}/history/",
    "portalaccess/", "portalaccess/{}/change/", "portalaccess/{}/delete/",
]  # fmt: skip


@fuzzed(150)
@given(
    page=st.sampled_from(PAGES),
    key=values,
    who=st.sampled_from(["boss", "boss", "manager", "nobody"]),
    request_=requests,
)
def test_the_admin(site: Any, page: str, key: str, who: str, request_: dict[str, Any]) -> None:
    """The app's pages, for existing and other rows."""
    people, _link, _alguna = site
    assert_no_error(send(people[who], "/admin/alguna_portal/" + page.format(key), request_))


SANDBOX = [
    "customers", "customers/lookup", "customers/{}", "customer-portal-sessions", "subscriptions/{}", "brand.css",
    "hs/{}", "portal/customer-session/customer-portal", "hs/{}/billing", "hs/{}/account", "hs/{}/payment-method",
    "hs/{}/auto-pay", "hs/{}/invoices/{}", "hs/{}/invoices/{}/pdf", "hs/{}/subscriptions/{}/cancel",
    "hs/{}/subscriptions/{}/plan", "{}",
]  # fmt: skip
API_HEADERS = {"Authorization": "Bearer sandbox.secret", "Alguna-Version": "2026-04-01"}


@fuzzed(150)
@given(page=st.sampled_from(SANDBOX), key=segments, key_is_sent=st.booleans(), request_=requests)
def test_the_sandbox(
    site: Any, settings: Settings, page: str, key: str, key_is_sent: bool, request_: dict[str, Any]
) -> None:
    """The API, with the key and without it, and the pages; under DEBUG."""
    settings.DEBUG = True
    people, _link, _alguna = site
    headers = API_HEADERS if key_is_sent else None
    response = send(people["nobody"], "/sandbox/" + page.replace("{}", key), request_, headers)
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
