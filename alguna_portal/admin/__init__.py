"""The admin: customers and their people, links, who opened portals, and what Alguna told. Each in its own file."""

from .accesses import PortalAccessAdmin
from .customers import CustomerAdmin
from .deliveries import WebhookDeliveryAdmin
from .links import PortalLinkAdmin
from .memberships import MembershipAdmin

__all__ = ["CustomerAdmin", "MembershipAdmin", "PortalAccessAdmin", "PortalLinkAdmin", "WebhookDeliveryAdmin"]
