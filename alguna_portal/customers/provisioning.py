"""Provisioning: find a customer in Alguna by its alias, or create it once.

The alias is looked up before a customer is created, and again if Alguna returns 409 or 422. So if a process dies
between Alguna's response and our save, the next process finds the customer. Of two processes, the second waits for
the first one's row lock and then finds the stored id. Without row locks (SQLite, customers without a row, bulk
commands) both send the same request with the same idempotency key, so Alguna runs it once.

Existing customers in Alguna are never changed, because the API replaces whole lists of aliases and contacts.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.utils.translation import gettext as _

from alguna_portal.api import get_client
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, CustomerMismatch
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer
from alguna_portal.redaction import redact_id
from alguna_portal.signals import customer_provisioned

if TYPE_CHECKING:
    from alguna_portal.api.client import AlgunaClient

logger = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.1
SENT_FIELDS = ("alias", "name", "currency", "email")


class Provisioned(StrEnum):
    """The result of `provision`."""

    KNOWN = "known"  # The id was stored already, so there was no API call.
    ADOPTED = "adopted"  # Alguna had a customer with this alias.
    CREATED = "created"


def provision(customer: Customer, *, within: float | None = None) -> Provisioned:
    """Find or create a customer in Alguna, and store its id in the row and on the object.

    The request contains the object's alias, name, currency and, as the primary contact, its e-mail address. If the
    customer has no row, only the object gets the id. All API calls together take at most `within` seconds
    (default: `TIME_BUDGET`).

    Raise `ValidationError` with all invalid fields before any API call, `CustomerMismatch` if the customer in Alguna
    belongs to another row, and another `AlgunaError` if Alguna refuses the request or isn't available.
    """
    if customer.customer_id:
        return Provisioned.KNOWN
    validate(customer)
    client = get_client()
    until = monotonic() + (conf.TIME_BUDGET if within is None else within)
    with _lock_row(customer, until=until) as stored_id:
        if stored_id:
            customer.customer_id = stored_id
            return Provisioned.KNOWN
        result = store_customer_id(customer, *get_or_create_remote(customer, client, until=until))
    # After the lock's transaction, which a receiver's failing query would roll back.
    notify_provisioned(customer, result)
    return result


def may_provision(customer: Customer) -> bool:
    """Return whether a customer that Alguna doesn't know is created when its portal is opened.

    A customer with a known id exists in Alguna under another alias, or in another account.
    """
    return conf.PROVISION_ON_OPEN and not customer.customer_id


def validate(customer: Customer) -> None:
    """Raise `ValidationError` with the errors of each field that is sent to Alguna."""
    errors: dict[str, list[str]] = {}
    try:
        customer.clean_fields(exclude={field.name for field in customer._meta.fields} - set(SENT_FIELDS))
    except ValidationError as exc:
        errors = exc.message_dict
    for field in ("name", "currency"):
        if not str(getattr(customer, field)).strip():
            errors[field] = [_("Alguna has no customers without one.")]
    if errors:
        raise ValidationError(errors)


def get_or_create_remote(
    customer: Customer, client: "AlgunaClient", *, until: float | None = None
) -> tuple[str, Provisioned]:
    """Find or create a customer in Alguna. Return its id there, which isn't stored yet.

    `until` is the deadline for all calls together, in the monotonic clock's time. Without it, each call has
    `TIME_BUDGET`, which starts when the client sends the request.
    """
    alias = str(customer.alias)
    if found := client.find_customer(alias, within=get_seconds_left(until)):
        return found, Provisioned.ADOPTED
    create = partial(
        client.create_customer, alias=alias, name=customer.name, currency=customer.currency, email=customer.email
    )
    try:
        created, replayed = create(within=get_seconds_left(until))
    except AlgunaError as exc:
        # Another process has created it. Alguna doesn't document which of the two statuses a taken alias gets.
        if exc.status in (409, 422):
            try:
                found = client.find_customer(alias, within=get_seconds_left(until))
            except AlgunaUnavailable:
                # The refusal is more specific than an outage.
                raise exc from None
            if found:
                return found, Provisioned.ADOPTED
        if not exc.replayed:
            raise
    else:
        if not replayed or client.has_alias(created, alias, within=get_seconds_left(until)):
            return created, Provisioned.CREATED
    # Alguna replayed a response that is up to a day old and no longer true: a refusal, or a customer deleted since.
    created, _replayed = create(again=True, within=get_seconds_left(until))
    return created, Provisioned.CREATED


def get_seconds_left(until: float | None) -> float | None:
    """Return the seconds until a deadline in the monotonic clock's time; None if there is no deadline."""
    return None if until is None else until - monotonic()


