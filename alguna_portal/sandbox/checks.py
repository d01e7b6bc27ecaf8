"""System checks of the sandbox."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error

from .conf import conf


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Report a sandbox outside development, and a brand colour that is none."""
    errors: list[CheckMessage] = []
    if not settings.DEBUG:
        errors.append(
            Error(
                "The Alguna sandbox is for development and does not run with DEBUG = False.",
                hint='Remove "alguna_portal.sandbox" from INSTALLED_APPS and from the URLs.',
                id="alguna_sandbox.E001",
            )
        )
    if not conf.has_valid_color:
        errors.append(
            Error(
                f"ALGUNA_SANDBOX_BRAND_COLOR is {conf.brand_color_as_set!r}, not a colour.",
                hint="Write it as #rrggbb, for example #4f46e5.",
                id="alguna_sandbox.E002",
            )
        )
    return errors
