"""The admin: customers, the links mailed to them, and who opened their portals. A class for each, in its own file."""

from .accesses import PortalAccessAdmin
from .customers import CustomerAdmin
from .links import PortalLinkAdmin

__all__ = ["CustomerAdmin", "PortalAccessAdmin", "PortalLinkAdmin"]
