"""HTML injection: HTML in a customer's data is escaped on every page and in every email."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from alguna_portal.links import send_link
from alguna_portal.models import Customer, Membership, PortalAccess, PortalLink
from alguna_portal.testing import fake_alguna
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_html, get_link_path, get_sent_emails

MARK = "alert(/us/)"
EVIL = f"\"'><script>{MARK}</script><img src=x onerror={MARK}></script></title></textarea>{{{{ 7|add:7 }}}}&lt;b&gt;"
# What would be executed, or end an element, if it weren't escaped. tests/browser tests this in a browser.
LIVE = (f"<script>{MARK}", f"<img src=x onerror={MARK}", "\"'><", "</script></title>", "14&lt;b")


def assert_escaped(response: Any, *, shown: bool = True) -> None:
    """Check that a page contains the text only in escaped form."""
    text = response.content.decode()
    for live in LIVE:
        assert live not in text
    if shown:
        assert escape(EVIL) in text or escape(EVIL[:60]) in text


@pytest.fixture
def evil_customer(manager: User, acme: Customer) -> Customer:
    """A customer with HTML in every text field."""
    fields = {"alias": EVIL, "name": EVIL, "plan": EVIL[:100], "customer_id": EVIL, "email": "a@acme.example"}
    Customer.objects.filter(pk=acme.pk).update(**fields, portal_settings={EVIL: {}})
    User.objects.filter(pk=manager.pk).update(username=EVIL[:150])
    return Customer.objects.get(pk=acme.pk)


@pytest.mark.parametrize("debug", [False, True])
def test_billing_pages_escape_html(
    alguna: FakeApi, manager: User, evil_customer: Customer, settings: Settings, *, debug: bool
) -> None:
    """The choices, the error pages and Alguna's error details."""
    settings.DEBUG = debug
    client = sign_in(manager)
    for status in (503, 404):
        alguna.fail(status, json.dumps({"detail": f"<script>{MARK}</script> \"'><img src=x onerror={MARK}>"}))
        assert_escaped(client.get(BILLING), shown=False)
    assert_escaped(client.get(BILLING), shown=False)
    Membership.objects.create(user=manager, customer=Customer.objects.create(alias="b", name="B"))
    assert_escaped(client.get(BILLING))


def test_json_contains_unescaped_data(alguna: FakeApi, manager: User, evil_customer: Customer) -> None:
    """Browsers don't render the response as a page."""
    Membership.objects.create(user=manager, customer=Customer.objects.create(alias="b", name="B"))
    response = sign_in(manager).get(BILLING, headers=FORMS["json"])
    assert EVIL in [choice["name"] for choice in response.json()["choices"]]
    assert response["Content-Type"] == "application/problem+json"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_link_pages_and_emails_escape_html(alguna: FakeApi, manager: User, evil_customer: Customer) -> None:
    """In each state of the link and in the HTML part; the text part is unescaped."""
    link = send_link(evil_customer, note=f"{EVIL}\n{EVIL}")
    (message,) = get_sent_emails()
    for live in LIVE:
        assert live not in get_html(message)
    assert get_html(message).count(escape(EVIL)) >= 4
    assert str(message.body).count(EVIL) >= 2
    assert_escaped(Client().get(get_link_path(link)))
    alguna.customer_id = EVIL
    assert_escaped(Client().post(get_link_path(link)), shown=False)
    PortalLink.objects.update(expires_at=timezone.now())
    assert_escaped(Client().get(get_link_path(link)), shown=False)
    assert_escaped(Client().get(get_link_path(link) + EVIL.replace("/", "")), shown=False)


@pytest.fixture
def admin_urls(evil_customer: Customer, manager: User) -> dict[str, str]:
    """The URLs of admin pages that show the customer."""
    link = send_link(evil_customer, note=EVIL, sent_by=manager)
    PortalLink.objects.update(failure=EVIL[:100], sent_at=None)
    access = PortalAccess.objects.create(
        user=manager, user_key=EVIL, customer=evil_customer, customer_alias=EVIL, link=link, via="view", role="manager",
        outcome="failed", error=EVIL[:100], session_id=EVIL, portal_settings={EVIL: EVIL},
    )  # fmt: skip
    admin = "/admin/alguna_portal"
    return {
        "customers": f"{admin}/customer/?q=img",
        "customers of a plan": f"{admin}/customer/?plan=x",
        "customer": f"{admin}/customer/{evil_customer.pk}/change/",
        "delete": f"{admin}/customer/{evil_customer.pk}/delete/",
        "create": f"{admin}/customer/{evil_customer.pk}/create-in-alguna/",
        "send": f"{admin}/customer/{evil_customer.pk}/send-portal-link/",
        "links": f"{admin}/portallink/?customer={evil_customer.pk}",
        "link": f"{admin}/portallink/{link.pk}/change/",
        "accesses": f"{admin}/portalaccess/?customer={evil_customer.pk}",
        "access": f"{admin}/portalaccess/{access.pk}/change/",
    }


def test_admin_pages_escape_html(admin_client: Client, admin_urls: dict[str, str]) -> None:
    """Lists with filters, forms, and confirmation pages."""
    with fake_alguna():
        for address in admin_urls.values():
            response = admin_client.get(address, follow=True)
            assert response.status_code == 200
            assert_escaped(response)


def test_admin_messages_and_history_escape_html(
    admin_client: Client, admin_urls: dict[str, str], evil_customer: Customer
) -> None:
    with fake_alguna():
        PortalLink.objects.all().delete()
        chosen = {"_selected_action": [evil_customer.pk], "confirmed": "1", "role": "manager", "note": EVIL}
        lists = "/admin/alguna_portal/customer/"
        for action in ("create_in_alguna", "send_portal_link"):
            for address in ("a@acme.example", "", "not <b>one</b>"):
                Customer.objects.update(email=address)
                assert_escaped(admin_client.post(lists, chosen | {"action": action}, follow=True))
        url = f"/admin/alguna_portal/portallink/{PortalLink.objects.latest('pk').pk}/send-again/"
        assert_escaped(admin_client.post(url, follow=True))
        Customer.objects.filter(pk=evil_customer.pk).update(customer_id=None, currency="EUR", portal_settings={})
        made = admin_client.post(lists, chosen | {"action": "create_in_alguna"}, follow=True)
        assert_escaped(made)
    assert LogEntry.objects.exists()
    assert_escaped(admin_client.get(f"/admin/alguna_portal/customer/{evil_customer.pk}/history/"))
    assert_escaped(admin_client.get("/admin/"), shown=False)


def test_autocomplete_returns_json(admin_client: Client, evil_customer: Customer, manager: User) -> None:
    asked = {"app_label": "alguna_portal", "model_name": "membership", "field_name": "user", "term": "img"}
    response = admin_client.get("/admin/autocomplete/", asked)
    assert response["Content-Type"] == "application/json"
    assert [each["text"] for each in response.json()["results"]] == [EVIL[:150]]
