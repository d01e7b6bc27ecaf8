"""The mail that carries a link: written from templates, and sent over one connection for all."""

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

JOINERS = "\u200c\u200d"  # not printable, and part of names in Persian and of emoji
SEPARATOR = "."  # neither in a key nor in a signature, and nothing that mail programs take for the end of a URL


class LinkNotSent(Exception):
    """The mail could not be sent; `failure` is the name of what went wrong, and nothing here holds an address."""

    def __init__(self, message: str, failure: str = "") -> None:
        super().__init__(message, failure)
        self.failure = failure

    def __str__(self) -> str:
        return str(self.args[0])


def get_link_url(link: PortalLink) -> str:
    """Return the URL of a link, which is a credential. Begins with `SITE_URL`, never with what a request says."""
    return conf.SITE_URL + reverse("alguna_portal:link", args=[_signer().sign(link.key.hex)])


def get_key_from_token(token: str) -> str | None:
    """Read the key that a URL's token names; None where we have not signed it."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        return None


def _signer() -> Signer:
    # Signs with SECRET_KEY, and accepts what its SECRET_KEY_FALLBACKS have signed.
    return Signer(salt="alguna_portal.links", sep=SEPARATOR)


def create_email(link: PortalLink) -> EmailMultiAlternatives:
    """Write the mail, as text and as HTML, in the language that is active."""
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
        # Out of office replies have nobody to go to.
        headers={"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
    )
    message.attach_alternative(render_to_string("alguna_portal/mail/link.html", context), "text/html")
    return message


def format_expiry(link: PortalLink) -> str:
    """Say until when a link works, in the language and the time zone that are active."""
    if timezone.is_naive(link.expires_at):  # USE_TZ = False
        return date_format(link.expires_at, "DATETIME_FORMAT")
    local = timezone.localtime(link.expires_at)
    return f"{date_format(local, 'DATETIME_FORMAT')} ({local.tzname()})"


def to_one_line(text: str) -> str:
    """Make a text fit for a header: what is not printable would end it and begin another."""
    return " ".join("".join(each if each.isprintable() or each in JOINERS else " " for each in text).split())


def send_emails(links: Iterable[PortalLink]) -> Iterator[tuple[PortalLink, str]]:
    """Mail each link over one connection; yield it with the name of what went wrong, empty where nothing did.

    One that fails does not stop the others; but once the server cannot be reached, or does not answer in time, no
    other waits for it again. Names alone, since texts of mail errors hold addresses.
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
            except Exception as exc:  # noqa: BLE001  (mail backends raise what they like)
                failure = type(exc).__name__
                if connection is None or isinstance(exc, TimeoutError):
                    unreachable = failure
                # Whatever state it is in: the next one begins anew.
                _close(connection)
                connection = None
            if failure:
                message = "Link %(link)s could not be mailed (%(error)s)."
                log_event(logger.error, "link_not_mailed", message, link=link.pk, error=failure)
            else:
                link.sent_at, link.failure = timezone.now(), ""
                # Not `save`, which fails where the link was deleted meanwhile. The mail is out.
                PortalLink.objects.filter(pk=link.pk).update(sent_at=link.sent_at, failure="")
                message = "Link %(link)s: mailed for customer %(customer)s."
                log_event(logger.info, "link_mailed", message, link=link.pk, customer=link.customer_id)
                link_sent.send_robust(PortalLink, link=link)
            yield link, failure
    finally:
        _close(connection)


def _connect() -> Any:
    """Open a connection for many mails. Django 6.1 has mailers in place of `get_connection`."""
    connection = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
    connection.open()
    return connection


def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):  # what was sent is sent
            connection.close()
