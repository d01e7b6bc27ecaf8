"""What is kept: who is billed and who may open their portal, and who did."""

from .accesses import PortalAccess
from .customers import Customer, Membership, validate_alias, validate_currency, validate_portal_settings
from .links import PortalLink

__all__ = [
    "Customer",
    "Membership",
    "PortalAccess",
    "PortalLink",
    "validate_alias",
    "validate_currency",
    "validate_portal_settings",
]
