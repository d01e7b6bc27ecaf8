"""The plans of all customers, brought in line with Alguna: at the beginning, and where events were lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain
from math import ceil
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db.models import Q, QuerySet
from django.utils import timezone

from alguna_portal.bulk.command import CustomersCommand, get_customers_on_plan, parse_positive_int
from alguna_portal.bulk.runner import BulkRun, RateLimitedClient, read_in_batches
from alguna_portal.bulk.summary import Progress, Summary
from alguna_portal.conf import conf
from alguna_portal.customers import plan_sync
from alguna_portal.customers.plan_sync import FetchedPlan, Synced
from alguna_portal.exceptions import CustomerMismatch
from alguna_portal.models import Customer

BATCH = 200  # rows read at a time
MARGIN = 10  # minutes in which an interrupted run may be begun again
# What the outcomes are called in the summary.
LABELS = {each: each.value for each in Synced} | {Synced.NOTHING: "with nothing to learn"}
WOULD_CHANGE = "would change"


@dataclass
class Asked:
    """A customer, and the number under which Alguna is asked."""

    customer: Customer
    number: int = 0


class Command(CustomersCommand):
    """Sync plans in bulk."""

    dry_run_asks = True
    dry_run_help = "ask Alguna, store nothing, and say what would change"
    help = (
        "Asks Alguna for every customer's subscriptions, and sets the plan that follows from them by "
        "ALGUNA_PORTAL_PLAN_IDS. Those that were synced longest ago come first, so it may be interrupted and run "
        "again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what may be chosen."""
        super().add_arguments(parser)
        stale_help = "only customers that were not synced in the last so many minutes, by an event or otherwise"
        parser.add_argument("--stale", type=parse_positive_int, metavar="MINUTES", help=stale_help)

    def find(self, options: dict[str, Any]) -> QuerySet[Customer]:
        """Find those that were not synced since the beginning of this run, or since `--stale`."""
        if not conf.PLAN_IDS:
            raise CommandError(
                "ALGUNA_PORTAL_PLAN_IDS is empty: name there the plan that each of Alguna's plan ids stands for, as in "
                '{"plan_abc123": "starter"}.'
            )
        self._begun = timezone.now()
        try:
            before = self._begun - timedelta(minutes=options["stale"] or 0)
        except OverflowError:
            raise CommandError(f"--stale {options['stale']} leads to before the beginning of the calendar.") from None
        found = get_customers_on_plan(options["plan"]).only("alias", "customer_id", "plan", "plan_synced_at")
        return found.filter(Q(plan_synced_at=None) | Q(plan_synced_at__lt=before))

    def nobody(self, options: dict[str, Any]) -> str:
        """Name those of whom none were found."""
        on_plan = f" on the plan “{options['plan']}”" if options["plan"] else ""
        stale = f" that were not synced in the last {options['stale']} minutes" if options["stale"] else ""
        return f"customers{on_plan}{stale}"

    def read(self, found: QuerySet[Customer]) -> Iterator[Customer]:
        """Read those that never were synced, then the others, the longest ago first.

        In two parts, since databases differ about where NULL stands.
        """
        never, ever = found.filter(plan_synced_at=None), found.exclude(plan_synced_at=None)
        return chain(
            read_in_batches(never.order_by("pk"), after=lambda row: Q(pk__gt=row.pk), size=BATCH),
            read_in_batches(ever.order_by("plan_synced_at", "pk"), after=_later, size=BATCH),
        )

    def go_through(
        self,
        rows: Iterator[Customer],
        tally: Summary,
        *,
        client: RateLimitedClient | None,
        progress: Progress,
        options: dict[str, Any],
    ) -> None:
        """Sync each, or only compare."""
        assert client is not None  # noqa: S101  (its dry run asks, too)
        BulkRun(
            check=_compare_only if options["dry_run"] else _take_number,
            ask=lambda row, client: plan_sync.fetch_plan(row.customer, client),
            store=partial(_compare if options["dry_run"] else _keep, tally),
            key=lambda row: row.customer.pk,
            client=client,
            workers=options["workers"],
            progress=progress,
        ).over(map(Asked, rows), tally)

    def counts(self, tally: Summary, options: dict[str, Any]) -> str:
        """Say how many came out how."""
        labels = list(LABELS.values())
        if options["dry_run"]:
            labels = [WOULD_CHANGE, *labels[1:-1]]
        counts = ", ".join(f"{tally.outcomes[label]} {label}" for label in labels)
        return f"{counts}, {tally.failed} failed, {tally.untried} not tried"

    def remarks(self, tally: Summary) -> Iterator[str]:
        """Say what would change, and which of Alguna's plans are not mapped."""
        yield from tally.remarked()
        if tally.outcomes[LABELS[Synced.UNMAPPED]]:
            yield "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again."

    def again(self, options: dict[str, Any]) -> str:
        """Say how to go on without those that are done."""
        if options["dry_run"]:
            return "Run it again."
        passed = ceil((timezone.now() - self._begun) / timedelta(minutes=1)) + MARGIN
        return f"Run it again with --stale {max(passed, options['stale'] or 0)}, and it goes on where it stopped."


def _later(row: Customer) -> Q:
    # Said twice, so that an index can be used.
    later = Q(plan_synced_at__gt=row.plan_synced_at) | Q(pk__gt=row.pk)
    return later & Q(plan_synced_at__gte=row.plan_synced_at)


def _take_number(row: Asked) -> None:
    try:
        row.number = plan_sync.next_sequence(row.customer)
    except Customer.DoesNotExist:
        raise ValidationError("The customer was deleted here before Alguna was asked.") from None


def _keep(tally: Summary, row: Asked, learned: FetchedPlan) -> str:
    try:
        how = plan_sync.store_plan(row.customer, learned, number=row.number)
    except Customer.DoesNotExist:
        raise CustomerMismatch("The customer was deleted here while Alguna was asked.") from None
    if how is Synced.UNMAPPED:
        tally.remark(row.customer.pk, f"not mapped: {learned.plan_id}")
    return LABELS[how]


def _compare_only(row: Asked) -> None:
    """Take no number: that would be stored."""


def _compare(tally: Summary, row: Asked, learned: FetchedPlan) -> str:
    before = row.customer.plan
    if learned.is_unmapped:
        tally.remark(row.customer.pk, f"not mapped: {learned.plan_id}")
        return LABELS[Synced.UNMAPPED]
    if learned.plan is None:
        return LABELS[Synced.NOTHING]
    if learned.plan == before:
        return LABELS[Synced.SAME]
    tally.remark(row.customer.pk, f"from {_named(before)} to {_named(learned.plan)}")
    return WOULD_CHANGE


def _named(plan: str) -> str:
    return f"“{plan}”" if plan else "no plan"
