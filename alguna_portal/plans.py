"""Portal settings for a customer's plan and a role. No I/O: they depend only on the customer and the settings."""

import logging
from typing import TYPE_CHECKING

from .conf import conf
from .log_events import log_event
from .portal_settings import PortalSettings
from .roles import Role

if TYPE_CHECKING:
    from .models import Customer

logger = logging.getLogger(__name__)


def settings_for(customer: "Customer", *, role: str = Role.MANAGER) -> PortalSettings:
    """Return the portal settings for a customer in a role, and log the warnings of `merge_settings`.

    Raise `ValueError` if the role doesn't exist.
    """
    settings, warnings = merge_settings(customer, role=role)
    for each in warnings:
        message = "Customer %(customer)s: %(detail)s The portal opens without any powers."
        log_event(logger.warning, "settings_doubted", message, detail=each, customer=customer.pk, plan=customer.plan)
    return settings


def merge_settings(customer: "Customer", *, role: str = Role.MANAGER) -> tuple[PortalSettings, list[str]]:
    """Merge the settings from general to specific: defaults, plan, customer, role. Return them with warnings.

    The role `viewer` turns every permission off. An unknown plan and invalid settings of the customer do so, too, and
    add a warning. The sections that the portal shows still follow the defaults and the valid settings.
    """
    is_read_only = Role(role) is Role.VIEWER
    merged, warnings = conf.DEFAULTS, []
    if customer.plan:
        if (plan_settings := conf.plan(customer.plan)) is not None:
            merged = merged.merge(plan_settings)
        else:
            warnings.append(f"Plan {customer.plan!r} is not in ALGUNA_PORTAL_PLANS.")
    own, problems = PortalSettings.parse_leniently(customer.portal_settings)
    merged = merged.merge(own)
    warnings += problems
    return merged.read_only() if is_read_only or warnings else merged, warnings
