"""Billing: a click ends in the right portal, or on a page that helps; and nothing leaks on the way."""

import html
import json
import logging
import re
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from alguna_portal.access import Access
from alguna_portal.models import Customer, Membership
from alguna_portal.views import billing
from tests.conftest import Alguna
from tests.support.clients import BILLING, assert_private, sign_in


def resolve_org(request: Any) -> Customer:
    """Resolve as a host without rows of ours."""
    return Customer(alias="org-7", name="Orgs & Sons", plan="starter")


def test_a_click_ends_in_the_portal_of_the_users_company(alguna: Alguna, manager: User) -> None:
    """GET redirects to a new session for the company's alias, and keeps quiet about it."""
    response = sign_in(manager).get(BILLING)
    assert (response.status_code, response["Location"]) == (302, alguna.url(1))
    assert_private(response)
    assert [body["customer_alias"] for body in alguna.bodies] == ["acme-1"]


def test_after_a_form_to_sign_in_a_page_goes_on(alguna: Alguna, manager: User) -> None:
    """Under `form-action 'self'` a browser stops a redirect to elsewhere, even the second after the form."""
    client = sign_in(manager)
    for path in (BILLING, BILLING + "?fresh=1&customer="):
        login = "http://testserver" + Client().get(path)["Location"]
        response = client.get(path, headers={"Referer": login})
        assert response.status_code == 200
        assert response["Refresh"] == f"0; url={alguna.url(len(alguna.requests))}"
        assert_private(response)
    endless = "http://testserver/login/?next=/billing/" + "&a" * 2000
    elsewhere = [
        "http://testserver/",
        "http://testserver/login/?next=/other/",
        "http://testserver/?next=%FF",
        "next=",
        endless,
    ]
    elsewhere.append("https://evil.example/login/?next=/billing/")
    for referer in elsewhere:
        assert client.get(BILLING, headers={"Referer": referer}).status_code == 302


def test_a_post_opens_the_portal_too(alguna: Alguna, manager: User) -> None:
    """For scripts, which must show that they come from the site."""
    assert sign_in(manager).post(BILLING)["Location"] == alguna.url(1)
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    assert client.post(BILLING).status_code == 403


def test_an_enterprise_plan_and_a_viewers_role_reach_alguna(
    alguna: Alguna, manager: User, viewer: User, umbrella: Customer
) -> None:
    """What the portal allows follows from plan and role."""
    sign_in(manager).get(BILLING)
    sign_in(viewer).get(BILLING)
    boss = User.objects.create_user("boss")
    Membership.objects.create(user=boss, customer=umbrella)
    sign_in(boss).get(BILLING)
    starter, looking, enterprise = alguna.bodies
    assert set(starter) == {"customer_alias"}
    assert looking["billing_details_settings"]["allow_autopay_edit"] is False
    assert enterprise["plan_overview_settings"] == {"allow_subscription_cancel": False}
    assert "billing_details_settings" not in enterprise


def test_a_visitor_signs_in_first_and_comes_back(alguna: Alguna) -> None:
    """Nothing is asked of Alguna for nobody."""
    response = Client().get(BILLING + "?customer=3")
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/billing/%3Fcustomer%3D3")
    assert_private(response)
    assert alguna.requests == []


