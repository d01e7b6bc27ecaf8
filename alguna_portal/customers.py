"""Customers in Alguna: found there by their alias, or else created, once.

An alias is looked up before anything is created, and again where Alguna says that the customer, or the request, is
there already. So a process that dies between Alguna's answer and our save loses nothing: the next one finds the
customer. Of two processes, one waits for the other's row lock and then has nothing to do. Where there is none
(SQLite, customers without rows), both send the same request under the same idempotency key, and Alguna runs it once.

What is in Alguna is never changed: aliases and contacts that are sent there replace the whole list.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from time import monotonic

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, router, transaction
from django.utils.translation import gettext as _

from .answers import quotable
from .breaker import Breaker
from .client import AlgunaClient
from .conf import conf
from .exceptions import AlgunaError, StrangerAnswered
from .models import Customer
from .signals import customer_provisioned

logger = logging.getLogger(__name__)

SENT = ("alias", "name", "currency", "email")


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
    `AlgunaError` where it refuses or cannot be asked; `StrangerAnswered` where its customer is another row's.
    """
    if customer.customer_id:
        return Provisioned.KNOWN
    validate(customer)
    client = AlgunaClient.from_settings(watcher=Breaker())
    until = monotonic() + (conf.TIME_BUDGET if within is None else within)
    with _locked(customer) as known:
        if known:
            customer.customer_id = known
            return Provisioned.KNOWN
        customer_id, how = establish(customer, client, until=until)
        return store(customer, customer_id, how)


def validate(customer: Customer) -> None:
    """Raise `ValidationError` with what is wrong with each field that Alguna is sent."""
    errors: dict[str, list[str]] = {}
    try:
        customer.clean_fields(exclude={field.name for field in customer._meta.fields} - set(SENT))
    except ValidationError as exc:
        errors = exc.message_dict
    for field in ("name", "currency"):
        if not str(getattr(customer, field)).strip():
            errors[field] = [_("Alguna has no customers without one.")]
    if errors:
        raise ValidationError(errors)


def establish(customer: Customer, client: AlgunaClient, *, until: float | None = None) -> tuple[str, Provisioned]:
    """Find a customer in Alguna, or create it; return Alguna's id, and store nothing.

    `until`, by the monotonic clock, bounds all calls together.
    """

    def left() -> float | None:
        return None if until is None else until - monotonic()

    alias = str(customer.alias)
    if found := client.find_customer(alias, within=left()):
        return found, Provisioned.ADOPTED
    try:
        created = client.create_customer(
            alias=alias, name=customer.name, currency=customer.currency, email=customer.email, within=left()
        )
    except AlgunaError as exc:
        # Somebody else was faster, or it is not documented which of the two a taken alias gets.
        if exc.status in (409, 422) and (found := client.find_customer(alias, within=left())):
            return found, Provisioned.ADOPTED
        raise
    return created, Provisioned.CREATED


def store(customer: Customer, customer_id: str, how: Provisioned) -> Provisioned:
    """Store what `establish` found, unless that was done meanwhile, and tell who listens."""
    if not customer._state.adding:
        using = _database(customer)
        try:
            with transaction.atomic(using=using):
                rows = Customer.objects.using(using).filter(pk=customer.pk, customer_id=None)
                stored = rows.update(customer_id=customer_id)
        except IntegrityError:
            raise StrangerAnswered(
                f"Alguna's customer “{quotable(customer_id)}” has the alias of customer {customer.pk}, but is known "
                "here as another one's. Remove the alias in Alguna from the customer that should not have it, or "
                "the customer here that stands twice."
            ) from None
        if not stored:
            return _stored_meanwhile(customer, customer_id, using)
    customer.customer_id = customer_id
    logger.info("Customer %s: %s in Alguna.", customer.pk or "(unsaved)", how)
    customer_provisioned.send_robust(Customer, customer=customer, created=how is Provisioned.CREATED)
    return how


def _stored_meanwhile(customer: Customer, customer_id: str, using: str) -> Provisioned:
    """Take the id that another process has stored since, if it is the same; a row deleted since raises."""
    customer.refresh_from_db(using=using, fields=["customer_id"])
    if customer.customer_id != customer_id:
        raise StrangerAnswered(
            f"Customer {customer.pk} got the id “{quotable(str(customer.customer_id))}” while Alguna said "
            f"“{quotable(customer_id)}” of its alias. Look in Alguna which of the two is right."
        )
    return Provisioned.KNOWN


@contextmanager
def _locked(customer: Customer) -> Iterator[str | None]:
    """Keep other processes from this customer's row meanwhile; give the id that it has by now."""
    if customer._state.adding:
        yield None
        return
    using = _database(customer)
    rows = Customer.objects.using(using).order_by().filter(pk=customer.pk).values_list("customer_id", flat=True)
    # SQLite locks no rows: a transaction there would keep everybody from writing anything while Alguna is asked.
    locks_rows = connections[using].features.has_select_for_update
    with transaction.atomic(using=using) if locks_rows else nullcontext():
        yield rows.select_for_update().get()


def _database(customer: Customer) -> str:
    return router.db_for_write(Customer, instance=customer)
