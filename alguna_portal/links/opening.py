"""Opening the portal with an emailed link.

The email doesn't contain a portal URL of Alguna's: that expires within an hour, a mail scanner could use it up, and
if it's forwarded, every reader could use the account. It contains a signed link to a page of this app, which creates
the session when a person presses a button.

A link needs no user account: everyone who has it can open the portal. Therefore links expire, can be revoked, and can
be limited to a role and to a number of uses.
"""

from django.db import router
from django.db.models import F
from django.utils import timezone

from alguna_portal import audit
from alguna_portal.models import PortalLink
from alguna_portal.models.portal_link import get_usable_filter
from alguna_portal.sessions import PortalSession, open_session

from .emails import get_key_from_token


class LinkUnusable(Exception):
    """The link is expired, used up or revoked."""


def get_link_by_token(token: str) -> PortalLink | None:
    """Return the link for the token in a URL, in whatever state, or None if the signature or the key is unknown."""
    key = get_key_from_token(token)
    # From the primary database: on a replica, a revoked link may still look valid.
    links = PortalLink.objects.using(router.db_for_write(PortalLink)).select_related("customer")
    return links.filter(key=key).first() if key else None


def open_link(link: PortalLink) -> PortalSession:
    """Open a portal session for a link, with the current settings of the customer's plan, and count the use.

    Raise `LinkUnusable` if the link is expired, used up or revoked; otherwise the exceptions of `open_session`. If the
    session can't be opened, the use isn't counted.
    """
    now = timezone.now()
    rows = PortalLink.objects.filter(pk=link.pk)
    # One statement that checks and counts: two simultaneous requests can't both get the last use.
    if not rows.filter(get_usable_filter(now)).update(uses=F("uses") + 1):
        raise LinkUnusable("The link is expired, used up or revoked.")
    try:
        session = open_session(link.customer, role=link.role, via=audit.Via.LINK.value, link=link)
    except Exception:
        rows.update(uses=F("uses") - 1)
        raise
    rows.update(last_used_at=now)
    return session
