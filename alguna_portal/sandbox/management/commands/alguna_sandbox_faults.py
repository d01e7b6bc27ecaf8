"""`manage.py alguna_sandbox_faults`: shows, sets or clears the sandbox's simulated fault."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.models import get_state, write_state


class Command(BaseCommand):
    """Show, set or clear the simulated fault."""

    help = "Show what the Alguna sandbox does to every request, change it, or clear it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "faults",
            nargs="?",
            help='parts such as "latency=2.5" or "status=429; retry-after=7; times=3"; "clear" to end them',
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        text = options["faults"]
        if text is not None:
            try:
                fault = faults.Fault() if text.strip() == "clear" else faults.parse_fault(text)
            except faults.InvalidFault as error:
                raise CommandError(str(error)) from error
            with write_state() as state:
                faults.set_fault(state, fault)
        self.stdout.write(str(faults.get_fault(get_state())) or "clear")
