"""Opening the portal with an emailed link, and renewing links that are expired or used up.

The email doesn't contain a portal URL of Alguna's: that expires within an hour, a mail scanner could use it up, and
everyone to whom it's forwarded could use the account. It contains a signed link to a page of this app, which creates
the session when a person presses a button.

A link needs no user account: everyone who has it can open the portal. Therefore links expire, can be revoked, and can
be limited to a role and to a number of uses.
"""

from datetime import timedelta

from django.db import router
from django.db.models import F, Q
from django.utils import timezone

from alguna_portal import audit
from alguna_portal.models import PortalLink
from alguna_portal.models.portal_link import get_usable_filter
from alguna_portal.sessions import PortalSession, open_session

from .emails import get_key_from_token
from .sending import SendResult, create_link, deliver_links

RENEWAL_PAUSE = timedelta(minutes=10)  # per link
RENEWALS_PER_DAY = 5  # per recipient


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


def renew(link: PortalLink) -> bool:
    """Email a new link to the recipient of a link that is expired or used up; return whether it was sent.

    It isn't sent if the link still works, is too old or was renewed less than `RENEWAL_PAUSE` ago, if this link or a
    later one to the same recipient was revoked, or if the recipient had `RENEWALS_PER_DAY` renewals within a day. Don't
    show the result to the person who asked for the link.
    """
    now = timezone.now()
    if link.state not in (PortalLink.State.EXPIRED, PortalLink.State.USED_UP):
        return False
    not_recent = Q(renewed_at=None) | Q(renewed_at__lte=now - RENEWAL_PAUSE)
    row = PortalLink.objects.filter(not_recent, pk=link.pk, revoked_at=None, renewable_until__gt=now)
    # Only one of several simultaneous requests updates the row.
    if not row.update(renewed_at=now):
        return False
    to_recipient = PortalLink.objects.filter(recipient=link.recipient)
    # Revoking a link denies access to the person, so an older email must not restore it.
    if to_recipient.filter(customer=link.customer, revoked_at__gte=link.created_at).exists():
        return False
    if to_recipient.exclude(renews=None).filter(created_at__gt=now - timedelta(days=1)).count() >= RENEWALS_PER_DAY:
        return False
    renewal = create_link(link.customer, link.recipient, sent_by=None, role=link.role, note="")
    renewal.renews = link.renews or link
    renewal.renewable_until = link.renewable_until
    return bool(deliver_links([renewal], SendResult()).sent)
