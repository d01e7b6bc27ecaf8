"""What tests of mailed links do and look at."""

from html import unescape
from typing import Any

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from alguna_portal.links import get_link_url
from alguna_portal.models import PortalLink

SITE = "https://app.example.com"
BILLING = "billing@acme.example"


def path(link: PortalLink) -> str:
    """The address of a link, on the site."""
    return get_link_url(link).removeprefix(SITE)


def text(response: Any) -> str:
    """What a page says."""
    return unescape(response.content.decode())


def sent() -> list[EmailMultiAlternatives]:
    """The mails so far."""
    return [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]


def html_of(message: EmailMultiAlternatives) -> str:
    """The mail as a page."""
    ((content, kind),) = message.alternatives
    assert kind == "text/html"
    return str(content)


def press(link: PortalLink) -> Any:
    """Press the button behind a link."""
    return Client().post(path(link))
