"""What the hosted portal refuses, hides and keeps to itself."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from alguna_portal.sandbox.models import Record
from alguna_portal.sandbox.urls import urlpatterns
from tests.sandbox.conftest import Door, link, text


def test_the_server_refuses_what_the_session_does_not_allow(door: Door) -> None:
    """Whoever writes the address by hand gets a page that says no, and nothing changes."""
    customer = door.customer()
    open_path = door.portal(customer)
    page = door.client.get(open_path)
    cancel = link(page, "/cancel").removeprefix(open_path)
    plan = link(page, "/plan").removeprefix(open_path)
    invoice = link(page, r"/invoices/\w+").removeprefix(open_path)
    path = door.portal(
        customer,
        plan_overview_settings={"allow_subscription_cancel": False, "allow_self_serve_change": False},
        invoice_list_settings={"show_section": False},
        billing_details_settings={
            "allow_autopay_edit": False,
            "allow_payment_method_edit": False,
            "allow_account_edit": False,
        },
    )
    assert not re.search("<button|class=.button", door.client.get(path).content.decode())
    card = {"number": "5555555555554444", "expires": "12/99"}
    before = list(Record.objects.order_by("pk").values_list("data", flat=True))
    refusals = [
        door.client.get(f"{path}{cancel}"),
        door.client.post(f"{path}{cancel}"),
        door.client.post(f"{path}/auto-pay", {"auto_pay": "off"}),
        door.client.get(f"{path}{plan}"),
        door.client.get(f"{path}{plan}?plan=plan_growth"),
        door.client.post(f"{path}{plan}", {"plan": "plan_growth"}),
        door.client.get(f"{path}/payment-method"),
        door.client.post(f"{path}/payment-method", card),
        door.client.get(f"{path}/account"),
        door.client.post(f"{path}/account", {"name": "New", "email": "a@b.test"}),
        door.client.get(f"{path}{invoice}"),
        door.client.get(f"{path}{invoice}/pdf"),
    ]
    for refusal in refusals:
        assert refusal.status_code == 403
        assert "This is not available" in text(refusal)
    assert list(Record.objects.order_by("pk").values_list("data", flat=True)) == before


def test_anothers_invoice_is_not_found(door: Door) -> None:
    """A link opens one company's papers."""
    theirs = door.portal(door.customer())
    invoice = link(door.client.get(theirs), r"/invoices/\w+").removeprefix(theirs)
    mine = door.portal(door.customer())
    assert door.client.get(f"{mine}{invoice}").status_code == 404
    assert door.client.get(f"{mine}{invoice}/pdf").status_code == 404


def test_an_expired_link_says_so(door: Door, settings: Any) -> None:
    """410, on every address below it."""
    settings.ALGUNA_SANDBOX_SESSION_SECONDS = 0
    path = door.portal(door.customer())
    for response in (door.client.get(path), door.client.post(f"{path}/auto-pay", {"auto_pay": "off"})):
        assert response.status_code == 410
        assert "<h1>This link has expired</h1>" in response.content.decode()
        assert "<title>This link has expired" in response.content.decode()


@pytest.mark.parametrize("path", ["/sandbox/hs/unknown", "/sandbox/hs/unknown/invoices/x", "/sandbox/hs/a/b/c/d"])
def test_an_unknown_link_is_a_page_too(door: Door, path: str) -> None:
    """404, and no JSON."""
    response = door.client.get(path)
    assert response.status_code == 404
    assert "Page not found" in text(response)


def test_every_page_stays_out_of_caches_and_referrers(door: Door) -> None:
    """The address is the credential, on redirects, refusals and failed checks as well."""
    path = door.portal(door.customer())
    page = door.client.get(path)
    responses = [
        page,
        door.client.get(link(page, "/cancel")),
        door.client.get(link(page, r"/invoices/\w+")),
        door.client.get(link(page, "/pdf")),
        door.client.post(f"{path}/auto-pay", {"auto_pay": "off"}),
        door.client.get(f"{path}/auto-pay"),
        door.client.get("/sandbox/hs/unknown"),
        Client(enforce_csrf_checks=True).post(f"{path}/auto-pay"),
    ]
    for response in responses:
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("ending", ["/auto-pay", "/cancel"])
def test_a_post_without_a_csrf_token_changes_nothing(door: Door, ending: str) -> None:
    """With the token from the page it does."""
    path = door.portal(door.customer())
    browser = Client(enforce_csrf_checks=True)
    form = browser.get(path)
    action = link(form, ending)
    if ending == "/cancel":
        form = browser.get(action)
    assert browser.post(action).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.content.decode())
    assert token
    assert browser.post(action, {"csrfmiddlewaretoken": token[1]}).status_code == 302


def test_pages_with_forms_let_the_browser_name_its_origin(door: Door) -> None:
    """Under no-referrer a form would say "Origin: null", and Django would refuse it."""
    path = door.portal(door.customer())
    policy = '<meta name="referrer" content="same-origin">'
    page = door.client.get(path)
    assert policy in page.content.decode()
    assert policy in door.client.get(link(page, "/cancel")).content.decode()
    assert policy not in door.client.get(link(page, r"/invoices/\w+")).content.decode()


def test_no_page_holds_inline_script_or_style(door: Door) -> None:
    """A strict content security policy passes."""
    path = door.portal(door.customer())
    page = door.client.get(path)
    plan = link(page, "/plan")
    edits = (plan, f"{plan}?plan=plan_growth", f"{path}/payment-method", f"{path}/account")
    for address in (path, link(page, "/cancel"), link(page, r"/invoices/\w+"), *edits, "/sandbox/hs/unknown"):
        body = door.client.get(address).content.decode()
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", body)
        assert '<html lang="en">' in body
        assert body.count("<h1") == 1


ADDRESSES = [
    ("GET", "/sandbox/brand.css"),
    ("GET", "/sandbox/hs/x"),
    ("GET", "/sandbox/hs/x/billing"),
    ("GET", "/sandbox/hs/x/invoices/y"),
    ("GET", "/sandbox/hs/x/invoices/y/pdf"),
    ("POST", "/sandbox/hs/x/subscriptions/y/cancel"),
    ("POST", "/sandbox/hs/x/subscriptions/y/plan"),
    ("POST", "/sandbox/hs/x/payment-method"),
    ("POST", "/sandbox/hs/x/account"),
    ("POST", "/sandbox/hs/x/auto-pay"),
    ("GET", "/sandbox/hs/x/y"),
    ("POST", "/sandbox/customers"),
]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_outside_development_nothing_answers(settings: Any, method: str, path: str) -> None:
    """Not the API, not the portal, not its stylesheet; the database is not even asked."""
    settings.DEBUG = False
    assert Client(enforce_csrf_checks=True).generic(method, path).status_code == 404


def test_that_list_of_addresses_is_complete() -> None:
    """A new URL must be bolted like the others."""
    names = {get_resolver().resolve(path).url_name or "nowhere" for _, path in ADDRESSES}
    assert names == {entry.name or "nowhere" for entry in urlpatterns}
