"""Email backends that fail in different ways."""

from collections.abc import Sequence
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import django
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

from alguna_portal.models import PortalLink


def use_email_backend(settings: Settings, backend: str) -> None:
    """Set the email backend with the setting that this version of Django reads."""
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


class RefusingBackend(EmailBackend):
    """Refuses some recipients, closes the connection for others and counts connections."""

    opened = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connected = False

    def open(self) -> bool:
        """Connect, unless it's connected already."""
        if self.connected:
            return False
        type(self).opened += 1
        self.connected = True
        return True

    def close(self) -> None:
        """Close the connection."""
        self.connected = False

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send, or fail like SMTP servers, with the address in the exception."""
        self.open()
        for message in messages:
            (recipient,) = message.to
            if recipient.startswith("refused"):
                raise SMTPRecipientsRefused({recipient: (550, b"no such user")})
            if recipient.startswith("dropped"):
                raise SMTPServerDisconnected(f"lost while sending to {recipient}")
        return super().send_messages(list(messages))


class UnreachableBackend(EmailBackend):
    """Can't connect to its server."""

    asked = 0

    def open(self) -> bool:
        """Fail."""
        type(self).asked += 1
        raise ConnectionRefusedError("mail.acme.example, user postmaster@acme.example")

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Fail."""
        raise ConnectionRefusedError(f"lost {messages[0].to}")


class TimeoutBackend(EmailBackend):
    """Accepts connections and never responds."""

    asked = 0

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Time out."""
        type(self).asked += 1
        raise TimeoutError("timed out")


class DeletingBackend(EmailBackend):
    """Deletes all links before it sends an email, and can't be closed."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send after the link was deleted."""
        PortalLink.objects.all().delete()
        return super().send_messages(list(messages))

    def close(self) -> None:
        """Fail."""
        raise OSError("broken pipe")
