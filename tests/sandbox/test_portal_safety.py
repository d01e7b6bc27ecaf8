"""Security of the hosted portal: permissions, CSRF, headers and the debug-only guard."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from alguna_portal.sandbox.models import Record
from alguna_portal.sandbox.urls import urlpatterns
from tests.sandbox.conftest import SandboxClient, find_link, get_text


def test_views_check_permissions(sandbox: SandboxClient) -> None:
    """Nothing is changed."""
    customer = sandbox.create_customer()
    open_path = sandbox.create_portal(customer)
    page = sandbox.client.get(open_path)
    cancel = find_link(page, "/cancel").removeprefix(open_path)
    plan = find_link(page, "/plan").removeprefix(open_path)
    invoice = find_link(page, r"/invoices/\w+").removeprefix(open_path)
    billing_permissions = ("allow_autopay_edit", "allow_payment_method_edit", "allow_account_edit")
    path = sandbox.create_portal(
        customer,
        plan_overview_settings={"allow_subscription_cancel": False, "allow_self_serve_change": False},
        invoice_list_settings={"show_section": False},
        billing_details_settings=dict.fromkeys(billing_permissions, False),
    )
    assert not re.search("<button|class=.button", sandbox.client.get(path).content.decode())
    card = {"number": "5555555555554444", "expires": "12/99"}
    before = list(Record.objects.order_by("pk").values_list("data", flat=True))
    responses = [
        sandbox.client.get(f"{path}{cancel}"),
        sandbox.client.post(f"{path}{cancel}"),
        sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "off"}),
        sandbox.client.get(f"{path}{plan}"),
        sandbox.client.get(f"{path}{plan}?plan=plan_growth"),
        sandbox.client.post(f"{path}{plan}", {"plan": "plan_growth"}),
        sandbox.client.get(f"{path}/payment-method"),
        sandbox.client.post(f"{path}/payment-method", card),
        sandbox.client.get(f"{path}/account"),
        sandbox.client.post(f"{path}/account", {"name": "New", "email": "a@b.test"}),
        sandbox.client.get(f"{path}{invoice}"),
        sandbox.client.get(f"{path}{invoice}/pdf"),
    ]
    for response in responses:
        assert response.status_code == 403
        assert "This is not available" in get_text(response)
    assert list(Record.objects.order_by("pk").values_list("data", flat=True)) == before


def test_invoice_of_another_customer_returns_404(sandbox: SandboxClient) -> None:
    theirs = sandbox.create_portal()
    invoice = find_link(sandbox.client.get(theirs), r"/invoices/\w+").removeprefix(theirs)
    mine = sandbox.create_portal()
    assert sandbox.client.get(f"{mine}{invoice}").status_code == 404
    assert sandbox.client.get(f"{mine}{invoice}/pdf").status_code == 404


def test_expired_link_returns_410(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_SESSION_SECONDS = 0
    path = sandbox.create_portal()
    for response in (sandbox.client.get(path), sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "off"})):
        assert response.status_code == 410
        assert "<h1>This link has expired</h1>" in response.content.decode()
        assert "<title>This link has expired" in response.content.decode()


@pytest.mark.parametrize("path", ["/sandbox/hs/unknown", "/sandbox/hs/unknown/invoices/x", "/sandbox/hs/a/b/c/d"])
def test_unknown_link_returns_404_page(sandbox: SandboxClient, path: str) -> None:
    response = sandbox.client.get(path)
    assert response.status_code == 404
    assert "Page not found" in get_text(response)


def test_responses_are_not_cached_and_send_no_referrer(sandbox: SandboxClient) -> None:
    """This includes redirects, errors and failed CSRF checks."""
    path = sandbox.create_portal()
    page = sandbox.client.get(path)
    responses = [
        page,
        sandbox.client.get(find_link(page, "/cancel")),
        sandbox.client.get(find_link(page, r"/invoices/\w+")),
        sandbox.client.get(find_link(page, "/pdf")),
        sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "off"}),
        sandbox.client.get(f"{path}/auto-pay"),
        sandbox.client.get("/sandbox/hs/unknown"),
        Client(enforce_csrf_checks=True).post(f"{path}/auto-pay"),
    ]
    for response in responses:
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("ending", ["/auto-pay", "/cancel"])
def test_csrf_token_is_required(sandbox: SandboxClient, ending: str) -> None:
    path = sandbox.create_portal()
    browser = Client(enforce_csrf_checks=True)
    form = browser.get(path)
    action = find_link(form, ending)
    if ending == "/cancel":
        form = browser.get(action)
    assert browser.post(action).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.content.decode())
    assert token
    assert browser.post(action, {"csrfmiddlewaretoken": token[1]}).status_code == 302


def test_pages_with_forms_allow_the_referrer_within_the_site(sandbox: SandboxClient) -> None:
    """With no-referrer, browsers send "Origin: null", and Django rejects the form."""
    path = sandbox.create_portal()
    policy = '<meta name="referrer" content="same-origin">'
    page = sandbox.client.get(path)
    assert policy in page.content.decode()
    assert policy in sandbox.client.get(find_link(page, "/cancel")).content.decode()
    assert policy not in sandbox.client.get(find_link(page, r"/invoices/\w+")).content.decode()


def test_pages_have_no_inline_script_or_style(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    page = sandbox.client.get(path)
    plan = find_link(page, "/plan")
    edits = (plan, f"{plan}?plan=plan_growth", f"{path}/payment-method", f"{path}/account")
    for address in (path, find_link(page, "/cancel"), find_link(page, r"/invoices/\w+"), *edits, "/sandbox/hs/unknown"):
        body = sandbox.client.get(address).content.decode()
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", body)
        assert '<html lang="en">' in body
        assert body.count("<h1") == 1


URLS = [
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


@pytest.mark.parametrize(("method", "path"), URLS)
def test_all_urls_return_404_without_debug(settings: Any, method: str, path: str) -> None:
    """No database access happens."""
    settings.DEBUG = False
    assert Client(enforce_csrf_checks=True).generic(method, path).status_code == 404


def test_list_of_urls_is_complete() -> None:
    names = {get_resolver().resolve(path).url_name or "not_found" for _, path in URLS}
    assert names == {entry.name or "not_found" for entry in urlpatterns}
