"""What is kept: who is billed and who may open their portal, who did, and what Alguna has told."""

from .customer import Customer, Membership
from .portal_access import PortalAccess
from .portal_link import PortalLink
from .webhook_delivery import WebhookDelivery

__all__ = [
    "Customer",
    "Membership",
    "PortalAccess",
    "PortalLink",
    "WebhookDelivery",
]
