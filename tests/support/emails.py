"""Helpers for tests of portal links that are sent by email."""

from html import unescape
from typing import Any

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from alguna_portal.links import get_link_url
from alguna_portal.models import PortalLink

SITE = "https://app.example.com"
BILLING = "billing@acme.example"


def get_link_path(link: PortalLink) -> str:
    """Return the path of a link's URL."""
    return get_link_url(link).removeprefix(SITE)


def get_text(response: Any) -> str:
    """Return the text of a page without HTML entities."""
    return unescape(response.content.decode())


def get_sent_emails() -> list[EmailMultiAlternatives]:
    """Return the emails sent so far."""
    return [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]


def get_html(message: EmailMultiAlternatives) -> str:
    """Return the HTML part of an email."""
    ((content, content_type),) = message.alternatives
    assert content_type == "text/html"
    return str(content)


def submit_link(link: PortalLink) -> Any:
    """Send the form on the page of a link."""
    return Client().post(get_link_path(link))
