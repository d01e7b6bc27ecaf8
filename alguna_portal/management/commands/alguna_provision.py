"""All customers that Alguna does not know yet: found there, or created."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from alguna_portal.bulk.command import CustomersCommand, get_customers_on_plan
from alguna_portal.bulk.runner import BulkRun, RateLimitedClient, format_errors, read_in_batches
from alguna_portal.bulk.summary import Progress, Summary
from alguna_portal.customers import Provisioned
from alguna_portal.customers import provisioning as customers
from alguna_portal.exceptions import CustomerMismatch
from alguna_portal.models import Customer

BATCH = 50  # rows read at a time: few, since what they say should not be old when Alguna is told
# What the outcomes are called in the summary.
LABELS = {
    Provisioned.CREATED: "created",
    Provisioned.ADOPTED: "adopted",
    Provisioned.KNOWN: "already there",
}


class Command(CustomersCommand):
    """Provision in bulk."""

    dry_run_help = "only validate: ask Alguna nothing, store nothing"
    help = (
        "Makes sure that Alguna has every customer whose id is not known yet, by alias: who is there is adopted, the "
        "others are created. May be interrupted and run again at any time."
    )

    def find(self, options: dict[str, Any]) -> QuerySet[Customer]:
        """Find the customers whose id is not known."""
        return get_customers_on_plan(options["plan"]).filter(customer_id=None)

    def nobody(self, options: dict[str, Any]) -> str:
        """Name those of whom none were found."""
        on_plan = f" on the plan “{options['plan']}”" if options["plan"] else ""
        return f"customers{on_plan} without an id"

    def read(self, found: QuerySet[Customer]) -> Iterator[Customer]:
        """Read rows by key, since those that are done leave the result meanwhile."""
        rows = found.only(*customers.SENT_FIELDS, "customer_id").order_by("pk")
        return read_in_batches(rows, after=lambda row: Q(pk__gt=row.pk), size=BATCH)

    def go_through(
        self,
        rows: Iterator[Customer],
        tally: Summary,
        *,
        client: RateLimitedClient | None,
        progress: Progress,
        options: dict[str, Any],
    ) -> None:
        """Provision each, or only validate it."""
        if client is None:
            for customer in rows:
                _validate(customer, tally)
                progress.show(tally)
            return
        BulkRun(
            check=customers.validate,
            ask=customers.get_or_create_remote,
            store=_store,
            key=lambda customer: customer.pk,
            client=client,
            workers=options["workers"],
            progress=progress,
        ).over(rows, tally)

    def counts(self, tally: Summary, options: dict[str, Any]) -> str:
        """Say how many came out how."""
        if options["dry_run"]:
            return f"{tally.outcomes['valid']} would be provisioned, {tally.failed} would be refused"
        counts = ", ".join(f"{tally.outcomes[label]} {label}" for label in LABELS.values())
        return f"{counts}, {tally.failed} failed, {tally.untried} not tried"


def _validate(customer: Customer, tally: Summary) -> None:
    try:
        customers.validate(customer)
    except ValidationError as exc:
        tally.fail(customer.pk, format_errors(exc))
    else:
        tally.count("valid")


def _store(customer: Customer, found: tuple[str, Provisioned]) -> str:
    try:
        how = customers.store_customer_id(customer, *found)
    except Customer.DoesNotExist:
        raise CustomerMismatch("The customer was deleted here while Alguna was asked.") from None
    customers.notify_provisioned(customer, how)
    return LABELS[how]
