"""Runner of `alguna_doctor`: the list of checks, and the handling of checks that fail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from django.core.exceptions import ImproperlyConfigured

from alguna_portal.conf import PREFIX

from . import account, cache, customers, database, links, portal_hosts, settings, webhooks
from .context import DoctorContext, OutOfTime
from .report import Finding, Findings, create_redactor, error, skipped


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check, which is called an examination in the output. Its findings are `<name>.…`, except those of `account`."""

    name: str  # in `--json`
    title: str
    run: Callable[[DoctorContext], Findings]


CHECKS = (
    Check(name="settings", title="Settings", run=settings.check_settings),
    Check(name="account", title="Account at Alguna", run=account.check_account),
    Check(name="sandbox", title="Sandbox", run=settings.check_sandbox),
    Check(name="hosts", title="Portal hosts", run=portal_hosts.check_portal_hosts),
    Check(name="cache", title="Cache", run=cache.check_cache),
    Check(name="encryption", title="Encryption", run=cache.check_encryption),
    Check(name="database", title="Database", run=database.check_database),
    Check(name="memberships", title="Memberships", run=customers.check_memberships),
    Check(name="links", title="Links by mail", run=links.check_links),
    Check(name="mail", title="Mail", run=links.check_email),
    Check(name="workers", title="Workers", run=settings.check_workers),
    Check(name="webhooks", title="Webhooks", run=webhooks.check_webhooks),
    # Last, since it may take all the time that is left, and lifts the time limit with `--all`.
    Check(name="customers", title="Customers in Alguna", run=customers.check_customers),
)


def run_checks(context: DoctorContext) -> Iterator[tuple[Check, list[Finding]]]:
    """Run all checks in order and yield the findings of each, with secrets redacted."""
    redact = create_redactor()
    for check in CHECKS:
        findings = list(_run_check(check, context))
        yield check, [replace(each, found=redact(each.found), remedy=redact(each.remedy)) for each in findings]


def _run_check(check: Check, context: DoctorContext) -> Findings:
    """Yield the findings of a check, and another one if it raises an exception."""
    name = f"{check.name}.examined"
    try:
        yield from check.run(context)
    except OutOfTime:
        yield skipped(name, "There was no time left for the rest of this.")
    except Exception as exc:  # noqa: BLE001  (a failing check must not stop the others)
        # Our own texts begin with a setting that “Settings” has reported. Other texts may contain secrets.
        if isinstance(exc, ImproperlyConfigured) and str(exc).startswith(PREFIX):
            yield skipped(name, f"Not to be looked at while {str(exc).split()[0]} is wrong.")
        else:
            found = f"This could not be looked at: {type(exc).__name__}."
            yield error(name, found, "If nothing above explains it, it is a fault of the doctor's: please report it.")
