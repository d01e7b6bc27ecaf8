"""Customers in Alguna: found there by their alias, or else created, once.

An alias is looked up before anything is created, and again where Alguna says that the customer, or the request, is
there already. So a process that dies between Alguna's answer and our save loses nothing: the next one finds the
customer. Of two processes, one waits for the other's row lock and then has nothing to do. Where there is none
(SQLite, customers without rows, long runs), both send the same request under the same idempotency key, and Alguna
runs it once.

What is in Alguna is never changed: aliases and contacts that are sent there replace the whole list.
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
    """How a customer came to be in Alguna."""

    KNOWN = "known"  # its id was stored already; Alguna was not asked
    ADOPTED = "adopted"  # Alguna had a customer with this alias
    CREATED = "created"


def provision(customer: Customer, *, within: float | None = None) -> Provisioned:
    """Make sure that Alguna has a customer with this alias, and store its id, also on the object at hand.

    What is sent is what the object says: alias, name, currency and, as the primary contact, the e-mail address. A
    customer without a row is provided for, too, and keeps its id on the object alone. All calls together end
    `within` so many seconds, or else `TIME_BUDGET`.

    Raise `ValidationError`, field by field and before any call, for data that Alguna would not accept; an
    `AlgunaError` where it refuses or cannot be asked; `CustomerMismatch` where its customer is another row's.
    """
    if customer.customer_id:
        return Provisioned.KNOWN
    validate(customer)
    client = get_client()
    until = monotonic() + (conf.TIME_BUDGET if within is None else within)
    with _locked(customer, until=until) as known:
        if known:
            customer.customer_id = known
            return Provisioned.KNOWN
        customer_id, how = get_or_create_remote(customer, client, until=until)
        how = store_customer_id(customer, customer_id, how)
    # Not before the lock is let go: a receiver whose query fails would take what was stored with it.
    notify_provisioned(customer, how)
    return how


def validate(customer: Customer) -> None:
    """Raise `ValidationError` with what is wrong with each field that Alguna is sent."""
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
    """Find a customer in Alguna, or create it; return Alguna's id, and store nothing.

    `until`, by the monotonic clock, bounds all calls together.
    """

    def left() -> float | None:
        return None if until is None else until - monotonic()

    alias = str(customer.alias)
    if found := client.find_customer(alias, within=left()):
        return found, Provisioned.ADOPTED
    create = partial(
        client.create_customer, alias=alias, name=customer.name, currency=customer.currency, email=customer.email
    )
    try:
        created, replayed = create(within=left())
    except AlgunaError as exc:
        # Somebody else was faster, or it is not documented which of the two a taken alias gets.
        if exc.status in (409, 422) and (found := _found_after(exc, client, alias, within=left())):
            return found, Provisioned.ADOPTED
        if not exc.replayed:
            raise
    else:
        if not replayed or client.has_alias(created, alias, within=left()):
            return created, Provisioned.CREATED
    # What Alguna repeats is up to a day old, and no longer so: refused then, or gone by now.
    created, _replayed = create(again=True, within=left())
    return created, Provisioned.CREATED


def _found_after(failure: AlgunaError, client: "AlgunaClient", alias: str, *, within: float | None) -> str | None:
    try:
        return client.find_customer(alias, within=within)
    except AlgunaUnavailable:
        # The refusal says more than that there was no time to look.
        raise failure from None


def store_customer_id(customer: Customer, customer_id: str, how: Provisioned) -> Provisioned:
    """Store what `establish` found, unless that was done meanwhile, or the row is no longer what was asked about."""
    if not customer._state.adding:
        using = _database(customer)
        rows = Customer.objects.using(using).filter(pk=customer.pk, alias=customer.alias, customer_id=None)
        # Compared here as well, since MariaDB takes capitals and accents for the same. Before the transaction: in one,
        # SQLite has no way from reading to writing where another writes, too.
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
            return _stored_meanwhile(customer, customer_id, using)
    customer.customer_id = customer_id
    return how


def notify_provisioned(customer: Customer, how: Provisioned) -> None:
    """Tell the log, and who listens, of a customer that was found or created."""
    if how is Provisioned.KNOWN:
        return
    created = how is Provisioned.CREATED
    # The field isn't named `created`, which is an attribute of every log record.
    message = "Customer %(customer)s: %(how)s in Alguna."
    log_event(logger.info, "customer_provisioned", message, customer=customer.pk, how=how.value)
    customer_provisioned.send_robust(Customer, customer=customer, created=created)


def _stored_meanwhile(customer: Customer, customer_id: str, using: str) -> Provisioned:
    """Take the id that another process has stored since, if it is the same; a row deleted since raises."""
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
    customer.customer_id = customer_id
    return Provisioned.KNOWN


@contextmanager
def _locked(customer: Customer, *, until: float) -> Iterator[str | None]:
    """Keep other processes from this customer's row meanwhile; give the id that it has by now.

    Wait for it no longer than the call has time for, and then raise `AlgunaUnavailable`.
    """
    if customer._state.adding:
        yield None
        return
    using = _database(customer)
    can = connections[using].features
    rows = Customer.objects.using(using).order_by().filter(pk=customer.pk)
    # Not for keys: who adds a member to the customer need not wait.
    rows = rows.select_for_update(nowait=can.has_select_for_update_nowait, no_key=can.has_select_for_no_key_update)
    while True:
        # SQLite locks no rows: a transaction would keep everybody from writing anything while Alguna is asked.
        with ExitStack() as held:
            held.enter_context(transaction.atomic(using=using) if can.has_select_for_update else nullcontext())
            try:
                alias, known = rows.values_list("alias", "customer_id").get()
            except OperationalError:
                if monotonic() >= until:
                    raise AlgunaUnavailable(
                        f"Customer {customer.pk} is locked: somebody else is creating it in Alguna. Try again later."
                    ) from None
            else:
                if alias != str(customer.alias):
                    raise ValidationError({"alias": [_("It was changed meanwhile. Read the customer again.")]})
                yield known
                return
        sleep(LOCK_POLL_SECONDS)


def _database(customer: Customer) -> str:
    return router.db_for_write(Customer, instance=customer)
