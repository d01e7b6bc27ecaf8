"""The admin: customers, and who opened their portals. A class for each model, each in a file of its own."""

from .accesses import PortalAccessAdmin
from .customers import CustomerAdmin

__all__ = ["CustomerAdmin", "PortalAccessAdmin"]
