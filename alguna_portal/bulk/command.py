"""Base class of the management commands that call the API for many customers."""

from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router
from django.db.models import QuerySet

from alguna_portal.conf import conf
from alguna_portal.exceptions import CustomerMismatch
from alguna_portal.models import Customer

from .runner import BulkRunner, RateLimitedClient, format_reasons
from .summary import Progress, Summary, create_progress


def parse_positive_int(text: str) -> int:
    """Parse a command-line argument; raise `ArgumentTypeError` if it isn't a whole number from 1 on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("a whole number from 1 on is needed.")
    return number


class CustomersCommand(BaseCommand, ABC):
    """A command that processes customers and prints a summary.

    `handle` sets the attributes `options`, `summary` and `progress`.
    """

    dry_run_calls_api = False
    dry_run_help: str
    filter_description = ""  # completes “There are no customers on the plan X”
    labels: Sequence[str]  # of the outcomes, in the order of the summary

    options: dict[str, Any]
    summary: Summary
    progress: Progress

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", help="only customers on this plan")
        parser.add_argument("--limit", type=parse_positive_int, metavar="N", help="try so many customers at most")
        rate_help = "requests a second, repeats included (default: %(default)s; Alguna's limit is 100 for everything)"
        parser.add_argument("--rate", type=parse_positive_int, default=50, metavar="N", help=rate_help)
        workers_help = "requests at the same time (default: %(default)s)"
        parser.add_argument("--workers", type=parse_positive_int, default=8, metavar="N", help=workers_help)
        parser.add_argument("--dry-run", action="store_true", help=self.dry_run_help)

    @abstractmethod
    def get_queryset(self) -> QuerySet[Customer]:
        """Return the customers to process; raise `CommandError` or `ImproperlyConfigured` for a wrong option."""

    @abstractmethod
    def read(self, customers: QuerySet[Customer]) -> Iterator[Customer]:
        """Yield the customers in batches."""

    @abstractmethod
    def prepare(self, customer: Customer) -> None:
        """Prepare the API call in the main thread; raise `ValidationError` to skip it."""

    @abstractmethod
    def call_api(self, customer: Customer, client: RateLimitedClient) -> Any:
        """Call the API for a customer, in a worker thread."""

    @abstractmethod
    def store(self, customer: Customer, result: Any) -> str:
        """Store the result of `call_api` in the main thread; return the outcome's label."""

    def format_counts(self) -> str:
        """Return the number of customers for each outcome."""
        counts = ", ".join(f"{self.summary.outcomes[label]} {label}" for label in self.labels)
        return f"{counts}, {self.summary.failed} failed, {self.summary.untried} not tried"

    def format_remarks(self) -> Iterator[str]:
        """Yield the lines that follow the counts."""
        return self.summary.remarks.format()

    def format_resume_hint(self) -> str:
        """Return the sentence that says how to continue an interrupted run."""
        return "Run it again, and it goes on where it stopped."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        """Run the command. The exit status is 1 if a customer failed or the run stopped, and 130 after Ctrl-C."""
        self.options = options
        calls_api = self.dry_run_calls_api or not options["dry_run"]
        try:
            client = RateLimitedClient.create(options["rate"]) if calls_api else None
            found = self.get_queryset()
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc
        count = found.count()
        total = min(count, options["limit"] or count)
        if not total:
            on_plan = f" on the plan “{options['plan']}”" if options["plan"] else ""
            self._write(f"There is nothing to do: there are no customers{on_plan}{self.filter_description}.")
            return
        self.summary = Summary(total=total)
        self.progress = create_progress(self.stderr, total, unit="customers", verbosity=options["verbosity"])
        try:
            self._process(islice(self.read(found), total), client)
        except KeyboardInterrupt:
            raise CommandError(f"Left at once. {self.format_resume_hint()}", returncode=130) from None
        finally:
            self.progress.close()
        self._report()
        if self.summary.failed:
            failed = "failed" if client else "would be refused"
            raise CommandError(f"{self.summary.failed} of {total} customers {failed}.")

    def _process(self, customers: Iterator[Customer], client: RateLimitedClient | None) -> None:
        """Process the customers, and count them in `summary`. Without a client, only prepare them."""
        if client:
            BulkRunner(
                prepare=self.prepare,
                call_api=self.call_api,
                store=self._store,
                key=lambda customer: customer.pk,
                client=client,
                workers=self.options["workers"],
                progress=self.progress,
            ).run(customers, self.summary)
            return
        for customer in customers:
            try:
                self.prepare(customer)
            except ValidationError as exc:
                self.summary.fail(customer.pk, *format_reasons(exc))
            else:
                self.summary.outcomes["valid"] += 1
            self.progress.show(self.summary)

    def _store(self, customer: Customer, result: Any) -> str:
        try:
            return self.store(customer, result)
        except Customer.DoesNotExist:
            raise CustomerMismatch("The customer was deleted here while Alguna was asked.") from None

    def _report(self) -> None:
        """Print the summary; raise `CommandError` if the run ended early."""
        self._write(f"Of {self.summary.total} customers: {self.format_counts()}.")
        for line in (*self.format_remarks(), *self.summary.failures.format()):
            self._write(line)
        if self.summary.interrupted:
            raise CommandError(f"Interrupted. {self.format_resume_hint()}", returncode=130)
        if self.summary.stopped:
            raise CommandError(f"{self.summary.stopped} {self.format_resume_hint()}")

    def _write(self, text: str) -> None:
        if self.options["verbosity"] > 0:
            self.stdout.write(text)


def get_customers_on_plan(plan: str | None) -> QuerySet[Customer]:
    """Return the customers on a plan, or all customers; raise `CommandError` if the plan is unknown."""
    # From the primary database: a replica that lags would return customers that are done.
    customers = Customer.objects.using(router.db_for_write(Customer)).order_by()
    if plan is None:
        return customers
    if plan not in conf.PLANS and not customers.filter(plan=plan).exists():
        used = customers.exclude(plan="").values_list("plan", flat=True).distinct()
        known = ", ".join(sorted({*conf.PLANS, *used}))
        raise CommandError(f"There is no plan “{plan}”. {f'Those known are: {known}.' if known else 'None is known.'}")
    return customers.filter(plan=plan)
