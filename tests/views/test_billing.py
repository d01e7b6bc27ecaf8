"""Billing view: redirects to the portal, pages for errors, and what responses and logs reveal."""

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
from tests.conftest import FakeApi
from tests.support.clients import BILLING, assert_private, sign_in


def resolve_org(request: Any) -> Customer:
    """Return an unsaved customer."""
    return Customer(alias="org-7", name="Orgs & Sons", plan="starter")


def test_billing_redirects_to_the_portal(alguna: FakeApi, manager: User) -> None:
    response = sign_in(manager).get(BILLING)
    assert (response.status_code, response["Location"]) == (302, alguna.url(1))
    assert_private(response)
    assert [body["customer_alias"] for body in alguna.bodies] == ["acme-1"]


def test_after_a_sign_in_form_a_page_redirects(alguna: FakeApi, manager: User) -> None:
    """`form-action 'self'` blocks redirects to another site, even the second one after a form."""
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


def test_post_opens_the_portal(alguna: FakeApi, manager: User) -> None:
    assert sign_in(manager).post(BILLING)["Location"] == alguna.url(1)
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    assert client.post(BILLING).status_code == 403


def test_plan_and_role_determine_the_portal_settings(
    alguna: FakeApi, manager: User, viewer: User, umbrella: Customer
) -> None:
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


def test_anonymous_users_are_redirected_to_sign_in(alguna: FakeApi) -> None:
    response = Client().get(BILLING + "?customer=3")
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/billing/%3Fcustomer%3D3")
    assert_private(response)
    assert alguna.requests == []


