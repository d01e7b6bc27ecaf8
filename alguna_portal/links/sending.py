"""Sending portal links: to one customer, to several, or again; immediately or by background tasks."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import IntegrityError, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer, PortalLink
from alguna_portal.roles import Role
from alguna_portal.transactions import enqueue, savepoint

from .emails import LinkNotSent, get_link_url, send_emails

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger(__name__)

# How long after the first email its recipient can renew expired links: enough for late payers, but limited.
RENEWABLE = timedelta(days=90)
RENEWAL_PAUSE = timedelta(minutes=10)  # per link
RENEWALS_PER_DAY = 5  # per recipient


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """The result of sending links. Enqueued links count as sent."""

    sent: list[PortalLink] = field(default_factory=list)
    untried: list[Customer] = field(default_factory=list)  # the time limit was reached before their email
    failed: list[tuple[Customer, str]] = field(default_factory=list)  # with the class name of the exception
    skipped: list[Customer] = field(default_factory=list)  # without an email address


def send_link(
    customer: Customer,
    *,
    to: str | None = None,
    sent_by: "AbstractBaseUser | None" = None,
    role: str | None = None,
    note: str = "",
) -> PortalLink:
    """Email a link to a customer's portal, by default to the customer's own address.

    The link works for `LINK_MAX_AGE` and opens the portal in a role, by default `LINK_ROLE`. The email contains the
    note. With `USE_TASKS` the email is enqueued.

    Raise `ValidationError` for an invalid address, role or note, before anything is saved; `LinkNotSent` if the email
    fails, and then the link is deleted; `ImproperlyConfigured` without `SITE_URL`.
    """
    address = customer.email if to is None else to
    if not address:
        raise ValidationError({"to": [_("The customer has no e-mail address.")]})
    link = create_link(customer, address, sent_by=sent_by, role=role, note=note)
    result = deliver_links([link], SendResult())
    if result.failed:
        ((_customer, failure),) = result.failed
        raise LinkNotSent(f"The link to customer {customer.pk} could not be mailed ({failure}).", failure)
    return result.sent[0]


def send_links(
    customers: Sequence[Customer],
    *,
    sent_by: "AbstractBaseUser | None" = None,
    role: str | None = None,
    note: str = "",
    within: float | None = None,
    result: SendResult | None = None,
) -> SendResult:
    """Email a link to each customer that has an email address, over one connection.

    After `within` seconds, no further email is started. If you pass a `result`, it's filled and returned; it's also
    complete if an exception interrupts the run.
    """
    emails = [(customer, customer.email, role, note) for customer in customers]
    return _send(emails, sent_by=sent_by, within=within, result=result)


def send_again(
    links: Sequence[PortalLink],
    *,
    sent_by: "AbstractBaseUser | None" = None,
    within: float | None = None,
    result: SendResult | None = None,
) -> SendResult:
    """Email new links to the recipients of these links, with the same roles and notes; see `send_links`."""
    emails = [(each.customer, each.recipient, each.role, each.note) for each in links]
    return _send(emails, sent_by=sent_by, within=within, result=result)


def _send(
    emails: Sequence[tuple[Customer, str, str | None, str]],
    *,
    sent_by: "AbstractBaseUser | None",
    within: float | None,
    result: SendResult | None,
) -> SendResult:
    result = SendResult() if result is None else result
    links: list[PortalLink] = []
    for customer, address, role, note in emails:
        if not address:
            result.skipped.append(customer)
            continue
        try:
            links.append(create_link(customer, address, sent_by=sent_by, role=role, note=note))
        except ValidationError as exc:
            # Only an invalid address is this customer's own failure; role and note are the same for all.
            if "to" not in exc.message_dict:
                raise
            result.failed.append((customer, type(exc).__name__))
    return deliver_links(links, result, within=within)


def create_link(
    customer: Customer, address: str, *, sent_by: "AbstractBaseUser | None", role: str | None, note: str
) -> PortalLink:
    """Create an unsaved link; raise `ValidationError` for invalid arguments."""
    if customer._state.adding:
        raise ValidationError({"customer": [_("Save the customer first: a link names its row.")]})
    try:
        validate_email(address)
        MaxLengthValidator(_get_max_length("recipient"))(address)
    except ValidationError as exc:
        raise ValidationError({"to": exc.messages}) from exc
    try:
        role = Role(conf.LINK_ROLE if role is None else role).value
    except ValueError as exc:
        raise ValidationError({"role": [str(exc)]}) from exc
    try:
        MaxLengthValidator(_get_max_length("note"))(note)
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


def _get_max_length(field: str) -> int:
    return getattr(PortalLink._meta.get_field(field), "max_length", None) or 0


def deliver_links(links: Sequence[PortalLink], result: SendResult, *, within: float | None = None) -> SendResult:
    """Save links and email or enqueue them. A link whose email fails is deleted, because nobody has received it."""
    if links:
        # Raise errors in the settings before anything is saved.
        get_link_url(links[0])
        _ = conf.SUPPORT_CONTACT
    if conf.USE_TASKS:
        for link in links:
            if _save(link, result):
                result.sent.append(link)
                _enqueue(link, result)
        return result

    deadline = None if within is None else monotonic() + within

    def save_in_time() -> Iterator[PortalLink]:
        """Save each link just before its email, so that an interrupted run leaves no rows without emails."""
        for link in links:
            if deadline is not None and monotonic() >= deadline:
                result.untried.append(link.customer)
            elif _save(link, result):
                yield link

    for link, failure in send_emails(save_in_time()):
        if failure:
            link.delete()
            result.failed.append((link.customer, failure))
        else:
            result.sent.append(link)
    return result


def _save(link: PortalLink, result: SendResult) -> bool:
    """Save a link. If its customer or sender has been deleted, add it to the failures and return False."""
    using = router.db_for_write(PortalLink, instance=link)
    try:
        with savepoint(using):
            link.save(using=using, force_insert=True)
    except IntegrityError as exc:
        result.failed.append((link.customer, type(exc).__name__))
        return False
    return True


def _enqueue(link: PortalLink, result: SendResult) -> None:
    """Enqueue the email of a saved link. If that fails, delete the link and move it to the failures."""
    # Imported here because Django 5.2 has no tasks framework.
    from .tasks import mail_link

    def fail(exc: Exception) -> None:
        message = "Link %(link)s could not be enqueued (%(error)s)."
        log_event(logger.error, "link_not_queued", message, link=link.pk, exc=exc)
        result.sent.remove(link)
        result.failed.append((link.customer, type(exc).__name__))
        link.delete()

    failed = LinkNotSent(str(link.pk))
    enqueue(mail_link, link.pk, get_language(), using=link._state.db, on_failure=fail, failed=failed)


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
