"""The command `alguna_doctor`, which examines a deployment and reports problems with their remedies."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style

from alguna_portal.doctor.context import DoctorContext
from alguna_portal.doctor.report import NOUNS, Level, Report, format_count, render_findings, render_summary
from alguna_portal.doctor.runner import run_checks

PROBLEMS = (Level.WARNING, Level.ERROR)


class Command(BaseCommand):
    """Run all checks and write a report."""

    help = (
        "Examines the deployment: settings, the account at Alguna, clocks, cache, database, links, mail, webhooks and "
        "hosts. Says what is wrong and what to do. Writes nothing, and shows no secret."
    )
    # A failing system check would stop the command. It runs this app's checks itself.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write one JSON object, for machines")
        parser.add_argument("--offline", action="store_true", help="ask neither Alguna nor anybody else on the network")
        parser.add_argument(
            "--all", action="store_true", help="look every customer up in Alguna, however long it takes"
        )
        parser.add_argument(
            "--fail-level",
            choices=[level.value for level in PROBLEMS],
            type=str.lower,
            default=Level.ERROR.value,
            help="the level from which on the exit status is 1 (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's names)
        """Run the checks; raise `CommandError` if a finding has the level of `--fail-level` or a higher one."""
        report = Report(fail_level=Level(options["fail_level"]))
        # Not `self.style` alone: it depends on `sys.stdout`, which may not be the stream of this command.
        style = self.style if options["force_color"] or self.stdout.isatty() else no_style()
        for check, findings in run_checks(DoctorContext(offline=options["offline"], all_customers=options["all"])):
            report.findings += [(check.name, finding) for finding in findings]
            shown = [finding for finding in findings if options["verbosity"] > 0 or finding.level in PROBLEMS]
            if shown and not options["json"]:
                self.stdout.write(render_findings(check.title, shown, style))
                self.stdout.flush()
        self.stdout.write(json.dumps(report.to_dict(), indent=2) if options["json"] else render_summary(report.counts))
        if report.failed:
            counts = " and ".join(
                format_count(report.counts[level], NOUNS[level]) for level in reversed(PROBLEMS) if report.counts[level]
            )
            raise CommandError(f"The doctor has found {counts}.")
