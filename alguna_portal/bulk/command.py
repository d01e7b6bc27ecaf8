"""Commands that ask Alguna about many customers: what may be chosen, how they end, and what they say then."""

from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router
from django.db.models import QuerySet

from alguna_portal.conf import conf
from alguna_portal.models import Customer

from .runner import RateLimitedClient
from .summary import Progress, Summary, create_progress

AGAIN = "Run it again, and it goes on where it stopped."


def parse_positive_int(text: str) -> int:
    """Read a number from the command line."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("a whole number from 1 on is needed.")
    return number


class CustomersCommand(BaseCommand, ABC):
    """The frame of such a command."""

    dry_run_asks = False
    dry_run_help: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what may be chosen of every such command."""
        parser.add_argument("--plan", help="only customers on this plan")
        parser.add_argument("--limit", type=parse_positive_int, metavar="N", help="try so many customers at most")
        rate_help = "requests a second, repeats included (default: %(default)s; Alguna's limit is 100 for everything)"
        parser.add_argument("--rate", type=parse_positive_int, default=50, metavar="N", help=rate_help)
        workers_help = "requests at the same time (default: %(default)s)"
        parser.add_argument("--workers", type=parse_positive_int, default=8, metavar="N", help=workers_help)
        parser.add_argument("--dry-run", action="store_true", help=self.dry_run_help)

    @abstractmethod
    def find(self, options: dict[str, Any]) -> QuerySet[Customer]:
        """Find those to go through; raise `CommandError`, or `ImproperlyConfigured`, where there is no beginning."""

    @abstractmethod
    def nobody(self, options: dict[str, Any]) -> str:
        """Name those of whom none were found."""

    @abstractmethod
    def read(self, found: QuerySet[Customer]) -> Iterator[Customer]:
        """Read them as they are needed."""

    @abstractmethod
    def go_through(
        self,
        rows: Iterator[Customer],
        tally: Summary,
        *,
        client: RateLimitedClient | None,
        progress: Progress,
        options: dict[str, Any],
    ) -> None:
        """Do it, and count; without a client in a dry run that does not ask."""

    @abstractmethod
    def counts(self, tally: Summary, options: dict[str, Any]) -> str:
        """Say how many came out how."""

    def remarks(self, tally: Summary) -> Iterator[str]:
        """Say in lines of their own what else there is."""
        return tally.remarked()

    def again(self, options: dict[str, Any]) -> str:  # noqa: ARG002
        """Say how to go on after a run that ended early."""
        return AGAIN

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        """Do it; exit with 1 if a customer failed or the run stopped early, with 130 if it was interrupted."""
        try:
            offline = options["dry_run"] and not self.dry_run_asks
            client = None if offline else RateLimitedClient.at(options["rate"])
            found = self.find(options)
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc
        total = min(found.count(), options["limit"] or float("inf"))
        if not total:
            self._say(f"There is nothing to do: there are no {self.nobody(options)}.", options)
            return
        tally = Summary(total=int(total))
        bar = create_progress(self.stderr, tally.total, unit="customers", verbosity=options["verbosity"])
        try:
            rows = islice(self.read(found), tally.total)
            self.go_through(rows, tally, client=client, progress=bar, options=options)
        except KeyboardInterrupt:
            raise CommandError(f"Left at once. {self.again(options)}", returncode=130) from None
        finally:
            bar.close()
        self._sum_up(tally, options)

    def _sum_up(self, tally: Summary, options: dict[str, Any]) -> None:
        self._say(f"Of {tally.total} customers: {self.counts(tally, options)}.", options)
        for line in (*self.remarks(tally), *tally.failures()):
            self._say(line, options)
        if tally.interrupted:
            raise CommandError(f"Interrupted. {self.again(options)}", returncode=130)
        if tally.stopped:
            raise CommandError(f"{tally.stopped} {self.again(options)}")
        if tally.failed:
            refused = options["dry_run"] and not self.dry_run_asks
            raise CommandError(
                f"{tally.failed} of {tally.total} customers {'would be refused' if refused else 'failed'}."
            )

    def _say(self, text: str, options: dict[str, Any]) -> None:
        if options["verbosity"] > 0:
            self.stdout.write(text)


def get_customers_on_plan(plan: str | None) -> QuerySet[Customer]:
    """Find the customers on a plan, without one everybody; raise `CommandError` for a plan that nobody knows."""
    # Where they are written: a replica that lags would give us some that are done.
    everybody = Customer.objects.using(router.db_for_write(Customer)).order_by()
    if plan is None:
        return everybody
    if plan not in conf.PLANS and not everybody.filter(plan=plan).exists():
        used = everybody.exclude(plan="").values_list("plan", flat=True).distinct()
        known = ", ".join(sorted({*conf.PLANS, *used}))
        raise CommandError(f"There is no plan “{plan}”. {f'Those known are: {known}.' if known else 'None is known.'}")
    return everybody.filter(plan=plan)
