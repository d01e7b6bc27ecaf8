"""CSRF: every URL of the app rejects cross-site requests, and they change nothing."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from alguna_portal.models import Customer, PortalLink
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_link_path

OURS = ("/billing/", "/admin/alguna_portal/", "/admin/alguna_sandbox/", "/sandbox/")
# Exempt: the sandbox API requires a key, and the webhook a signature, in headers that other sites can't send; the
# stylesheet is read-only.
WITHOUT = ("/sandbox/^(?P<path>[\\s\\S]*)\\Z", "/sandbox/brand.css", "/billing/webhook/")
FORM = "application/x-www-form-urlencoded"
# Data with which each URL would act without further confirmation.
CONFIRMED = {
    "confirmed": "1", "post": "yes", "role": "manager", "note": "", "to": "eve@evil.example", "renew": "1",
    "fresh": "1", "text": "status=500", "name": "Evil", "alias": "evil", "portal_settings": "{}",
    "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0", "initial-customer_id": "",
}  # fmt: skip
ACTIONS = ["create_in_alguna", "send_portal_link", "delete_selected", "revoke", "send_again", "export_as_csv"]


def get_routes(patterns: list[Any], prefix: str) -> Iterator[str]:
    """Return all routes under a prefix, as patterns."""
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from get_routes(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route


def get_app_routes() -> list[str]:
    """Return the routes of the app."""
    return [route for route in get_routes(get_resolver().url_patterns, "/") if route.startswith(OURS)]


def get_url(route: str, link: PortalLink) -> str:
    """Return the URL for a route, with the keys of existing rows."""
    token = get_link_path(link).rstrip("/").rpartition("/")[2]
    keys = {
        "<path:object_id>": str(link.customer_id if "/customer/" in route else link.pk),
        "<str:token>": token,
        "^link/(?P<token>[\\s\\S]+)\\Z": f"link/{token}/",
        "<str:invoice_id>": "inv_1",
        "<str:subscription_id>": "sub_1",
        "<path:rest>": "rest",
    }
    for placeholder, value in keys.items():
        route = route.replace(placeholder, value)
    assert "<" not in route
    return route


def get_state(alguna: FakeApi) -> list[Any]:
    """Return everything that a request could change: all rows except login sessions, emails, calls to Alguna."""
    models = [model for model in apps.get_models() if model is not Session]
    rows = [list(model._default_manager.order_by("pk").values()) for model in models]
    return [rows, len(mail.outbox), len(alguna.requests)]


@pytest.fixture
def superuser(manager: User) -> User:
    """A superuser whose browser sends the forged requests."""
    User.objects.filter(pk=manager.pk).update(is_staff=True, is_superuser=True, last_login="2026-01-01T00:00Z")
    return User.objects.get(pk=manager.pk)


def test_every_url_rejects_forged_requests(
    alguna: FakeApi, superuser: User, link: PortalLink, settings: Settings
) -> None:
    """The URLs come from the resolver, so that none is missing; only the sandbox API is exempt."""
    settings.DEBUG = True
    client = sign_in(superuser, enforce_csrf_checks=True)
    before = get_state(alguna)
    for route in get_app_routes():
        if route in WITHOUT:
            continue
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            sent = client.generic(method, get_url(route, link), urlencode(CONFIRMED), FORM)
            # A URL that doesn't allow the method needs no protection.
            assert sent.status_code == 403 or (method != "POST" and sent.status_code == 405), (method, route)
    assert get_state(alguna) == before


def test_the_same_requests_without_csrf_checks_change_data(alguna: FakeApi, superuser: User, link: PortalLink) -> None:
    """Otherwise the test above would prove nothing."""
    client = sign_in(superuser)
    done = set()
    for route in get_app_routes():
        if route not in WITHOUT and "delete" not in route:
            before = get_state(alguna)
            client.post(get_url(route, link), CONFIRMED)
            if get_state(alguna) != before:
                done.add(route.removeprefix("/admin/alguna_portal/"))
    assert done >= {
        "/billing/",
        "customer/add/",
        "customer/<path:object_id>/send-portal-link/",
        "portallink/<path:object_id>/revoke/",
        "portallink/<path:object_id>/send-again/",
    }


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("model", ["customer", "portallink", "portalaccess"])
def test_admin_actions_reject_forged_requests(
    alguna: FakeApi, superuser: User, link: PortalLink, model: str, action: str
) -> None:
    chosen = {"action": action, "_selected_action": ["1", str(link.pk)], "select_across": "1", "index": "0"}
    client = sign_in(superuser, enforce_csrf_checks=True)
    before = get_state(alguna)
    response = client.post(f"/admin/alguna_portal/{model}/", chosen | CONFIRMED)
    assert response.status_code == 403
    assert get_state(alguna) == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://testserver.evil.example", "http://x@testserver"]
)
def test_a_valid_token_from_another_origin_is_rejected(
    alguna: FakeApi, manager: User, link: PortalLink, form: str, origin: str
) -> None:
    client = sign_in(manager, enforce_csrf_checks=True)
    client.get(get_link_path(link))
    token = client.cookies["csrftoken"].value
    for address in (BILLING, get_link_path(link)):
        headers = FORMS[form] | {"Origin": origin}
        assert client.post(address, {"csrfmiddlewaretoken": token}, headers=headers).status_code == 403
    assert alguna.requests == []
    for address in (BILLING, get_link_path(link)):
        assert client.post(address, {"csrfmiddlewaretoken": token}).status_code in (200, 302)


def test_the_link_page_is_protected_without_the_csrf_middleware(
    alguna: FakeApi, link: PortalLink, settings: Settings
) -> None:
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "csrf" not in each]
    assert Client(enforce_csrf_checks=True).post(get_link_path(link)).status_code == 403
    assert Customer.objects.count() == 1
    assert alguna.requests == []
