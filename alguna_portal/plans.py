"""Which portal settings follow from a customer's plan and a role. Pure: settings in, settings out, no I/O."""

import logging
from typing import TYPE_CHECKING

from .conf import conf
from .portal_settings import PortalSettings
from .roles import Role

if TYPE_CHECKING:
    from .models import Customer

logger = logging.getLogger(__name__)


def settings_for(customer: "Customer", *, role: str = Role.MANAGER) -> PortalSettings:
    """Merge the settings for a customer, from general to particular: defaults, plan, the customer's own, role.

    The role `viewer` turns every power off. So does, with a warning in the log, a plan that is named but not
    configured, and so do settings of the customer that cannot be read: when in doubt, the portal only shows.
    Raise `ValueError` for a role that does not exist.
    """
    merged = conf.DEFAULTS
    doubts = []
    if customer.plan:
        if (of_plan := conf.PLANS.get(customer.plan)) is not None:
            merged = merged.merge(of_plan)
        else:
            doubts.append(f"Plan “{customer.plan}” is not in ALGUNA_PORTAL_PLANS.")
    own, problems = PortalSettings.salvage(customer.portal_settings)
    merged = merged.merge(own)
    doubts += problems
    for doubt in doubts:
        logger.warning("Customer %s: %s The portal opens without any powers.", customer.pk or "(unsaved)", doubt)
    return merged.read_only() if doubts or Role(role) is Role.VIEWER else merged
