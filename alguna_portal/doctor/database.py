"""Checks of the database: migrations, customers' plans, and customers' own portal settings."""

from django.db import DatabaseError
from django.db.models import Count

from alguna_portal.conf import conf
from alguna_portal.models import Customer
from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings, find_legacy_problems

from .context import DoctorContext
from .report import Finding, Findings, error, format_count, format_list, ok, skipped, warning


def check_database(context: DoctorContext) -> Findings:
    """Check the migrations, then the customers' plans and portal settings."""
    try:
        missing = context.unapplied_migrations
    except DatabaseError as exc:
        yield error("database.reachable", f"The database cannot be asked ({type(exc).__name__}).", "Check DATABASES.")
        return
    if missing:
        found = f"{format_count(len(missing), 'migration')} not applied: {format_list(missing)}."
        yield error("database.migrations", found, "Run manage.py migrate.")
        yield skipped("database.plans", "The rows were not read, since tables are missing.")
        return
    yield ok("database.migrations", "All migrations are applied.")
    yield _check_plans(context)
    yield _check_portal_settings(context)


def _check_plans(context: DoctorContext) -> Finding:
    """Find plans of customers that are not in ALGUNA_PORTAL_PLANS."""
    rows = Customer.objects.using(context.using).exclude(plan="").order_by("plan")
    counts = dict(rows.values_list("plan").annotate(customers=Count("pk")))
    unknown = {plan: count for plan, count in counts.items() if plan not in conf.PLANS}
    if unknown:
        customers = format_count(sum(unknown.values()), "customer")
        plans = format_list([f"“{plan}” ({count:,})" for plan, count in unknown.items()])
        found = f"{customers} on plans without settings: {plans}. Their portals open without any powers."
        return warning("database.plans", found, "Add the plans to ALGUNA_PORTAL_PLANS, or correct the customers.")
    return ok("database.plans", f"{format_count(len(counts), 'plan')} in use, all with settings.")


def _check_portal_settings(context: DoctorContext) -> Finding:
    """Find customers with settings that are invalid, or that the API in use doesn't support."""
    invalid = []
    customers = Customer.objects.using(context.using).exclude(portal_settings={}).order_by("pk")
    for key, raw in customers.values_list("pk", "portal_settings").iterator():
        settings, problems = PortalSettings.parse_leniently(raw)
        if problems or (find_legacy_problems(settings) and conf.API_VERSION == LEGACY_API_VERSION):
            invalid.append(str(key))
    if invalid:
        count, keys = format_count(len(invalid), "customer"), format_list(invalid)
        found = (
            f"{count} with portal settings that are not right (pk {keys}): "
            "some of them do not count, and where in doubt the portal opens without any powers."
        )
        return warning("database.portal_settings", found, "Open and save them in the admin: it says what is wrong.")
    return ok("database.portal_settings", "All customers' own portal settings can be read.")
