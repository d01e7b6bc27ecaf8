"""Management command that finds or creates all customers in Alguna whose id isn't stored yet."""

from collections.abc import Iterator

from django.db.models import QuerySet

from alguna_portal.bulk.command import CustomersCommand, get_customers_on_plan
from alguna_portal.bulk.runner import RateLimitedClient, keyset
from alguna_portal.customers import Provisioned, provisioning
from alguna_portal.models import Customer

BATCH_SIZE = 50  # A small number, so that the rows are still up to date when they are sent to Alguna.
# The names of the outcomes in the summary.
LABELS = {
    Provisioned.CREATED: "created",
    Provisioned.ADOPTED: "adopted",
    Provisioned.KNOWN: "already there",
}


class Command(CustomersCommand):
    dry_run_help = "only validate: ask Alguna nothing, store nothing"
    filter_description = " without an id"
    labels = tuple(LABELS.values())
    help = (
        "Makes sure that Alguna has every customer whose id is not known yet, by alias: who is there is adopted, the "
        "others are created. May be interrupted and run again at any time."
    )

    def get_queryset(self) -> QuerySet[Customer]:
        return get_customers_on_plan(self.options["plan"]).filter(customer_id=None)

    def read(self, customers: QuerySet[Customer]) -> Iterator[Customer]:
        """Yield the customers by primary key, because those that are done leave the queryset."""
        return keyset(customers.only(*provisioning.SENT_FIELDS, "customer_id"), "pk", size=BATCH_SIZE)

    def prepare(self, customer: Customer) -> None:
        provisioning.validate(customer)

    def call_api(self, customer: Customer, client: RateLimitedClient) -> tuple[str, Provisioned]:
        return provisioning.get_or_create_remote(customer, client)

    def store(self, customer: Customer, result: tuple[str, Provisioned]) -> str:
        provisioned = provisioning.store_customer_id(customer, *result)
        provisioning.notify_provisioned(customer, provisioned)
        return LABELS[provisioned]

    def format_counts(self) -> str:
        if self.options["dry_run"]:
            return f"{self.summary.outcomes['valid']} would be provisioned, {self.summary.failed} would be refused"
        return super().format_counts()
