"""Clickjacking: no response of the app can be framed, whatever the site's settings are."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.models import Customer, Membership, PortalLink
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_link_path

MIDDLEWARE = "django.middleware.clickjacking.XFrameOptionsMiddleware"


@pytest.fixture(params=["without the middleware", "with a laxer setting"])
def frameable_site(request: pytest.FixtureRequest, settings: Settings) -> None:
    """A site whose settings allow framing."""
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"
    if request.param == "without the middleware":
        settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != MIDDLEWARE]


def assert_unframed(response: Any, *statuses: int) -> None:
    """Check the status and that browsers don't show the response in a frame."""
    assert response.status_code in statuses
    assert response["X-Frame-Options"] == "DENY"
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("form", FORMS)
def test_billing_responses_cannot_be_framed(
    frameable_site: None, alguna: FakeApi, manager: User, non_member: User, umbrella: Customer, form: str
) -> None:
    """The portal, sign-in, choices, refusals and failures, in each format."""
    headers = FORMS[form]
    client = sign_in(manager)
    assert_unframed(Client().get(BILLING, headers=headers), 302, 401)
    assert_unframed(client.get(BILLING, headers=headers), 302, 200)
    assert_unframed(client.post(BILLING, headers=headers), 302, 200)
    assert_unframed(client.head(BILLING, headers=headers), 200)
    assert_unframed(client.put(BILLING, headers=headers), 405)
    assert_unframed(client.get(BILLING, headers=headers | {"Sec-Purpose": "prefetch"}), 403)
    assert_unframed(client.get(BILLING, {"customer": "x"}, headers=headers), 403)
    assert_unframed(sign_in(non_member).get(BILLING, headers=headers), 403)
    for status in (503, 404):
        alguna.fail(status)
        assert_unframed(client.get(BILLING, {"fresh": "1"}, headers=headers), 502, 503)
    Membership.objects.create(user=manager, customer=umbrella)
    assert_unframed(client.get(BILLING, headers=headers), 200, 409)


def test_pages_of_emailed_links_cannot_be_framed(frameable_site: None, alguna: FakeApi, link: PortalLink) -> None:
    address, client = get_link_path(link), Client()
    assert_unframed(client.get(address), 200)
    assert_unframed(client.head(address), 200)
    assert_unframed(client.put(address), 405)
    assert_unframed(Client(enforce_csrf_checks=True).post(address), 403)
    assert_unframed(client.get(address.replace(".", ".x")), 404)
    for status in (503, 404):
        alguna.fail(status)
        assert_unframed(client.post(address), 502, 503)
    assert_unframed(client.post(address), 200)
    with mock.patch("alguna_portal.views.links.render_page", side_effect=RuntimeError):
        assert_unframed(client.get(address), 500)
    assert_unframed(client.generic("POST", address, b"x", "multipart/form-data; boundary="), 400)
    PortalLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert_unframed(client.get(address), 410)
    assert_unframed(client.post(address, {"renew": "1"}), 200)
    PortalLink.objects.update(revoked_at=timezone.now())
    assert_unframed(client.get(address), 404)


@pytest.mark.parametrize("model", ["customer", "portallink", "portalaccess"])
def test_admin_pages_cannot_be_framed(admin_client: Client, link: PortalLink, model: str) -> None:
    pages = {"customer": ["", f"{link.customer_id}/change/"], "portallink": ["", f"{link.pk}/change/"]}.get(model, [""])
    for page in pages:
        response = admin_client.get(f"/admin/alguna_portal/{model}/{page}")
        assert response.status_code == 200
        assert response["X-Frame-Options"] == "DENY"
    chosen = {"action": "send_portal_link", "_selected_action": [link.customer_id]}
    asked = admin_client.post("/admin/alguna_portal/customer/", chosen)
    assert (asked.status_code, asked["X-Frame-Options"]) == (200, "DENY")
