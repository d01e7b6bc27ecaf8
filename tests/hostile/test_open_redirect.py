"""Open redirects: neither Alguna's response nor a request can redirect users to another site."""

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from alguna_portal.exceptions import UnsafePortalURL
from alguna_portal.models import Customer, Membership, PortalLink
from alguna_portal.sessions import open_session
from tests.conftest import FakeApi
from tests.support.clients import BILLING, EVIL, FORMS, get_targets, sign_in
from tests.support.emails import get_link_path, submit_link

# Each leads some browser to evil.example, runs a script, or is parsed differently by different software.
UNSAFE_URLS = [
    "https://evil.example/", "https://EVIL.example", "http://portal.alguna.io/evil.example", "//evil.example/",
    "///evil.example/", "////evil.example/", "/\\evil.example/", "\\\\evil.example\\", "https:evil.example",
    "https:/evil.example", "https:///evil.example", "https:\\\\evil.example",
    "https://portal.alguna.io@evil.example/", "https://portal.alguna.io:443@evil.example/",
    "https://portal.alguna.io%40evil.example/", "https://user:password@portal.alguna.io/evil.example",
    "https://@portal.alguna.io/evil.example", "https://evil.example\\@portal.alguna.io/",
    "https://evil.example\\.portal.alguna.io/", "https://evil.example#@portal.alguna.io/",
    "https://evil.example?.portal.alguna.io/", "https://evil.example;.portal.alguna.io/",
    "https://evil.example,portal.alguna.io/", "https://evil.example%2F.alguna.io/",
    "https://evil.example%23.alguna.io/", "https://evil.example%00.alguna.io/",
    "https://portal.alguna.io.evil.example/", "https://portal.alguna.io-evil.example/",
    "https://evil.example.portal-alguna.io/", "https://evilalguna.io/evil.example",
    "https://portal.alguna.io./evil.example", "https://portal.alguna.io../evil.example",
    "https://.alguna.io/evil.example", "https://portal..alguna.io/evil.example",
    "https://xn--prtal-alguna-evil.example/", "https://portal.xn--lguna-7fb.io/evil.example",
    "https://portal.\u0430lguna.io/evil.example", "https://portal。alguna。io。evil.example/",
    "https://portal.alguna.io\u2044evil.example/", "https://evil.example\uff0f.alguna.io/",
    "https://[::1]/evil.example", "https://[::ffff:203.0.113.7]/evil.example", "https://[evil.example].alguna.io/",
    "https://203.0.113.7/evil.example", "https://3405803783/evil.example", "https://0xcb.0x0.0x71.7/evil.example",
    "https://portal.alguna.io:evil.example/", "https://portal.alguna.io:443:443/evil.example",
    "https://portal.alguna.io:99999/evil.example", "https://portal.alguna.io:-1/evil.example",
    "javascript:alert('evil.example')", "JaVaScRiPt://portal.alguna.io/%0Aalert('evil.example')",
    "java\tscript:alert('evil.example')", "data:text/html,<script>location='https://evil.example'</script>",
    "vbscript:evil.example", "file://portal.alguna.io/evil.example", "ftp://portal.alguna.io/evil.example",
    "blob:https://portal.alguna.io/evil.example", "view-source:https://portal.alguna.io/evil.example",
    "ht\ntps://evil.example/", "\thttps://portal.alguna.io/evil.example", " https://portal.alguna.io/evil.example",
    "https://portal.alguna.io/\r\nLocation: https://evil.example/", "https://portal.alguna.io/\x00evil.example",
    "https://portal.alguna.io/\u2028evil.example", "/evil.example", "evil.example", "?evil.example", "#evil.example",
    "billing/evil.example",
]  # fmt: skip


@pytest.mark.parametrize("url", UNSAFE_URLS)
def test_unsafe_portal_urls_are_rejected(alguna: FakeApi, url: str) -> None:
    alguna.change = {"url": url}
    with pytest.raises(UnsafePortalURL):
        open_session(Customer(alias="acme-1"), user=User(pk=1))


