"""Links that are mailed to customers: ours, signed, revocable and expiring.

A URL of Alguna's would be dead in an hour, spent by the first mail scanner, and a key to the account for whomever it
is forwarded to. So the mail carries a link to a page of ours, which opens the portal when a person presses a button.

Whoever has the link, and presses, is in: that is what a link by mail is worth, and why it expires, can be revoked,
and can be limited to a role and to a number of uses. No account is needed, and none is signed in to.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from . import audit
from .conf import conf
from .link_mails import LinkNotSent, address_of, deliver, key_of, until
from .models import Customer, PortalLink
from .roles import role_named
from .sessions import PortalSession, open_session

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

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

logger = logging.getLogger(__name__)

# From the first mail on, its recipient may have expired links replaced: long enough for a late payer, and not for ever.
RENEWABLE = timedelta(days=90)
RENEWAL_PAUSE = timedelta(minutes=10)
RENEWALS_A_DAY = 5  # to one address


class LinkUnusable(Exception):
    """The link is expired, used up or revoked by now."""


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What became of links that were to be mailed; those that wait for a worker count as sent."""

    sent: list[PortalLink] = field(default_factory=list)
    untried: list[Customer] = field(default_factory=list)  # time was up before their mail was begun
    failed: list[tuple[Customer, str]] = field(default_factory=list)  # with the name of what went wrong
    skipped: list[Customer] = field(default_factory=list)  # without an address


def send_link(
    customer: Customer,
    *,
    to: str | None = None,
    sent_by: "AbstractBaseUser | None" = None,
    role: str | None = None,
    note: str = "",
) -> PortalLink:
    """Mail a link to a customer's portal, to the customer's own address unless another is given.

    It opens the portal in a role, `LINK_ROLE` unless given, for `LINK_MAX_AGE`. The note stands in the mail. With
    `USE_TASKS` the mail is enqueued.

    Raise `ValidationError` for an address, role or note that cannot be, before anything is made; `LinkNotSent` where
    the mail failed, and then no link is left; `ImproperlyConfigured` without `SITE_URL`.
    """
    address = customer.email if to is None else to
    if not address:
        raise ValidationError({"to": [_("The customer has no e-mail address.")]})
    posted = _post([_make(customer, address, sent_by=sent_by, role=role, note=note)], within=None)
    if posted.failed:
        ((_customer, failure),) = posted.failed
        raise LinkNotSent(f"The link to customer {customer.pk} could not be mailed ({failure}).", failure)
    return posted.sent[0]


def send_links(
    customers: Sequence[Customer],
    *,
    sent_by: "AbstractBaseUser | None" = None,
    role: str | None = None,
    note: str = "",
    within: float | None = None,
) -> Posted:
    """Mail each of the customers a link, over one connection; those without an address are skipped, not lost.

    After so many seconds, no other mail is begun.
    """
    made: list[PortalLink] = []
    skipped: list[Customer] = []
    failed: list[tuple[Customer, str]] = []
    for customer in customers:
        if not customer.email:
            skipped.append(customer)
            continue
        try:
            made.append(_make(customer, customer.email, sent_by=sent_by, role=role, note=note))
        except ValidationError as exc:
            # The address in the row is none; a wrong role or note is the caller's own, and every row's.
            if "to" not in exc.message_dict:
                raise
            failed.append((customer, type(exc).__name__))
    posted = _post(made, within=within)
    return replace(posted, failed=[*failed, *posted.failed], skipped=skipped)


def send_again(
    links: Sequence[PortalLink], *, sent_by: "AbstractBaseUser | None" = None, within: float | None = None
) -> Posted:
    """Mail new links to the recipients of these, in the same roles and with the same notes, as `send_links` does."""
    made = [_make(each.customer, each.recipient, sent_by=sent_by, role=each.role, note=each.note) for each in links]
    return _post(made, within=within)


def find(token: str) -> PortalLink | None:
    """Find the link that a URL names, whatever it is worth; None where it is none of ours."""
    key = key_of(token)
    return PortalLink.objects.select_related("customer").filter(key=key).first() if key else None


