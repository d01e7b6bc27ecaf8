"""Test clients of signed-in users, and helpers for requests to the billing view in each format."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

BILLING = "/billing/"
EVIL = "evil.example"

# The request headers that select a response format.
FORMS = {"page": {"Accept": "text/html"}, "json": {"Accept": "application/json"}, "htmx": {"HX-Request": "true"}}


def sign_in(user: User, **options: Any) -> Client:
    """Return a test client that is signed in as the user."""
    client = Client(**options)
    client.force_login(user)
    return client


def assert_private(response: Any) -> None:
    """Check that the response isn't cached and sends no `Referer`."""
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"


def get_targets(response: Any) -> list[str]:
    """Return the URLs in a response that redirect or that the client is meant to open, in each format."""
    found = [response[name] for name in ("Location", "HX-Redirect", "Refresh") if response.has_header(name)]
    if "json" in response.headers.get("Content-Type", ""):
        document = response.json()
        found += [document[name] for name in ("url", "login_url") if name in document]
        found += [each["url"] for each in document.get("choices", [])]
    return found


def customer_form(**changed: Any) -> dict[str, Any]:
    """Return the data of the admin's form for a customer without memberships."""
    fields = {
        "name": "Acme", "alias": "acme-1", "customer_id": "", "initial-customer_id": "", "email": "", "currency": "",
        "plan": "", "portal_settings": "{}", "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0,
    }  # fmt: skip
    return fields | changed
