"""The sandbox's settings, read afresh each time; every one has a default that works."""

import re
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings

from alguna_portal.sandbox.engine.faults import SINGLE_USE
from alguna_portal.sandbox.engine.types import PLANS, Plan

DEFAULT_COLOR = "#4f46e5"
# Svix waits for 5 seconds, 5 and 30 minutes, then for hours; nobody does in development.
WEBHOOK_SCHEDULE = (1, 2, 5, 10, 30)


class Conf:
    """One property a setting; its name in Django's settings is in the body."""

    @property
    def api_key(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_API_KEY", "sandbox.secret"))

    @property
    def session_life(self) -> timedelta:
        return timedelta(seconds=getattr(settings, "ALGUNA_SANDBOX_SESSION_SECONDS", 3600))

    @property
    def single_use(self) -> str:
        """Return how single-use portal links are: "off", "browser" or "anywhere"; see visits.py."""
        return self.single_use_as_set if self.has_valid_single_use else "off"

    @property
    def single_use_as_set(self) -> str:
        # None and "" are as good as `off`.
        return str(getattr(settings, "ALGUNA_SANDBOX_SINGLE_USE", None) or "off")

    @property
    def has_valid_single_use(self) -> bool:
        return self.single_use_as_set in SINGLE_USE

    @property
    def requests_per_second(self) -> int:
        """Return how many requests one process answers within a second; 0 is no limit."""
        return int(getattr(settings, "ALGUNA_SANDBOX_REQUESTS_PER_SECOND", 100))

    @property
    def webhook_url(self) -> str:
        """Return where events are posted to; "" sends none."""
        return str(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_URL", ""))

    @property
    def webhook_secret(self) -> str:
        """Return what events are signed with: `whsec_` and base64."""
        return str(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_SECRET", ""))

    @property
    def webhook_timeout(self) -> float:
        """Return for how many seconds an answer is waited for."""
        return float(getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_TIMEOUT", 15))

    @property
    def webhook_schedule(self) -> Sequence[float]:
        """Return for how many seconds each further try is waited for; after the last, a message is given up."""
        return [float(seconds) for seconds in getattr(settings, "ALGUNA_SANDBOX_WEBHOOK_SCHEDULE", WEBHOOK_SCHEDULE)]

    @property
    def plans(self) -> Sequence[Plan]:
        """Return the plans to choose from; what cannot be read is the check E005's to report."""
        return self._plans_as_set or PLANS

    @property
    def has_valid_plans(self) -> bool:
        return bool(self._plans_as_set)

    @property
    def _plans_as_set(self) -> Sequence[Plan]:
        by_id = getattr(settings, "ALGUNA_SANDBOX_PLANS", None)
        if by_id is None:
            return PLANS
        try:
            return [Plan(id=plan_id, **plan) for plan_id, plan in by_id.items()]
        except (AttributeError, TypeError):
            return ()

    @property
    def brand_name(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_BRAND_NAME", "Alguna Sandbox"))

    @property
    def brand_color(self) -> str:
        """Return the colour as `#rrggbb`; what is no such thing is the check E002's to report."""
        return self.brand_color_as_set if self.has_valid_color else DEFAULT_COLOR

    @property
    def brand_color_as_set(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_BRAND_COLOR", DEFAULT_COLOR))

    @property
    def has_valid_color(self) -> bool:
        return re.fullmatch("#[0-9a-fA-F]{6}", self.brand_color_as_set) is not None

    @property
    def logo_url(self) -> str:
        return str(getattr(settings, "ALGUNA_SANDBOX_LOGO_URL", ""))


conf = Conf()
