"""Management command that synchronizes the plans of all customers with Alguna: once at first, or after lost events."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db.models import Q, QuerySet
from django.utils import timezone

from alguna_portal.bulk.command import CustomersCommand, get_customers_on_plan, parse_positive_int
from alguna_portal.bulk.runner import RateLimitedClient, keyset
from alguna_portal.conf import conf
from alguna_portal.customers import plan_sync
from alguna_portal.customers.plan_sync import FetchedPlan, Synced
from alguna_portal.models import Customer

BATCH_SIZE = 200
RESUME_MARGIN = 10  # minutes that may pass before the user resumes an interrupted run
# The names of the outcomes in the summary.
LABELS = {each: each.value for each in Synced} | {Synced.NOTHING: "with nothing to learn"}
WOULD_CHANGE = "would change"
DRY_RUN_LABELS = (WOULD_CHANGE, *list(LABELS.values())[1:-1])


class Command(CustomersCommand):
    dry_run_calls_api = True
    dry_run_help = "ask Alguna, store nothing, and say what would change"
    help = (
        "Asks Alguna for every customer's subscriptions, and sets the plan that follows from them by "
        "ALGUNA_PORTAL_PLAN_IDS. Those that were synced longest ago come first, so it may be interrupted and run "
        "again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        stale_help = "only customers that were not synced in the last so many minutes, by an event or otherwise"
        parser.add_argument("--stale", type=parse_positive_int, metavar="MINUTES", help=stale_help)

    def get_queryset(self) -> QuerySet[Customer]:
        """Return the customers that weren't synchronized since the start of this run, or for `--stale` minutes."""
        if not conf.PLAN_IDS:
            raise CommandError(
                "ALGUNA_PORTAL_PLAN_IDS is empty: name there the plan that each of Alguna's plan ids stands for, as in "
                '{"plan_abc123": "starter"}.'
            )
        stale = self.options["stale"] or 0
        if stale:
            self.filter_description = f" that were not synced in the last {stale} minutes"
        self.labels = DRY_RUN_LABELS if self.options["dry_run"] else tuple(LABELS.values())
        self._started = timezone.now()
        try:
            before = self._started - timedelta(minutes=stale)
        except OverflowError:
            raise CommandError(f"--stale {stale} leads to before the beginning of the calendar.") from None
        customers = get_customers_on_plan(self.options["plan"])
        return customers.filter(Q(plan_synced_at=None) | Q(plan_synced_at__lt=before))

    def read(self, customers: QuerySet[Customer]) -> Iterator[Customer]:
        """Yield the customers that were never synchronized, then the others, the oldest synchronization first.

        These are two queries, because databases sort NULL differently.
        """
        customers = customers.only("alias", "customer_id", "plan", "plan_synced_at")
        never, before = customers.filter(plan_synced_at=None), customers.exclude(plan_synced_at=None)
        yield from keyset(never, "pk", size=BATCH_SIZE)
        yield from keyset(before, "plan_synced_at", "pk", size=BATCH_SIZE)

    def prepare(self, customer: Customer) -> None:
        """Take a sequence number; not in a dry run, because it's stored."""
        if self.options["dry_run"]:
            return
        try:
            customer.plan_asked = plan_sync.next_sequence(customer)
        except Customer.DoesNotExist:
            raise ValidationError("The customer was deleted here before Alguna was asked.") from None

    def call_api(self, customer: Customer, client: RateLimitedClient) -> FetchedPlan:
        return plan_sync.fetch_plan(customer, client)

    def store(self, customer: Customer, result: FetchedPlan) -> str:
        if self.options["dry_run"]:
            synced = result.compare(customer.plan)
        else:
            synced = plan_sync.store_plan(customer, result, sequence=customer.plan_asked)
        if synced is Synced.UNMAPPED:
            self.summary.remarks.add(customer.pk, f"not mapped: {result.plan_id}")
        elif synced is Synced.CHANGED and self.options["dry_run"]:
            self.summary.remarks.add(customer.pk, f"from {_quote(customer.plan)} to {_quote(result.plan)}")
            return WOULD_CHANGE
        return LABELS[synced]

    def format_remarks(self) -> Iterator[str]:
        """Yield the changes of a dry run, and Alguna's plans that aren't in `PLAN_IDS`."""
        yield from super().format_remarks()
        if self.summary.outcomes[LABELS[Synced.UNMAPPED]]:
            yield "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again."

    def format_resume_hint(self) -> str:
        if self.options["dry_run"]:
            return "Run it again."
        minutes = ceil((timezone.now() - self._started) / timedelta(minutes=1)) + RESUME_MARGIN
        stale = max(minutes, self.options["stale"] or 0)
        return f"Run it again with --stale {stale}, and it goes on where it stopped."


def _quote(plan: Any) -> str:
    return f"“{plan}”" if plan else "no plan"
