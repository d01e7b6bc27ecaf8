"""Mailed links to the portal: signed, revocable and expiring."""

from .emails import LinkNotSent, address_of, until
from .opening import LinkUnusable, find, open_link, renew
from .sending import Posted, send_again, send_link, send_links

__all__ = [
    "LinkNotSent",
    "LinkUnusable",
    "Posted",
    "address_of",
    "find",
    "open_link",
    "renew",
    "send_again",
    "send_link",
    "send_links",
    "until",
]
