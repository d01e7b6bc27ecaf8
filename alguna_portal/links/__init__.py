"""Portal links sent by email: signed, revocable and expiring."""

from .emails import LinkNotSent, format_expiry, get_link_url
from .opening import LinkUnusable, get_link_by_token, open_link
from .sending import SendResult, renew, send_again, send_link, send_links

__all__ = [
    "LinkNotSent",
    "LinkUnusable",
    "SendResult",
    "format_expiry",
    "get_link_by_token",
    "get_link_url",
    "open_link",
    "renew",
    "send_again",
    "send_link",
    "send_links",
]
