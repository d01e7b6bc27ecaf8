"""The sandbox's bad days from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.web.store import reading, writing


class Command(BaseCommand):
    """Show, change or clear the weather."""

    help = "Show what the Alguna sandbox does to every request, change it, or clear it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "weather",
            nargs="?",
            help='parts such as "latency=2.5" or "status=429; retry-after=7; times=3"; "clear" for a good day',
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        text = options["weather"]
        if text is not None:
            try:
                fault = faults.Fault() if text.strip() == "clear" else faults.read(text)
            except faults.UnreadableFault as error:
                raise CommandError(str(error)) from error
            with writing() as state:
                faults.change(state, fault)
        self.stdout.write(str(faults.current(reading())) or "clear")
