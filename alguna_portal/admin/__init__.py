"""Model admins for customers, memberships, portal links, portal accesses and webhook deliveries."""

from .customer import CustomerAdmin
from .membership import MembershipAdmin
from .portal_access import PortalAccessAdmin
from .portal_link import PortalLinkAdmin
from .webhook_delivery import WebhookDeliveryAdmin

__all__ = ["CustomerAdmin", "MembershipAdmin", "PortalAccessAdmin", "PortalLinkAdmin", "WebhookDeliveryAdmin"]
