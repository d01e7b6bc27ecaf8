"""Emails with portal links: the link's URL, the templates, and sending over one connection."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_email_address
from alguna_portal.log_events import log_event
from alguna_portal.models import PortalLink
from alguna_portal.signals import link_sent

logger = logging.getLogger(__name__)

JOINERS = "\u200c\u200d"  # not printable, but part of Persian names and of emoji
SEPARATOR = "."  # neither in a key nor in a signature, and email programs don't end a URL before it


class LinkNotSent(Exception):
    """The email could not be sent. `failure` is the name of the cause; nothing here contains an address."""

    def __init__(self, message: str, failure: str = "") -> None:
        super().__init__(message)
        self.failure = failure


def get_link_url(link: PortalLink) -> str:
    """Return the URL of a link, which is a credential. It begins with `SITE_URL`, never with a request's host."""
    return conf.SITE_URL + reverse("alguna_portal:link", args=[_signer().sign(link.key.hex)])


def get_key_from_token(token: str) -> str | None:
    """Return the link's key from the token in a URL, or None if the signature is invalid."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        return None


def _signer() -> Signer:
    # Signs with SECRET_KEY and also accepts signatures of SECRET_KEY_FALLBACKS.
    return Signer(salt="alguna_portal.links", sep=SEPARATOR)


def create_email(link: PortalLink) -> EmailMultiAlternatives:
    """Render the email, as text and as HTML, in the active language."""
    contact = conf.SUPPORT_CONTACT
    context = {
        "link": link,
        "customer": link.customer,
        "company": to_one_line(link.customer.name),
        "url": get_link_url(link),
        "until": format_expiry(link),
        "site": conf.SITE_URL.partition("://")[2],
        "note": link.note.strip(),
        "support_contact": contact,
    }
    message = EmailMultiAlternatives(
        subject=to_one_line(render_to_string("alguna_portal/mail/link_subject.txt", context)),
        body=render_to_string("alguna_portal/mail/link.txt", context).strip() + "\n",
        to=[link.recipient],
        reply_to=[contact] if is_email_address(contact) else None,
        # No person would read out-of-office replies.
        headers={"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
    )
    message.attach_alternative(render_to_string("alguna_portal/mail/link.html", context), "text/html")
    return message


def format_expiry(link: PortalLink) -> str:
    """Format the time at which a link expires, in the active language and time zone."""
    if timezone.is_naive(link.expires_at):  # USE_TZ = False
        return date_format(link.expires_at, "DATETIME_FORMAT")
    local = timezone.localtime(link.expires_at)
    return f"{date_format(local, 'DATETIME_FORMAT')} ({local.tzname()})"


def to_one_line(text: str) -> str:
    """Replace line breaks and other unprintable characters by spaces, to prevent header injection."""
    return " ".join("".join(each if each.isprintable() or each in JOINERS else " " for each in text).split())


def send_emails(links: Iterable[PortalLink]) -> Iterator[tuple[PortalLink, str]]:
    """Email each link over one connection; yield it with the name of the exception, or "" if it was sent.

    A failure doesn't stop the other emails. But if the server can't be reached or times out, the remaining emails fail
    without another attempt. Only class names are yielded, because texts of mail errors contain addresses.
    """
    connection: Any = None
    unreachable = ""
    try:
        for link in links:
            failure = unreachable
            try:
                if not unreachable:
                    connection = connection or _connect()
                    connection.send_messages([create_email(link)])
            except Exception as exc:  # noqa: BLE001  (mail backends raise exceptions of any class)
                failure = type(exc).__name__
                if connection is None or isinstance(exc, TimeoutError):
                    unreachable = failure
                # Its state is unknown, so the next email uses a new one.
                _close(connection)
                connection = None
            if failure:
                message = "Link %(link)s could not be mailed (%(error)s)."
                log_event(logger.error, "link_not_mailed", message, link=link.pk, error=failure)
            else:
                link.sent_at, link.failure = timezone.now(), ""
                # Not `save()`: it fails if the link has been deleted, and the email is already sent.
                PortalLink.objects.filter(pk=link.pk).update(sent_at=link.sent_at, failure="")
                message = "Link %(link)s: mailed for customer %(customer)s."
                log_event(logger.info, "link_mailed", message, link=link.pk, customer=link.customer_id)
                link_sent.send_robust(PortalLink, link=link)
            yield link, failure
    finally:
        _close(connection)


def _connect() -> Any:
    """Open a connection for several emails. Django 6.1 replaces `get_connection` with mailers."""
    connection = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
    connection.open()
    return connection


def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):  # the emails are already sent
            connection.close()
