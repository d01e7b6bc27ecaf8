"""Memberships: those that lead nowhere, and customers that nobody can open."""

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Exists, OuterRef

from alguna_portal.access import resolve_by_membership
from alguna_portal.conf import conf
from alguna_portal.models import Customer, Membership

from .context import Visit
from .report import Finding, Findings, counted, error, named, note, ok, skipped


def look(visit: Visit) -> Findings:
    """Look for rows without their other half. Constraints forbid them, but not on every database, nor in every dump."""
    if not visit.has_tables:
        yield skipped("memberships.whole", "The rows were not read, since tables are missing.")
        return
    yield _whole(visit)
    if conf.CUSTOMER_RESOLVER is not resolve_by_membership:
        yield skipped("memberships.customers", "ALGUNA_PORTAL_CUSTOMER_RESOLVER decides who opens what.")
        return
    yield _customers(visit)
    yield _inactive(visit)


def _whole(visit: Visit) -> Finding:
    everyone = Membership.objects.using(visit.using).order_by("pk")
    # Not the default manager, which may hide some: who is deleted softly is not lost.
    users = get_user_model()._base_manager.using(visit.using)  # noqa: SLF001  (Django documents it)
    lost = everyone.exclude(
        Exists(Customer.objects.using(visit.using).filter(pk=OuterRef("customer_id")))
        & Exists(users.filter(pk=OuterRef("user_id")))
    )
    if keys := [str(key) for key in lost.values_list("pk", flat=True)]:
        found = f"{counted(len(keys), 'membership')} without a customer or a user (pk {named(keys)})."
        return error("memberships.whole", found, "Delete them, and find out who deletes rows past Django.")
    return ok("memberships.whole", f"{counted(everyone.count(), 'membership')}, each with its customer and its user.")


def _customers(visit: Visit) -> Finding:
    alone = Customer.objects.using(visit.using).filter(memberships=None).count()
    if alone:
        found = f"{counted(alone, 'customer')} without a member: nobody opens the portal, unless by mailed links."
        return note("memberships.customers", found, "Add memberships, in the admin or in code.")
    return ok("memberships.customers", "Every customer has a member.")


def _inactive(visit: Visit) -> Finding:
    name = "memberships.users"
    try:
        get_user_model()._meta.get_field("is_active")
    except FieldDoesNotExist:
        return skipped(name, "Users here are not active or inactive.")
    inactive = Membership.objects.using(visit.using).filter(user__is_active=False).count()
    if inactive:
        return note(name, f"{counted(inactive, 'membership')} of inactive users, who open nothing.")
    return ok(name, "No memberships of inactive users.")
