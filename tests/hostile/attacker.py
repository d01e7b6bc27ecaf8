"""What attacks have in common: who asks, in which form, and where an answer leads."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

BILLING = "/billing/"
EVIL = "evil.example"

# The forms in which Billing answers, by what asks for each.
FORMS = {"page": {"Accept": "text/html"}, "json": {"Accept": "application/json"}, "htmx": {"HX-Request": "true"}}


def signed_in(user: User, **options: Any) -> Client:
    """Sign a user in."""
    client = Client(**options)
    client.force_login(user)
    return client


def leads_to(response: Any) -> list[str]:
    """List the addresses that an answer leads to by itself, or names as where to go, in whichever form."""
    found = [response[name] for name in ("Location", "HX-Redirect", "Refresh") if response.has_header(name)]
    if "json" in response.headers.get("Content-Type", ""):
        document = response.json()
        found += [document[name] for name in ("url", "login_url") if name in document]
        found += [each["url"] for each in document.get("choices", [])]
    return found
