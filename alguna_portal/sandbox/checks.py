"""System checks of the sandbox."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error

from alguna_portal.sandbox.engine.events import key_of

from .conf import conf


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Report a sandbox outside development, and settings that cannot be used."""
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
    if not conf.has_valid_single_use:
        errors.append(
            Error(
                f"ALGUNA_SANDBOX_SINGLE_USE is {conf.single_use_as_set!r}.",
                hint='It may be "off", "browser" or "anywhere".',
                id="alguna_sandbox.E003",
            )
        )
    if conf.webhook_url and not _is_secret(conf.webhook_secret):
        errors.append(
            Error(
                "ALGUNA_SANDBOX_WEBHOOK_SECRET is not a signing secret, so nothing can be sent to "
                "ALGUNA_SANDBOX_WEBHOOK_URL.",
                hint="Write whsec_ and base64, the same as the receiver has: whsec_c2FuZGJveC1zZWNyZXQ=, for example.",
                id="alguna_sandbox.E004",
            )
        )
    if not conf.has_valid_plans:
        errors.append(
            Error(
                "ALGUNA_SANDBOX_PLANS cannot be read.",
                hint='Write {"plan_starter": {"name": "Starter", "amount_cents": 4900}}, with one plan at least.',
                id="alguna_sandbox.E005",
            )
        )
    return errors


def _is_secret(text: str) -> bool:
    try:
        key_of(text)
    except ValueError:
        return False
    return True
