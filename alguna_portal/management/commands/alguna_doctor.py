"""A deployment examined, and what to do about it."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style

from alguna_portal.doctor.context import Visit
from alguna_portal.doctor.report import NOUNS, Colour, Finding, Level, Report, counted, group, summary
from alguna_portal.doctor.runner import examine

FAIL_LEVELS = [Level.WARNING.value, Level.ERROR.value]
QUIET = (Level.WARNING, Level.ERROR)  # all that is said with --verbosity 0


class Command(BaseCommand):
    """Examine, and report."""

    help = (
        "Examines the deployment: settings, the account at Alguna, clocks, cache, database, links, mail, webhooks and "
        "hosts. Says what is wrong and what to do. Writes nothing, and shows no secret."
    )
    # They would end it before it has said anything; it runs ours itself.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what may be chosen."""
        parser.add_argument("--json", action="store_true", help="write one JSON object, for machines")
        parser.add_argument("--offline", action="store_true", help="ask neither Alguna nor anybody else on the network")
        parser.add_argument(
            "--all", action="store_true", help="look every customer up in Alguna, however long it takes"
        )
        parser.add_argument(
            "--fail-level",
            choices=FAIL_LEVELS,
            type=str.lower,
            default=Level.ERROR.value,
            help="the level from which on the exit status is 1 (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        """Examine; exit with 1 if something is as bad as the level that was asked for."""
        report = Report(fail_level=Level(options["fail_level"]))
        for examination, findings in examine(Visit(offline=options["offline"], everyone=options["all"])):
            report.add(examination.name, findings)
            if not options["json"]:
                self._say(examination.title, findings, options)
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), indent=2))
        else:
            self.stdout.write(summary(report.counts))
        if report.failed:
            counts = " and ".join(
                counted(report.counts[level], NOUNS[level]) for level in reversed(QUIET) if report.counts[level]
            )
            raise CommandError(f"The doctor has found {counts}.")

    def _say(self, title: str, findings: list[Finding], options: dict[str, Any]) -> None:
        said = [each for each in findings if options["verbosity"] > 0 or each.level in QUIET]
        # By the stream that is written to: `self.style` was made for another one.
        style = self.style if options["force_color"] or self.stdout.isatty() else no_style()
        colours: dict[Level, Colour] = {
            Level.OK: style.SUCCESS,
            Level.NOTE: style.MIGRATE_LABEL,
            Level.SKIPPED: str,
            Level.WARNING: style.WARNING,
            Level.ERROR: style.ERROR,
        }
        if said:
            self.stdout.write(group(style.MIGRATE_HEADING(title), said, colours))
            self.stdout.flush()
