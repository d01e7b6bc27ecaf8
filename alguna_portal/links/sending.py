"""Links made and mailed: to one customer, to many, or once more; at once, or by workers."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import IntegrityError, router, transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer, PortalLink
from alguna_portal.roles import get_role
from alguna_portal.transactions import savepoint

from .emails import LinkNotSent, get_link_url, send_emails

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger(__name__)

# From the first mail on, its recipient may have expired links replaced: long enough for a late payer, and not for ever.
RENEWABLE = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class SendResult:
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
    posted = SendResult()
    deliver_links([create_link(customer, address, sent_by=sent_by, role=role, note=note)], posted, within=None)
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
    posted: SendResult | None = None,
) -> SendResult:
    """Mail each of the customers a link, over one connection; those without an address are skipped, not lost.

    After so many seconds, no other mail is begun. What came of them goes into `posted` as it happens, so that whoever
    hands one in has the account of it, whatever ends it.
    """
    posted = SendResult() if posted is None else posted
    posted.skipped.extend(customer for customer in customers if not customer.email)
    wanted = [(customer, customer.email, role, note) for customer in customers if customer.email]
    return _send(wanted, posted, sent_by=sent_by, within=within)


def send_again(
    links: Sequence[PortalLink],
    *,
    sent_by: "AbstractBaseUser | None" = None,
    within: float | None = None,
    posted: SendResult | None = None,
) -> SendResult:
    """Mail new links to the recipients of these, in the same roles and with the same notes, as `send_links` does."""
    wanted = [(each.customer, each.recipient, each.role, each.note) for each in links]
    return _send(wanted, SendResult() if posted is None else posted, sent_by=sent_by, within=within)


def _send(
    wanted: Sequence[tuple[Customer, str, str | None, str]],
    posted: SendResult,
    *,
    sent_by: "AbstractBaseUser | None",
    within: float | None,
) -> SendResult:
    made: list[PortalLink] = []
    for customer, address, role, note in wanted:
        try:
            made.append(create_link(customer, address, sent_by=sent_by, role=role, note=note))
        except ValidationError as exc:
            # The address in the row is none; a wrong role or note is the caller's own, and every row's.
            if "to" not in exc.message_dict:
                raise
            posted.failed.append((customer, type(exc).__name__))
    deliver_links(made, posted, within=within)
    return posted


def create_link(
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
        role = get_role(conf.LINK_ROLE if role is None else role).value
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


def deliver_links(links: Sequence[PortalLink], posted: SendResult, *, within: float | None) -> None:
    """Save links and mail them, or have them mailed; one whose mail failed is deleted, since nobody has it."""
    if links:
        # What is wrong with the settings of a mail is said before anything is saved.
        get_link_url(links[0])
        _ = conf.SUPPORT_CONTACT
    deadline = None if within is None else monotonic() + within
    if conf.USE_TASKS:
        for link in links:
            if _saved(link, posted):
                posted.sent.append(link)
                # In a transaction, a worker would look for a row that nobody else can see yet.
                transaction.on_commit(partial(_enqueue, link, get_language(), posted), using=link._state.db)
        return

    def in_time() -> Iterator[PortalLink]:
        """Save each just before its mail: whatever ends the run leaves no rows of mails that nobody began."""
        for link in links:
            if deadline is not None and monotonic() >= deadline:
                posted.untried.append(link.customer)
            elif _saved(link, posted):
                yield link

    for link, failure in send_emails(in_time()):
        if failure:
            link.delete()
            posted.failed.append((link.customer, failure))
        else:
            posted.sent.append(link)


def _saved(link: PortalLink, posted: SendResult) -> bool:
    """Save a link; report one whose customer, or whose sender, has been deleted meanwhile."""
    using = router.db_for_write(PortalLink, instance=link)
    try:
        with savepoint(using):
            link.save(using=using, force_insert=True)
    except IntegrityError as exc:
        posted.failed.append((link.customer, type(exc).__name__))
        return False
    return True


def _enqueue(link: PortalLink, language: str | None, posted: SendResult) -> None:
    """Leave a mail to a worker; report what the queue will not take, as far as there is still somebody to tell."""
    from .tasks import mail_link

    try:
        result = mail_link.enqueue(link.pk, language)
        # The immediate backend has run it by now; any other has it waiting.
        if result.status == "FAILED":
            raise LinkNotSent(str(link.pk))  # noqa: TRY301  (as good as not enqueued)
    except Exception as exc:  # noqa: BLE001  (queues raise what they like)
        message = "Link %(link)s could not be enqueued (%(error)s)."
        log_event(logger.error, "link_not_queued", message, link=link.pk, exc=exc)
        posted.sent.remove(link)
        posted.failed.append((link.customer, type(exc).__name__))
        link.delete()
