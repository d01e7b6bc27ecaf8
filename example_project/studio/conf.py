"""The example's own settings, read on each access."""

from pathlib import Path

from django.conf import settings


def get_port() -> int:
    """Return the port of the development server."""
    return int(getattr(settings, "PORT", 8000))


def uses_sandbox() -> bool:
    """Return whether Billing uses the sandbox in this project instead of Alguna."""
    return bool(getattr(settings, "USES_SANDBOX", False))


def uses_mailbox() -> bool:
    """Return whether emails are stored for the mailbox page instead of being sent."""
    return bool(getattr(settings, "USES_MAILBOX", False))


def get_mailbox_path() -> Path:
    """Return the folder with the stored emails."""
    return Path(str(getattr(settings, "MAILBOX", ".demo/mail")))
