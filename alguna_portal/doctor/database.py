"""The database: its tables, and rows that do not fit the settings."""

from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count

from alguna_portal.conf import conf
from alguna_portal.models import Customer
from alguna_portal.portal_settings import PortalSettings, find_unsupported_fields

from .context import Visit, unapplied
from .report import Finding, Findings, counted, error, named, ok, skipped, warning


def look(visit: Visit) -> Findings:
    """Look at the migrations, then at the customers' plans and their own settings."""
    try:
        missing = unapplied(visit.using)
    except DatabaseError as exc:
        yield error("database.reachable", f"The database cannot be asked ({type(exc).__name__}).", "Check DATABASES.")
        return
    if missing:
        found = f"{counted(len(missing), 'migration')} not applied: {named(missing)}."
        yield error("database.migrations", found, "Run manage.py migrate.")
        yield skipped("database.plans", "The rows were not read, since tables are missing.")
        return
    yield ok("database.migrations", "All migrations are applied.")
    yield _plans(visit)
    yield _portal_settings(visit)


def _plans(visit: Visit) -> Finding:
    """Find plans that customers are on and that nothing is set for."""
    used = Customer.objects.using(visit.using).exclude(plan="").order_by("plan")
    counts = dict(used.values_list("plan").annotate(customers=Count("pk")))
    unknown = {plan: count for plan, count in counts.items() if plan not in conf.PLANS}
    if unknown:
        found = (
            f"{counted(sum(unknown.values()), 'customer')} on plans without settings: "
            f"{named([f'“{plan}” ({count:,})' for plan, count in unknown.items()])}. "
            "Their portals open without any powers."
        )
        return warning("database.plans", found, "Add the plans to ALGUNA_PORTAL_PLANS, or correct the customers.")
    return ok("database.plans", f"{counted(len(counts), 'plan')} in use, all with settings.")


def _portal_settings(visit: Visit) -> Finding:
    """Find customers whose own settings a click cannot read, or the API in use has no words for."""
    wrong = [str(key) for key in _unreadable(visit)]
    if wrong:
        found = (
            f"{counted(len(wrong), 'customer')} with portal settings that are not right (pk {named(wrong)}): "
            "some of them do not count, and where in doubt the portal opens without any powers."
        )
        return warning("database.portal_settings", found, "Open and save them in the admin: it says what is wrong.")
    return ok("database.portal_settings", "All customers' own portal settings can be read.")


def _unreadable(visit: Visit) -> Iterator[object]:
    own = Customer.objects.using(visit.using).exclude(portal_settings={}).order_by("pk")
    for key, raw in own.values_list("pk", "portal_settings").iterator():
        settings, problems = PortalSettings.parse_leniently(raw)
        if problems or find_unsupported_fields(settings, conf.API_VERSION):
            yield key
