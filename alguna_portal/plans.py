"""Which portal settings follow from a customer's plan and a role. No I/O: the customer and the settings say all."""

import logging
from typing import TYPE_CHECKING

from .conf import conf
from .log_events import log_event
from .portal_settings import PortalSettings
from .roles import Role, get_role

if TYPE_CHECKING:
    from .models import Customer

logger = logging.getLogger(__name__)


def settings_for(customer: "Customer", *, role: str = Role.MANAGER) -> PortalSettings:
    """Return the portal settings for a customer in a role, and log what `weigh` doubts.

    Raise `ValueError` for a role that does not exist.
    """
    settings, doubts = merge_settings(customer, role=role)
    for doubt in doubts:
        message = "Customer %(customer)s: %(detail)s The portal opens without any powers."
        log_event(logger.warning, "settings_doubted", message, detail=doubt, customer=customer.pk, plan=customer.plan)
    return settings


def merge_settings(customer: "Customer", *, role: str = Role.MANAGER) -> tuple[PortalSettings, list[str]]:
    """Merge the settings, from general to particular: defaults, plan, the customer's own, role; say what is in doubt.

    The role `viewer` turns every power off. So does a plan that is named but not configured, and so do settings
    of the customer that cannot be read: when in doubt, the portal only shows. What it shows is as the defaults
    and the readable part of the customer's own settings have it.
    """
    only_shows = get_role(role) is Role.VIEWER
    merged, doubts = conf.DEFAULTS, []
    if customer.plan:
        if (of_plan := conf.plan(customer.plan)) is not None:
            merged = merged.merge(of_plan)
        else:
            doubts.append(f"Plan {customer.plan!r} is not in ALGUNA_PORTAL_PLANS.")
    own, problems = PortalSettings.parse_leniently(customer.portal_settings)
    merged = merged.merge(own)
    doubts += problems
    return merged.read_only() if only_shows or doubts else merged, doubts