@pytest.mark.parametrize("url", UNSAFE_URLS[::10])
def test_unsafe_portal_urls_are_not_in_responses(alguna: FakeApi, manager: User, link: PortalLink, url: str) -> None:
    """The billing view in each format and the page of an emailed link return 502 without the URL."""
    alguna.change = {"url": url}
    client = sign_in(manager)
    responses: list[Any] = [client.get(BILLING, headers=headers) for headers in FORMS.values()]
    responses.append(submit_link(link))
    for response in responses:
        assert response.status_code == 502
        assert EVIL not in (response.content.decode() + str(response.headers)).casefold()
    assert len(alguna.requests) == len(responses)


def test_redirects_from_the_api_are_not_followed(alguna: FakeApi, manager: User) -> None:
    for headers in FORMS.values():
        alguna.fail(302, Location="https://evil.example/")
        response = sign_in(manager).get(BILLING, headers=headers)
        assert response.status_code == 502
        assert EVIL not in str(response.headers) + response.content.decode()


def test_special_characters_in_an_allowed_url_are_kept(alguna: FakeApi, manager: User, link: PortalLink) -> None:
    """In each format, the header contains the whole URL."""
    odd = "https://portal.alguna.io:443/hs/a;url='b',\"c\"?d=//evil.example#@evil.example"
    alguna.change = {"url": odd}
    page, script, htmx = (sign_in(manager).get(f"{BILLING}?fresh=1", headers=headers) for headers in FORMS.values())
    assert page["Location"] == odd.replace('"', "%22")
    assert script.json()["url"] == htmx["HX-Redirect"] == odd
    assert Client().post(get_link_path(link))["Refresh"] == f"0; url={odd}"


ASKING = [
    "next", "url", "uri", "redirect", "redirect_to", "redirect_uri", "redirect_url", "return", "returnTo", "return_to",
    "return_url", "continue", "dest", "destination", "goto", "target", "to", "out", "view", "login_url", "callback",
    "success_url", "cancel_url", "host", "domain", "again", "back", "ref", "rurl", "u", "r",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_parameters_do_not_change_redirects(
    alguna: FakeApi, manager: User, non_member: User, umbrella: Customer, form: str
) -> None:
    """Neither in the query, nor in the form, nor in headers."""
    wishes = dict.fromkeys(ASKING, "https://evil.example/")
    headers = FORMS[form] | {"HX-Current-URL": "https://evil.example/", "Referer": "https://evil.example/"}
    two = User.objects.create_user("two")
    for customer in Customer.objects.all():
        Membership.objects.create(user=two, customer=customer)
    alguna.fail(503)
    for client in (sign_in(manager), sign_in(manager), sign_in(two), sign_in(non_member)):
        for response in (client.get(BILLING, wishes, headers=headers), client.post(BILLING, wishes, headers=headers)):
            for address in get_targets(response):
                assert address.partition("?")[0] in (BILLING, *map(alguna.url, range(1, 9)))
    assert alguna.requests


PATHS = [
    "//evil.example/billing/", "///evil.example/billing/", "/\\evil.example/billing/", "/%2F/evil.example/billing/",
    "/billing/?next=https://evil.example/", "/billing/?//evil.example/", "/billing/?x=\\evil.example",
    "/billing//evil.example/", "/billing/..//evil.example/", "/billing", "//evil.example/billing", "//billing",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", PATHS)
def test_anonymous_users_are_redirected_within_the_site(db: None, settings: Settings, form: str, address: str) -> None:
    """`login_url` and `next` stay on the site, whatever the path is."""
    response = Client().get(address, headers=FORMS[form])
    assert response.status_code in (301, 302, 401, 404)
    for led in get_targets(response):
        assert led.startswith((f"/login/?next={BILLING}", BILLING))
        assert f"next={quote('//')}" not in led
        assert "next=//" not in led


def test_htmx_redirects_stay_on_the_site(non_member: User) -> None:
    """`HX-Redirect` repeats the requested path, never an absolute URL."""
    for query in ("//evil.example", "next=https://evil.example/", "\\evil.example", "a\r\nSet-Cookie: b=c", "é\u2028"):
        response = sign_in(non_member).get(f"{BILLING}?{query}", headers=FORMS["htmx"])
        assert response.status_code == 403
        (led,) = get_targets(response)
        assert led.startswith(f"{BILLING}?")
        assert led.isascii()
        assert led.isprintable()
