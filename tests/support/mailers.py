"""Mail backends as they are on bad days."""

from collections.abc import Sequence
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import django
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

from alguna_portal.models import PortalLink


def mail_by(settings: Settings, backend: str) -> None:
    """Mail by another backend, as this Django wants it said."""
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


class Picky(EmailBackend):
    """Refuses some recipients, hangs up on others, and counts how often it was connected to."""

    opened = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connected = False

    def open(self) -> bool:
        """Connect, unless that is done."""
        if self.connected:
            return False
        type(self).opened += 1
        self.connected = True
        return True

    def close(self) -> None:
        """Hang up."""
        self.connected = False

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send, or fail as servers do: with the address in the text."""
        self.open()
        for message in messages:
            (recipient,) = message.to
            if recipient.startswith("refused"):
                raise SMTPRecipientsRefused({recipient: (550, b"no such user")})
            if recipient.startswith("dropped"):
                raise SMTPServerDisconnected(f"lost while sending to {recipient}")
        return super().send_messages(list(messages))


class Down(EmailBackend):
    """Nobody listens."""

    asked = 0

    def open(self) -> bool:
        """Fail."""
        type(self).asked += 1
        raise ConnectionRefusedError("mail.acme.example, user postmaster@acme.example")

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Fail, too."""
        raise ConnectionRefusedError(f"lost {messages[0].to}")


class Hanging(EmailBackend):
    """Lets one in, and then says nothing."""

    asked = 0

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Wait until time is up."""
        type(self).asked += 1
        raise TimeoutError("timed out")


class Deleting(EmailBackend):
    """Takes so long that somebody deletes the link meanwhile, and cannot be closed."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send, after the link has gone."""
        PortalLink.objects.all().delete()
        return super().send_messages(list(messages))

    def close(self) -> None:
        """Fail."""
        raise OSError("broken pipe")
