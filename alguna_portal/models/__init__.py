"""Models: customers and memberships, emailed links, the audit trail, and webhook deliveries."""

from .customer import Customer, Membership
from .portal_access import PortalAccess
from .portal_link import PortalLink
from .webhook_delivery import WebhookDelivery

__all__ = ["Customer", "Membership", "PortalAccess", "PortalLink", "WebhookDelivery"]
