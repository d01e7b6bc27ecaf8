"""Links that are mailed to customers: ours, signed, revocable and expiring.

A URL of Alguna's would be dead in an hour, spent by the first mail scanner, and a key to the account for whomever it
is forwarded to. So the mail carries a link to a page of ours, which opens the portal when a person presses a button.

Whoever has the link, and presses, is in: that is what a link by mail is worth, and why it expires, can be revoked,
and can be limited to a role and to a number of uses. No account is needed, and none is signed in to.
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

RENEWAL_PAUSE = timedelta(minutes=10)
RENEWALS_A_DAY = 5  # to one address


class LinkUnusable(Exception):
    """The link is expired, used up or revoked by now."""


def get_link_by_token(token: str) -> PortalLink | None:
    """Find the link that a URL names, whatever it is worth; None where it is none of ours."""
    key = get_key_from_token(token)
    # Where it is written: a replica may not know yet that it was revoked.
    links = PortalLink.objects.using(router.db_for_write(PortalLink)).select_related("customer")
    return links.filter(key=key).first() if key else None


def open_link(link: PortalLink) -> PortalSession:
    """Open the portal that a link leads to, with the settings that the customer's plan has now; count the use.

    Raise `LinkUnusable` where it was used up, expired or revoked since it was found; else as `open_session` does, and
    then the use is not counted.
    """
    now = timezone.now()
    rows = PortalLink.objects.filter(pk=link.pk)
    # One statement that checks and counts: of two presses at once, only one can be the last.
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
    """Mail a new link to the recipient of one that is expired or used up; say whether one was sent.

    It is not where the link still works, is too old, or was renewed a moment ago; where it, or a later one to the same
    recipient, was revoked; and not more than `RENEWALS_A_DAY` times to one address. Nobody who asks is to be told.
    """
    now = timezone.now()
    if link.state not in (PortalLink.State.EXPIRED, PortalLink.State.USED_UP):
        return False
    waits = Q(renewed_at=None) | Q(renewed_at__lte=now - RENEWAL_PAUSE)
    row = PortalLink.objects.filter(waits, pk=link.pk, revoked_at=None, renewable_until__gt=now)
    # Of several at once, one goes on.
    if not row.update(renewed_at=now):
        return False
    to_recipient = PortalLink.objects.filter(recipient=link.recipient)
    # Whoever revoked one meant the person, not the mail: an older mail must not bring back what was taken.
    if to_recipient.filter(customer=link.customer, revoked_at__gte=link.created_at).exists():
        return False
    if to_recipient.exclude(renews=None).filter(created_at__gt=now - timedelta(days=1)).count() >= RENEWALS_A_DAY:
        return False
    again = create_link(link.customer, link.recipient, sent_by=None, role=link.role, note="")
    again.renews = link.renews or link
    again.renewable_until = link.renewable_until
    posted = SendResult()
    deliver_links([again], posted, within=None)
    return bool(posted.sent)
