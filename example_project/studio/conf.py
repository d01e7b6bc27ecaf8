"""The settings of the example's own, read afresh each time."""

from pathlib import Path

from django.conf import settings


def port() -> int:
    """Return the port that the site is served at."""
    return int(getattr(settings, "PORT", 8000))


def uses_sandbox() -> bool:
    """Say whether Billing asks the sandbox that this very site serves, and not Alguna."""
    return bool(getattr(settings, "USES_SANDBOX", False))


def uses_mailbox() -> bool:
    """Say whether mails are kept for the page that shows them, and not sent to anybody."""
    return bool(getattr(settings, "USES_MAILBOX", False))


def mailbox() -> Path:
    """Return the folder that holds them."""
    return Path(str(getattr(settings, "MAILBOX", ".demo/mail")))
