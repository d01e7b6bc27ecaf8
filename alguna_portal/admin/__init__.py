"""The admin: customers, links mailed to them, who opened their portals, and what Alguna told. Each in its own file."""

from .accesses import PortalAccessAdmin
from .customers import CustomerAdmin
from .deliveries import WebhookDeliveryAdmin
from .links import PortalLinkAdmin

__all__ = ["CustomerAdmin", "PortalAccessAdmin", "PortalLinkAdmin", "WebhookDeliveryAdmin"]
