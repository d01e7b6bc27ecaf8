"""What is kept: who is billed and who may open their portal, who did, and what Alguna has told."""

from .accesses import PortalAccess
from .customers import Customer, Membership
from .deliveries import WebhookDelivery
from .links import PortalLink

__all__ = [
    "Customer",
    "Membership",
    "PortalAccess",
    "PortalLink",
    "WebhookDelivery",
]