def store_customer_id(customer: Customer, customer_id: str, result: Provisioned) -> Provisioned:
    """Store the id that `get_or_create_remote` returned, and return `result`, or `KNOWN` if the id was stored already.

    Raise `CustomerMismatch` if the row's alias or id has changed or another row has this id, and
    `Customer.DoesNotExist` if the row was deleted.
    """
    if not customer._state.adding:
        using = router.db_for_write(Customer, instance=customer)
        rows = Customer.objects.using(using).filter(pk=customer.pk, alias=customer.alias, customer_id=None)
        # Compared in Python as well, because MariaDB ignores case and accents. This is before the transaction, because
        # SQLite can't upgrade a transaction from reading to writing if another process writes.
        is_same = str(customer.alias) in rows.values_list("alias", flat=True)
        try:
            with transaction.atomic(using=using):
                stored = is_same and rows.update(customer_id=customer_id)
        except IntegrityError:
            raise CustomerMismatch(
                f"Alguna's customer “{redact_id(customer_id)}” has the alias of customer {customer.pk}, but is known "
                "here as another one's. Remove the alias in Alguna from the customer that should not have it, or "
                "the customer here that stands twice."
            ) from None
        if not stored:
            _check_stored_id(customer, customer_id, using)
            result = Provisioned.KNOWN
    customer.customer_id = customer_id
    return result


def _check_stored_id(customer: Customer, customer_id: str, using: str) -> None:
    """Raise an exception unless another process has stored the same id for the same alias."""
    row = Customer.objects.using(using).only("alias", "customer_id").get(pk=customer.pk)
    if row.alias != str(customer.alias):
        raise CustomerMismatch(
            f"Customer {customer.pk} got another alias while Alguna was asked about the old one. Try again, and look "
            "whether Alguna now has a customer with the old one that nobody needs."
        )
    if row.customer_id != customer_id:
        raise CustomerMismatch(
            f"Customer {customer.pk} got the id “{redact_id(str(row.customer_id))}” while Alguna said "
            f"“{redact_id(customer_id)}” of its alias. Look in Alguna which of the two is right."
        )


def notify_provisioned(customer: Customer, result: Provisioned) -> None:
    """Log that a customer was found or created in Alguna, and send the signal."""
    if result is Provisioned.KNOWN:
        return
    # The field isn't named `created`, which is an attribute of every log record.
    message = "Customer %(customer)s: %(how)s in Alguna."
    log_event(logger.info, "customer_provisioned", message, customer=customer.pk, how=result.value)
    customer_provisioned.send_robust(Customer, customer=customer, created=result is Provisioned.CREATED)


@contextmanager
def _lock_row(customer: Customer, *, until: float) -> Iterator[str | None]:
    """Lock a customer's row, and return the id that is stored in it.

    Raise `AlgunaUnavailable` if the row is still locked by another process at `until`.
    """
    if customer._state.adding:
        yield None
        return
    using = router.db_for_write(Customer, instance=customer)
    can = connections[using].features
    rows = Customer.objects.using(using).order_by().filter(pk=customer.pk)
    # With `no_key`, other processes can add members to the customer meanwhile.
    rows = rows.select_for_update(nowait=can.has_select_for_update_nowait, no_key=can.has_select_for_no_key_update)
    while True:
        # SQLite has no row locks: a transaction would block all writes during the API calls.
        with ExitStack() as held:
            held.enter_context(transaction.atomic(using=using) if can.has_select_for_update else nullcontext())
            try:
                alias, stored_id = rows.values_list("alias", "customer_id").get()
            except OperationalError:
                if monotonic() >= until:
                    raise AlgunaUnavailable(
                        f"Customer {customer.pk} is locked: somebody else is creating it in Alguna. Try again later."
                    ) from None
            else:
                if alias != str(customer.alias):
                    raise ValidationError({"alias": [_("It was changed meanwhile. Read the customer again.")]})
                yield stored_id
                return
        sleep(LOCK_POLL_SECONDS)
