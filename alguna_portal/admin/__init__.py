"""The admin: customers and their people, links, who opened portals, and what Alguna told. Each in its own file."""

from .customer import CustomerAdmin
from .membership import MembershipAdmin
from .portal_access import PortalAccessAdmin
from .portal_link import PortalLinkAdmin
from .webhook_delivery import WebhookDeliveryAdmin

__all__ = ["CustomerAdmin", "MembershipAdmin", "PortalAccessAdmin", "PortalLinkAdmin", "WebhookDeliveryAdmin"]