@pytest.mark.django_db(transaction=True)
def test_a_cached_click_costs_two_queries_beyond_sign_in_and_no_call(
    alguna: Alguna, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Session and user are Django's two; the membership and the record of the access are ours."""
    client = sign_in(manager)
    client.get(BILLING)
    with django_assert_num_queries(4):
        assert client.get(BILLING)["Location"] == alguna.url(1)
    assert len(alguna.requests) == 1


def test_fresh_skips_the_cache_once(alguna: Alguna, manager: User) -> None:
    """By query or form, and only as `1`."""
    client = sign_in(manager)
    client.get(BILLING)
    assert client.get(BILLING + "?fresh=1")["Location"] == alguna.url(2)
    assert client.post(BILLING, {"fresh": "1"})["Location"] == alguna.url(3)
    assert client.get(BILLING + "?fresh=0")["Location"] == alguna.url(3)


def test_the_browser_scope_ends_with_the_login_session(alguna: Alguna, manager: User, settings: Settings) -> None:
    """The same user in another browser gets a session of their own."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    here, there = sign_in(manager), sign_in(manager)
    assert here.get(BILLING)["Location"] == here.get(BILLING)["Location"] == alguna.url(1)
    assert there.get(BILLING)["Location"] == alguna.url(2)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ],
)
def test_a_prefetch_makes_no_session(alguna: Alguna, manager: User, headers: dict[str, str]) -> None:
    """A browser that asks ahead is refused, so that the click itself is a request."""
    response = sign_in(manager).get(BILLING, headers=headers)
    assert response.status_code == 403
    assert_private(response)
    assert alguna.requests == []


def test_asking_for_the_head_makes_no_session(alguna: Alguna, manager: User, stranger: User) -> None:
    """Link checkers may look, and learn whether a person would get in."""
    response = sign_in(manager).head(BILLING)
    assert (response.status_code, response.content) == (200, b"")
    assert sign_in(stranger).head(BILLING).status_code == 403
    assert alguna.requests == []


def test_other_methods_are_refused(manager: User) -> None:
    """There is nothing to put or delete."""
    response = sign_in(manager).put(BILLING)
    assert response.status_code == 405
    assert_private(response)


def test_a_user_without_a_company_gets_a_page_that_helps(alguna: Alguna, stranger: User, settings: Settings) -> None:
    """403, what to do about it, and whom to ask."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "help@example.com"
    response = sign_in(stranger).get(BILLING)
    assert response.status_code == 403
    assert_private(response)
    text = response.content.decode()
    assert "Ask a colleague who manages billing" in text
    assert '<a href="mailto:help@example.com">help@example.com</a>' in text
    assert alguna.requests == []


def test_a_user_of_two_companies_chooses(alguna: Alguna, manager: User, acme: Customer, umbrella: Customer) -> None:
    """The chooser names each company and the role there, and each choice leads to that company's portal."""
    Membership.objects.create(user=manager, customer=umbrella, role="viewer")
    client = sign_in(manager)
    response = client.get(BILLING)
    assert response.status_code == 200
    assert_private(response)
    text = response.content.decode()
    assert text.index("Acme") < text.index("You manage billing") < text.index("Umbrella")
    assert alguna.requests == []
    for customer in (acme, umbrella):
        assert f'href="/billing/?customer={customer.pk}"' in text
        assert client.get(BILLING, {"customer": customer.pk}).status_code == 302
        assert client.post(BILLING, {"customer": customer.pk}).status_code == 302
    assert [body["customer_alias"] for body in alguna.bodies] == ["acme-1", "umbrella-2"]


@pytest.mark.parametrize("memberships", [0, 1, 2])
def test_the_choice_is_checked_against_the_users_own_companies(
    alguna: Alguna, stranger: User, acme: Customer, umbrella: Customer, memberships: int
) -> None:
    """Another company's id opens nothing, and says no more than an id that does not exist."""
    other = Customer.objects.create(alias="secret-3", name="Secret")
    for customer in (acme, umbrella)[:memberships]:
        Membership.objects.create(user=stranger, customer=customer)
    client = sign_in(stranger)
    pages = set()
    for choice in (str(other.pk), "999999", "x", "-1", "1e9", "٣"):
        response = client.get(BILLING, {"customer": choice})
        assert response.status_code == 403
        pages.add(response.content)
    assert len(pages) == 1
    assert alguna.requests == []


def test_a_host_without_rows_of_ours_opens_its_own_customers(
    alguna: Alguna, stranger: User, settings: Settings
) -> None:
    """A resolver's unsaved customer is enough, also when something goes wrong."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_org
    client = sign_in(stranger)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    alguna.fail(503)
    page = client.get(BILLING + "?fresh=1").content.decode()
    (again,) = re.findall(r'href="(/billing/[^"]*)"', page)
    assert client.get(html.unescape(again))["Location"] == alguna.url(3)


def resolve_orgs(request: Any) -> list[Access]:
    """Resolve two organizations without rows of ours."""
    return [Access(customer=Customer(alias=alias, name=alias), role="viewer") for alias in ("org-7", "org-8")]


def test_of_two_customers_without_rows_the_chosen_one_opens(alguna: Alguna, stranger: User, settings: Settings) -> None:
    """The chooser's links lead each to its own, and no alias is in them."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_orgs
    client = sign_in(stranger)
    links = re.findall(r'href="(/billing/[^"]+)"', client.get(BILLING).content.decode())
    for link in links:
        client.get(link)
    assert [body["customer_alias"] for body in alguna.bodies] == ["org-7", "org-8"]
    assert not any("org-" in link for link in links)


def test_fresh_survives_the_choice(alguna: Alguna, manager: User, umbrella: Customer) -> None:
    """Who met a spent link and belongs to two companies gets a new session after choosing."""
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    link = html.unescape(re.findall(r'href="(/billing/[^"]+)"', client.get(BILLING + "?fresh=1").content.decode())[0])
    assert client.get(link)["Location"] == alguna.url(1)
    assert client.get(link)["Location"] == alguna.url(2)


def test_a_host_without_login_sessions_is_served(alguna: Alguna, manager: User) -> None:
    """Users may come from a header or a token; then there is no browser to tell apart."""
    request = RequestFactory().get(BILLING)
    request.user = manager
    assert billing(request)["Location"] == alguna.url(1)


def test_no_transaction_is_open_while_alguna_is_asked(alguna: Alguna, manager: User, settings: Settings) -> None:
    """ATOMIC_REQUESTS would hold one, and its locks, for as long as Alguna takes."""
    assert "default" in billing._non_atomic_requests  # type: ignore[attr-defined]


@pytest.mark.parametrize("debug", [True, False])
def test_developers_see_the_reason_on_the_page_and_nobody_else(
    alguna: Alguna, manager: User, settings: Settings, *, debug: bool
) -> None:
    """Under DEBUG the page says what the log says."""
    settings.DEBUG = debug
    for status in (503, 401):
        alguna.fail(status, '{"detail": "so there"}')
        page = sign_in(manager).get(BILLING).content.decode()
        assert ("so there" in page) is debug


def test_a_wrong_support_contact_costs_the_contact_and_not_the_page(
    alguna: Alguna, manager: User, settings: Settings
) -> None:
    """Somebody needs help just then."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "the help desk"
    alguna.fail(503)
    response = sign_in(manager).get(BILLING)
    assert response.status_code == 503
    assert "Need help?" not in response.content.decode()
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "/help/"
    alguna.fail(503)
    assert '<a href="/help/">/help/</a>' in sign_in(manager).get(BILLING).content.decode()


@pytest.mark.parametrize(
    ("failure", "wait"),
    [
        ((500, {}), "30"),
        ((502, {}), "30"),
        ((503, {"Retry_After": "7"}), "7"),
        ((503, {"Retry_After": "0"}), "30"),
        ((429, {"Retry_After": "1"}), "1"),
        ((503, {"Date": "Sat, 21 Nov 2026 12:00:00 GMT", "Retry_After": "Sat, 21 Nov 2026 12:00:09 GMT"}), "9"),
        ((requests.ConnectionError("refused"), {}), "30"),
        ((requests.ReadTimeout(), {}), "30"),
    ],
)
def test_an_outage_is_a_page_that_says_when_to_come_back(
    alguna: Alguna, manager: User, settings: Settings, failure: Any, wait: str
) -> None:
    """503 with Retry-After, a button to try again, and the support contact."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "https://example.com/help"
    status, headers = failure
    alguna.fail(status, "<html>", **headers)
    client = sign_in(manager)
    response = client.get(BILLING)
    assert (response.status_code, response["Retry-After"]) == (503, wait)
    assert_private(response)
    text = response.content.decode()
    assert "Billing is not available right now" in text
    assert "Please try again in a minute." in text
    assert f'href="/billing/?customer={manager.alguna_memberships.get().customer_id}"' in text
    assert '<a href="https://example.com/help">' in text
    assert client.get(BILLING).status_code == 302


def test_a_long_outage_says_in_how_many_minutes_to_come_back(alguna: Alguna, manager: User) -> None:
    """What Alguna announces is what people read."""
    alguna.fail(503, Retry_After="601")
    response = sign_in(manager).get(BILLING)
    assert response["Retry-After"] == "601"
    assert "Please try again in 11 minutes." in response.content.decode()


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422])
def test_any_other_fault_of_alguna_is_a_bad_gateway(
    alguna: Alguna, manager: User, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """502: trying again is not offered, and the log says what to mend."""
    alguna.fail(status, '{"detail": "no"}')
    response = sign_in(manager).get(BILLING)
    assert response.status_code == 502
    assert_private(response)
    assert "Retry-After" not in response
    assert "Billing could not be opened" in response.content.decode()
    (record,) = [record for record in caplog.records if record.name.startswith("alguna_portal")]
    assert record.levelname == "ERROR"
    assert f"Alguna answered {status}" in record.getMessage()


def test_a_portal_elsewhere_is_not_visited(alguna: Alguna, manager: User) -> None:
    """The API is not trusted to send our users anywhere."""
    alguna.host = "evil.example"
    response = sign_in(manager).get(BILLING)
    assert response.status_code == 502
    assert "Location" not in response


def test_a_missing_key_is_loud(alguna: Alguna, manager: User, settings: Settings) -> None:
    """No friendly page hides a configuration error from those who can mend it."""
    del settings.ALGUNA_PORTAL_API_KEY
    with pytest.raises(ImproperlyConfigured):
        sign_in(manager).get(BILLING)


def test_nothing_logged_is_a_credential_or_an_address(
    alguna: Alguna, acme: Customer, manager: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Not on success, not on any failure, at no level; not even where the alias is an address."""
    caplog.set_level(logging.DEBUG)
    Customer.objects.filter(pk=acme.pk).update(alias="bob@acme.example", email="bob@acme.example")
    client = sign_in(manager)
    client.get(BILLING)
    for status in (401, 404, 422, 429, 503):
        leaky = "bob@acme.example, key_1.secret-of-the-tests, https://portal.alguna.io/hs/token1"
        alguna.fail(status, json.dumps({"detail": leaky}))
        client.get(BILLING + "?fresh=1")
    alguna.host = "evil.example"
    client.get(BILLING + "?fresh=1")
    said = "".join(record.getMessage() + str(record.exc_info or "") for record in caplog.records)
    assert "Alguna answered 401" in said
    assert not any(leak in said for leak in ("bob@", "secret-of-the-tests", "token1", "hs/"))


def test_html_in_a_name_is_text(manager: User, acme: Customer, umbrella: Customer) -> None:
    """A company may be called anything."""
    Customer.objects.filter(pk=acme.pk).update(name="<script>alert(1)</script>")
    Membership.objects.create(user=manager, customer=umbrella)
    assert "<script" not in sign_in(manager).get(BILLING).content.decode()


def every_page(alguna: Alguna, manager: User, stranger: User, umbrella: Customer) -> list[HttpResponse]:
    """Fetch each of our pages once."""
    pages = [sign_in(stranger).get(BILLING)]
    for status in (503, 404):
        alguna.fail(status, '{"detail": "no"}')
        pages.append(sign_in(manager).get(BILLING))
    Membership.objects.create(user=manager, customer=umbrella)
    pages.append(sign_in(manager).get(BILLING))
    return pages  # type: ignore[return-value]


def test_pages_are_whole_documents_without_inline_script_or_style(
    alguna: Alguna, manager: User, stranger: User, umbrella: Customer
) -> None:
    """They work under a strict content security policy, and each has a language, a title and one heading."""
    for page in every_page(alguna, manager, stranger, umbrella):
        text = page.content.decode()
        assert "<script" not in text
        assert "style=" not in text
        assert "<style" not in text
        assert '<html lang="en-us">' in text
        assert text.count("<h1>") == 1
        assert "<title>Billing</title>" not in text


def test_a_host_puts_all_pages_into_its_own_by_overriding_one_template(
    alguna: Alguna, manager: User, stranger: User, umbrella: Customer, settings: Settings
) -> None:
    """Every page extends `alguna_portal/base.html` and fills its two blocks."""
    base = "HOST {% block title %}{% endblock %} | {% block content %}{% endblock %}"
    (templates,) = settings.TEMPLATES
    options = {
        **templates["OPTIONS"],
        "loaders": [
            ("django.template.loaders.locmem.Loader", {"alguna_portal/base.html": base}),
            "django.template.loaders.app_directories.Loader",
        ],
    }
    settings.TEMPLATES = [{**templates, "APP_DIRS": False, "OPTIONS": options}]
    for page in every_page(alguna, manager, stranger, umbrella):
        assert page.content.decode().startswith("HOST ")


@pytest.mark.parametrize("referer", ["http://[?next=/billing/", "http://testserver/?next=" + "&a=1" * 2000])
def test_a_referer_that_cannot_be_read_stops_nobody(alguna: Alguna, manager: User, referer: str) -> None:
    """It comes from whoever asks, and is looked at after the session was made."""
    response = sign_in(manager).get(BILLING, headers={"Referer": referer})
    assert (response.status_code, response["Location"]) == (302, alguna.url(1))


def test_a_redirect_to_the_portal_does_not_show_where(alguna: Alguna, manager: User) -> None:
    """Its `repr` stands in error reports, and in what middleware logs."""
    response = sign_in(manager).get(BILLING)
    assert response["Location"] == alguna.url(1)
    assert alguna.url(1) not in repr(response)
