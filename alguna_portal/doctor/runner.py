"""The round: which examinations there are, in their order, and how one that fails keeps no other from its turn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from django.core.exceptions import ImproperlyConfigured

from alguna_portal.conf import PREFIX

from . import (
    account,
    cache,
    customers,
    database,
    encryption,
    links,
    mail,
    memberships,
    portal_hosts,
    sandbox,
    settings,
    webhooks,
    workers,
)
from .context import OutOfTime, Visit
from .report import Finding, Findings, error, redaction, skipped


@dataclass(frozen=True, kw_only=True)
class Examination:
    """One of them: its findings' names begin with its own, but for `account`, of the key, the API and the clock."""

    name: str  # in `--json`
    title: str
    look: Callable[[Visit], Findings]


EXAMINATIONS = (
    Examination(name="settings", title="Settings", look=settings.look),
    Examination(name="account", title="Account at Alguna", look=account.look),
    Examination(name="sandbox", title="Sandbox", look=sandbox.look),
    Examination(name="hosts", title="Portal hosts", look=portal_hosts.look),
    Examination(name="cache", title="Cache", look=cache.look),
    Examination(name="encryption", title="Encryption", look=encryption.look),
    Examination(name="database", title="Database", look=database.look),
    Examination(name="memberships", title="Memberships", look=memberships.look),
    Examination(name="links", title="Links by mail", look=links.look),
    Examination(name="mail", title="Mail", look=mail.look),
    Examination(name="workers", title="Workers", look=workers.look),
    Examination(name="webhooks", title="Webhooks", look=webhooks.look),
    # Last: they may take all the time that is left.
    Examination(name="customers", title="Customers in Alguna", look=customers.look),
)


def examine(visit: Visit) -> Iterator[tuple[Examination, list[Finding]]]:
    """Carry the examinations out, one after the other; give the findings of each, without a secret in them."""
    redact = redaction()
    for examination in EXAMINATIONS:
        findings = list(_contained(examination, visit))
        yield (
            examination,
            [replace(each, found=redact(each.found), remedy=redact(each.remedy)) for each in findings],
        )


def _contained(examination: Examination, visit: Visit) -> Findings:
    """Give the findings up to where it fails, and say that it did; by a name alone, since texts may hold anything."""
    name = f"{examination.name}.examined"
    try:
        yield from examination.look(visit)
    except OutOfTime:
        yield skipped(name, "There was no time left for the rest of this.")
    except Exception as exc:  # noqa: BLE001  (whatever it is, the others have their turn)
        # Our own texts name the setting, which “Settings” has said is wrong.
        if isinstance(exc, ImproperlyConfigured) and str(exc).startswith(PREFIX):
            yield skipped(name, f"Not to be looked at while {str(exc).split()[0]} is wrong.")
        else:
            found = f"This could not be looked at: {type(exc).__name__}."
            yield error(name, found, "If nothing above explains it, it is a fault of the doctor's: please report it.")