def open_link(link: PortalLink) -> PortalSession:
    """Open the portal that a link leads to, with the settings that the customer's plan has now; count the use.

    Raise `LinkUnusable` where it was used up, expired or revoked since it was found; else as `open_session` does, and
    then the use is not counted.
    """
    now = timezone.now()
    rows = PortalLink.objects.filter(pk=link.pk)
    usable = Q(max_uses=None) | Q(uses__lt=F("max_uses"))
    # One statement that checks and counts: of two presses at once, only one can be the last.
    if not rows.filter(usable, revoked_at=None, expires_at__gt=now).update(uses=F("uses") + 1, last_used_at=now):
        raise LinkUnusable("The link is expired, used up or revoked.")
    try:
        return open_session(link.customer, role=link.role, via=audit.Via.LINK.value, link=link)
    except Exception:
        rows.update(uses=F("uses") - 1)
        raise


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
    again = _make(link.customer, link.recipient, sent_by=None, role=link.role, note="")
    again.renews = link.renews or link
    again.renewable_until = link.renewable_until
    return bool(_post([again], within=None).sent)


def _make(
    customer: Customer, address: str, *, sent_by: "AbstractBaseUser | None", role: str | None, note: str
) -> PortalLink:
    """Make a link that is not saved yet; raise `ValidationError` for what cannot be in it."""
    if customer._state.adding:
        raise ValidationError({"customer": [_("Save the customer first: a link names its row.")]})
    try:
        validate_email(address)
        MaxLengthValidator(_longest("recipient"))(address)
    except ValidationError as exc:
        raise ValidationError({"to": exc.messages}) from exc
    try:
        role = role_named(conf.LINK_ROLE if role is None else role).value
    except ValueError as exc:
        raise ValidationError({"role": [str(exc)]}) from exc
    try:
        MaxLengthValidator(_longest("note"))(note)
    except ValidationError as exc:
        raise ValidationError({"note": exc.messages}) from exc
    now = timezone.now()
    expires_at = now + conf.LINK_MAX_AGE
    return PortalLink(
        customer=customer,
        recipient=address,
        role=role,
        note=note,
        sent_by_id=sent_by.pk if sent_by else None,
        created_at=now,
        expires_at=expires_at,
        renewable_until=max(expires_at, now + RENEWABLE),
        max_uses=conf.LINK_MAX_USES,
    )


def _longest(field: str) -> int:
    return getattr(PortalLink._meta.get_field(field), "max_length", None) or 0


def _post(links: Sequence[PortalLink], *, within: float | None) -> Posted:
    """Save links and mail them, or have them mailed; one whose mail failed is deleted, since nobody has it."""
    if links:
        address_of(links[0])  # a missing SITE_URL is said before anything is saved
    posted = Posted()
    deadline = None if within is None else monotonic() + within
    if conf.USE_TASKS:
        for link in links:
            link.save(force_insert=True)
            posted.sent.append(link)
            # In a transaction, a worker would look for a row that nobody else can see yet.
            transaction.on_commit(partial(_enqueue, link, get_language(), posted), using=link._state.db)
        return posted

    def in_time() -> Iterator[PortalLink]:
        """Save each just before its mail: whatever ends the run leaves no rows of mails that nobody began."""
        for link in links:
            if deadline is not None and monotonic() >= deadline:
                posted.untried.append(link.customer)
            else:
                link.save(force_insert=True)
                yield link

    for link, failure in deliver(in_time()):
        if failure:
            link.delete()
            posted.failed.append((link.customer, failure))
        else:
            posted.sent.append(link)
    return posted


def _enqueue(link: PortalLink, language: str | None, posted: Posted) -> None:
    """Leave a mail to a worker; report what the queue will not take, as far as there is still somebody to tell."""
    from .tasks import mail_link

    try:
        result = mail_link.enqueue(link.pk, language)
        # The immediate backend has run it by now; any other has it waiting.
        if result.status == "FAILED":
            raise LinkNotSent(str(link.pk))  # noqa: TRY301  (as good as not enqueued)
    except Exception as exc:  # noqa: BLE001  (queues raise what they like)
        logger.error("Link %s could not be enqueued (%s).", link.pk, type(exc).__name__)  # noqa: TRY400
        posted.sent.remove(link)
        posted.failed.append((link.customer, type(exc).__name__))
        link.delete()