@pytest.mark.django_db(transaction=True)
def test_a_cached_session_costs_two_queries_and_no_call(
    alguna: FakeApi, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Plus two of Django's, for session and user."""
    client = sign_in(manager)
    client.get(BILLING)
    with django_assert_num_queries(4):
        assert client.get(BILLING)["Location"] == alguna.url(1)
    assert len(alguna.requests) == 1


def test_fresh_skips_the_cache(alguna: FakeApi, manager: User) -> None:
    """In the query or the form, and only as `1`."""
    client = sign_in(manager)
    client.get(BILLING)
    assert client.get(BILLING + "?fresh=1")["Location"] == alguna.url(2)
    assert client.post(BILLING, {"fresh": "1"})["Location"] == alguna.url(3)
    assert client.get(BILLING + "?fresh=0")["Location"] == alguna.url(3)


def test_the_browser_scope_is_per_login_session(alguna: FakeApi, manager: User, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    here, there = sign_in(manager), sign_in(manager)
    assert here.get(BILLING)["Location"] == here.get(BILLING)["Location"] == alguna.url(1)
    assert there.get(BILLING)["Location"] == alguna.url(2)


def test_a_user_without_a_customer_gets_a_page_with_the_support_contact(
    alguna: FakeApi, non_member: User, settings: Settings
) -> None:
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "help@example.com"
    response = sign_in(non_member).get(BILLING)
    assert response.status_code == 403
    assert_private(response)
    text = response.content.decode()
    assert "Ask a colleague who manages billing" in text
    assert '<a href="mailto:help@example.com">help@example.com</a>' in text
    assert alguna.requests == []


def test_a_user_with_two_customers_chooses(alguna: FakeApi, manager: User, acme: Customer, umbrella: Customer) -> None:
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
def test_choices_of_other_customers_are_denied(
    alguna: FakeApi, non_member: User, acme: Customer, umbrella: Customer, memberships: int
) -> None:
    """With the same page as unknown ids."""
    other = Customer.objects.create(alias="secret-3", name="Secret")
    for customer in (acme, umbrella)[:memberships]:
        Membership.objects.create(user=non_member, customer=customer)
    client = sign_in(non_member)
    pages = set()
    for choice in (str(other.pk), "999999", "x", "-1", "1e9", "٣"):
        response = client.get(BILLING, {"customer": choice})
        assert response.status_code == 403
        pages.add(response.content)
    assert len(pages) == 1
    assert alguna.requests == []


def test_unsaved_customers_can_be_opened(alguna: FakeApi, non_member: User, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_org
    client = sign_in(non_member)
    assert client.get(BILLING)["Location"] == alguna.url(1)
    alguna.fail(503)
    page = client.get(BILLING + "?fresh=1").content.decode()
    (retry_url,) = re.findall(r'href="(/billing/[^"]*)"', page)
    assert client.get(html.unescape(retry_url))["Location"] == alguna.url(3)


def resolve_orgs(request: Any) -> list[Access]:
    """Return two unsaved customers."""
    return [Access(customer=Customer(alias=alias, name=alias), role="viewer") for alias in ("org-7", "org-8")]


def test_one_of_two_unsaved_customers_can_be_chosen(alguna: FakeApi, non_member: User, settings: Settings) -> None:
    """The links don't contain the aliases."""
    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = resolve_orgs
    client = sign_in(non_member)
    links = re.findall(r'href="(/billing/[^"]+)"', client.get(BILLING).content.decode())
    for link in links:
        client.get(link)
    assert [body["customer_alias"] for body in alguna.bodies] == ["org-7", "org-8"]
    assert not any("org-" in link for link in links)


def test_fresh_is_kept_in_the_choices(alguna: FakeApi, manager: User, umbrella: Customer) -> None:
    Membership.objects.create(user=manager, customer=umbrella)
    client = sign_in(manager)
    link = html.unescape(re.findall(r'href="(/billing/[^"]+)"', client.get(BILLING + "?fresh=1").content.decode())[0])
    assert client.get(link)["Location"] == alguna.url(1)
    assert client.get(link)["Location"] == alguna.url(2)


def test_billing_works_without_login_sessions(alguna: FakeApi, manager: User) -> None:
    request = RequestFactory().get(BILLING)
    request.user = manager
    assert billing(request)["Location"] == alguna.url(1)


def test_billing_runs_outside_atomic_requests(alguna: FakeApi, manager: User, settings: Settings) -> None:
    assert "default" in billing._non_atomic_requests  # type: ignore[attr-defined]


@pytest.mark.parametrize("debug", [True, False])
def test_the_page_shows_the_reason_only_under_debug(
    alguna: FakeApi, manager: User, settings: Settings, *, debug: bool
) -> None:
    settings.DEBUG = debug
    for status in (503, 401):
        alguna.fail(status, '{"detail": "so there"}')
        page = sign_in(manager).get(BILLING).content.decode()
        assert ("so there" in page) is debug


def test_an_invalid_support_contact_is_omitted(alguna: FakeApi, manager: User, settings: Settings) -> None:
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
def test_an_outage_returns_503_with_retry_after(
    alguna: FakeApi, manager: User, settings: Settings, failure: Any, wait: str
) -> None:
    """The page has a link to try again and the support contact."""
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


def test_the_page_shows_the_minutes_to_wait(alguna: FakeApi, manager: User) -> None:
    alguna.fail(503, Retry_After="601")
    response = sign_in(manager).get(BILLING)
    assert response["Retry-After"] == "601"
    assert "Please try again in 11 minutes." in response.content.decode()


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422])
def test_other_errors_return_502(alguna: FakeApi, manager: User, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """The page offers no other attempt, and the error is logged."""
    alguna.fail(status, '{"detail": "no"}')
    response = sign_in(manager).get(BILLING)
    assert response.status_code == 502
    assert_private(response)
    assert "Retry-After" not in response
    assert "Billing could not be opened" in response.content.decode()
    (record,) = [record for record in caplog.records if record.name.startswith("alguna_portal")]
    assert record.levelname == "ERROR"
    assert f"Alguna answered {status}" in record.getMessage()


def test_portal_urls_on_other_hosts_are_rejected(alguna: FakeApi, manager: User) -> None:
    alguna.host = "evil.example"
    response = sign_in(manager).get(BILLING)
    assert response.status_code == 502
    assert "Location" not in response


def test_a_missing_api_key_raises_improperly_configured(alguna: FakeApi, manager: User, settings: Settings) -> None:
    del settings.ALGUNA_PORTAL_API_KEY
    with pytest.raises(ImproperlyConfigured):
        sign_in(manager).get(BILLING)


def test_logs_contain_no_credentials_or_addresses(
    alguna: FakeApi, acme: Customer, manager: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even if the alias is an address."""
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
    log = "".join(record.getMessage() + str(record.exc_info or "") for record in caplog.records)
    assert "Alguna answered 401" in log
    assert not any(leak in log for leak in ("bob@", "secret-of-the-tests", "token1", "hs/"))


def test_html_in_names_is_escaped(manager: User, acme: Customer, umbrella: Customer) -> None:
    Customer.objects.filter(pk=acme.pk).update(name="<script>alert(1)</script>")
    Membership.objects.create(user=manager, customer=umbrella)
    assert "<script" not in sign_in(manager).get(BILLING).content.decode()


def get_all_pages(alguna: FakeApi, manager: User, non_member: User, umbrella: Customer) -> list[HttpResponse]:
    """Return each page of the billing view."""
    pages = [sign_in(non_member).get(BILLING)]
    for status in (503, 404):
        alguna.fail(status, '{"detail": "no"}')
        pages.append(sign_in(manager).get(BILLING))
    Membership.objects.create(user=manager, customer=umbrella)
    pages.append(sign_in(manager).get(BILLING))
    return pages  # type: ignore[return-value]


def test_pages_have_no_inline_scripts_or_styles(
    alguna: FakeApi, manager: User, non_member: User, umbrella: Customer
) -> None:
    for page in get_all_pages(alguna, manager, non_member, umbrella):
        text = page.content.decode()
        assert "<script" not in text
        assert "style=" not in text
        assert "<style" not in text
        assert '<html lang="en-us">' in text
        assert text.count("<h1>") == 1
        assert "<title>Billing</title>" not in text


def test_all_pages_extend_the_base_template(
    alguna: FakeApi, manager: User, non_member: User, umbrella: Customer, settings: Settings
) -> None:
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
    for page in get_all_pages(alguna, manager, non_member, umbrella):
        assert page.content.decode().startswith("HOST ")


@pytest.mark.parametrize("referer", ["http://[?next=/billing/", "http://testserver/?next=" + "&a=1" * 2000])
def test_invalid_referers_are_ignored(alguna: FakeApi, manager: User, referer: str) -> None:
    response = sign_in(manager).get(BILLING, headers={"Referer": referer})
    assert (response.status_code, response["Location"]) == (302, alguna.url(1))


def test_the_repr_of_a_redirect_does_not_contain_the_url(alguna: FakeApi, manager: User) -> None:
    """It's in error reports and in the logs of middleware."""
    response = sign_in(manager).get(BILLING)
    assert response["Location"] == alguna.url(1)
    assert alguna.url(1) not in repr(response)
