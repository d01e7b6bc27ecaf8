"""The two settings of the example's own, read afresh each time."""

from django.conf import settings


def port() -> int:
    """Return the port that the site is served at."""
    return int(getattr(settings, "PORT", 8000))


def uses_sandbox() -> bool:
    """Say whether Billing asks the sandbox that this very site serves, and not Alguna."""
    return bool(getattr(settings, "USES_SANDBOX", False))
