"""All customers that Alguna does not know yet: found there, or created."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router
from django.db.models import QuerySet

from alguna_portal import customers
from alguna_portal.bulk.progress import progress
from alguna_portal.bulk.runs import PacedClient, Run, reasons
from alguna_portal.bulk.tally import Tally
from alguna_portal.conf import conf
from alguna_portal.customers import Provisioned
from alguna_portal.exceptions import StrangerAnswered
from alguna_portal.models import Customer

BATCH = 50  # rows read at a time: few, since what they say should not be old when Alguna is told
AGAIN = "Run it again, and it goes on where it stopped."
# What the outcomes are called in the summary.
LABELS = {
    Provisioned.CREATED: "created",
    Provisioned.ADOPTED: "adopted",
    Provisioned.KNOWN: "already there",
}


def at_least_one(text: str) -> int:
    """Read a number from the command line."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("a whole number from 1 on is needed.")
    return number


class Command(BaseCommand):
    """Provision in bulk."""

    help = (
        "Makes sure that Alguna has every customer whose id is not known yet, by alias: who is there is adopted, the "
        "others are created. May be interrupted and run again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what may be chosen."""
        parser.add_argument("--plan", help="only customers on this plan")
        parser.add_argument("--dry-run", action="store_true", help="only validate: ask Alguna nothing, store nothing")
        parser.add_argument("--limit", type=at_least_one, metavar="N", help="try so many customers at most")
        rate_help = "requests a second, repeats included (default: %(default)s; Alguna's limit is 100 for everything)"
        parser.add_argument("--rate", type=at_least_one, default=50, metavar="N", help=rate_help)
        workers_help = "requests at the same time (default: %(default)s)"
        parser.add_argument("--workers", type=at_least_one, default=8, metavar="N", help=workers_help)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        """Provision; exit with 1 if a customer failed or the run stopped early, with 130 if it was interrupted."""
        try:
            client = None if options["dry_run"] else PacedClient.at(options["rate"])
            found = _unprovisioned(options["plan"])
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc
        total = min(found.count(), options["limit"] or float("inf"))
        if not total:
            which = f"customers on the plan “{options['plan']}”" if options["plan"] else "customers"
            self._say(f"There is nothing to do: there are no {which} without an id.", options)
            return
        tally = Tally(total=int(total))
        try:
            self._go_through(islice(_read(found), tally.total), tally, client, options)
        except KeyboardInterrupt:
            raise CommandError(f"Left at once. {AGAIN}", returncode=130) from None
        self._sum_up(tally, options)

    def _go_through(
        self, rows: Iterator[Customer], tally: Tally, client: PacedClient | None, options: dict[str, Any]
    ) -> None:
        bar = progress(self.stderr, tally.total, unit="customers", verbosity=options["verbosity"])
        try:
            if client is None:
                for customer in rows:
                    _validate(customer, tally)
                    bar.show(tally)
            else:
                Run(
                    check=customers.validate,
                    ask=customers.establish,
                    store=_store,
                    key=lambda customer: customer.pk,
                    client=client,
                    workers=options["workers"],
                    progress=bar,
                ).over(rows, tally)
        finally:
            bar.close()

    def _sum_up(self, tally: Tally, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            counts = f"{tally.outcomes['valid']} would be provisioned, {tally.failed} would be refused"
        else:
            counts = ", ".join(f"{tally.outcomes[label]} {label}" for label in LABELS.values())
            counts += f", {tally.failed} failed, {tally.untried} not tried"
        self._say(f"Of {tally.total} customers: {counts}.", options)
        for line in tally.failures():
            self._say(line, options)
        if tally.interrupted:
            raise CommandError(f"Interrupted. {AGAIN}", returncode=130)
        if tally.stopped:
            raise CommandError(f"{tally.stopped} {AGAIN}")
        if tally.failed:
            failed = "would be refused" if options["dry_run"] else "failed"
            raise CommandError(f"{tally.failed} of {tally.total} customers {failed}.")

    def _say(self, text: str, options: dict[str, Any]) -> None:
        if options["verbosity"] > 0:
            self.stdout.write(text)


def _unprovisioned(plan: str | None) -> QuerySet[Customer]:
    """Find the customers whose id is not known; raise `CommandError` for a plan that nobody knows."""
    # Where they are written: a replica that lags would give us some that are done.
    everybody = Customer.objects.using(router.db_for_write(Customer)).order_by()
    if plan is None:
        return everybody.filter(customer_id=None)
    if plan not in conf.PLANS and not everybody.filter(plan=plan).exists():
        used = everybody.exclude(plan="").values_list("plan", flat=True).distinct()
        known = ", ".join(sorted({*conf.PLANS, *used}))
        raise CommandError(f"There is no plan “{plan}”. {f'Those known are: {known}.' if known else 'None is known.'}")
    return everybody.filter(customer_id=None, plan=plan)


def _read(found: QuerySet[Customer]) -> Iterator[Customer]:
    """Read rows as they are needed. By key, since the rows that are done leave the result meanwhile."""
    batch = found.only(*customers.SENT, "customer_id").order_by("pk")
    rows = list(batch[:BATCH])
    while rows:
        yield from rows
        rows = list(batch.filter(pk__gt=rows[-1].pk)[:BATCH])


def _validate(customer: Customer, tally: Tally) -> None:
    try:
        customers.validate(customer)
    except ValidationError as exc:
        tally.fail(customer.pk, reasons(exc))
    else:
        tally.count("valid")


def _store(customer: Customer, found: tuple[str, Provisioned]) -> str:
    try:
        how = customers.store(customer, *found)
    except Customer.DoesNotExist:
        raise StrangerAnswered("The customer was deleted here while Alguna was asked.") from None
    customers.tell(customer, how)
    return LABELS[how]
