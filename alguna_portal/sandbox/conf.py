"""Settings of the sandbox, their system checks, and the debug-only guard for its views.

Settings are read on each access, and all have a default.
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from .engine.events import decode_secret
from .engine.faults import SINGLE_USE_MODES
from .engine.types import DEFAULT_PLANS, Plan

DEFAULT_COLOR = "#4f46e5"
# In seconds. Svix, which sends Alguna's webhooks, waits 5 seconds, 5 and 30 minutes, then hours.
WEBHOOK_SCHEDULE = (1, 2, 5, 10, 30)


class Conf:
    """The settings; each property names its setting. `raw_…` properties can be invalid, the others can't."""

    @property
    def api_key(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_API_KEY", "sandbox.secret"))

    @property
    def session_lifetime(self) -> timedelta:
        return timedelta(seconds=getattr(settings, "ALGUNA_SANDBOX_SESSION_SECONDS", 3600))

    @property
    def single_use(self) -> str:
        """Return the mode of single-use portal links, "off", "browser" or "anywhere"; see engine/portal.py."""
        return self.raw_single_use if self.raw_single_use in SINGLE_USE_MODES else "off"

    @property
    def raw_single_use(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_SINGLE_USE", None) or "off")

    @property
    def requests_per_second(self) -> int:
        """Return the rate limit of each process; 0 is no limit."""
        return int(getattr(settings, "ALGUNA_SANDBOX_REQUESTS_PER_SECOND", 100))

    @property
    def webhook_url(self) -> str:
        """Return the URL for webhook messages; if it is empty, none are sent."""
        return str(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_URL", ""))

    @property
    def webhook_secret(self) -> str:
        """Return the signing secret, `whsec_` and base64; it can be invalid."""
        return str(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_SECRET", ""))

    @property
    def webhook_timeout(self) -> float:
        """Return how many seconds to wait for a response to a webhook message."""
        return float(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_TIMEOUT", 15))

    @property
    def webhook_schedule(self) -> Sequence[float]:
        """Return the delays before further attempts in seconds; after the last attempt, a message is given up."""
        return [float(seconds) for seconds in getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_SCHEDULE", WEBHOOK_SCHEDULE)]

    @property
    def plans(self) -> Sequence[Plan]:
        """Return the plans to choose from."""
        return self.raw_plans or DEFAULT_PLANS

    @property
    def raw_plans(self) -> Sequence[Plan]:
        """Return the plans, empty if the setting is invalid."""
        plans = getattr(settings, "ALGUNA_SANDBOX_PLANS", None)
        if plans is None:
            return DEFAULT_PLANS
        try:
            return [Plan(id=plan_id, **plan) for plan_id, plan in plans.items()]
        except (AttributeError, TypeError):
            return ()

    @property
    def brand_name(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_BRAND_NAME", "Alguna Sandbox"))

    @property
    def brand_color(self) -> str:
        """Return the colour as `#rrggbb`."""
        return self.raw_brand_color if re.fullmatch("#[0-9a-fA-F]{6}", self.raw_brand_color) else DEFAULT_COLOR

    @property
    def raw_brand_color(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_BRAND_COLOR", DEFAULT_COLOR))

    @property
    def logo_url(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_LOGO_URL", ""))


conf = Conf()


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Report a sandbox outside development and invalid settings."""
    findings = (
        (
            not settings.DEBUG,
            Error(
                "The Alguna sandbox is for development and does not run with DEBUG = False.",
                hint='Remove "alguna_portal.sandbox" from INSTALLED_APPS and from the URLs.',
                id="alguna_sandbox.E001",
            ),
        ),
        (
            conf.brand_color != conf.raw_brand_color,
            Error(
                f"ALGUNA_SANDBOX_BRAND_COLOR is {conf.raw_brand_color!r}, not a colour.",
                hint="Write it as #rrggbb, for example #4f46e5.",
                id="alguna_sandbox.E002",
            ),
        ),
        (
            conf.single_use != conf.raw_single_use,
            Error(
                f"ALGUNA_SANDBOX_SINGLE_USE is {conf.raw_single_use!r}.",
                hint='It may be "off", "browser" or "anywhere".',
                id="alguna_sandbox.E003",
            ),
        ),
        (
            conf.webhook_url and not _is_valid_secret(conf.webhook_secret),
            Error(
                "ALGUNA_SANDBOX_WEBHOOK_SECRET is not a signing secret, so nothing can be sent to "
                "ALGUNA_SANDBOX_WEBHOOK_URL.",
                hint="Write whsec_ and base64, the same as the receiver has: whsec_c2FuZGJveC1zZWNyZXQ=, for example.",
                id="alguna_sandbox.E004",
            ),
        ),
        (
            not conf.raw_plans,
            Error(
                "ALGUNA_SANDBOX_PLANS cannot be read.",
                hint='Write {"plan_starter": {"name": "Starter", "amount_cents": 4900}}, with one plan at least.',
                id="alguna_sandbox.E005",
            ),
        ),
    )
    return [error for is_wrong, error in findings if is_wrong]


def _is_valid_secret(secret: str) -> bool:
    try:
        decode_secret(secret)
    except ValueError:
        return False
    return True


P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def debug_only(view: View[P]) -> View[P]:
    """Return 404 to every request unless DEBUG is on: the sandbox must not be reachable on a public site."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded
