"""Checks of customers: their memberships, and whether Alguna has the same customers."""

from collections import defaultdict
from math import inf
from time import sleep

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Exists, OuterRef

from alguna_portal.access import resolve_by_membership
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.models import Customer, Membership

from .context import DoctorContext, OutOfTime
from .report import Finding, Findings, error, format_count, format_list, note, ok, skipped, warning

SAMPLE_SIZE = 100  # customers that are looked up without --all
MAX_FAILURES = 3  # in a row, before the lookup stops
LONGEST_WAIT = 2.0  # seconds, after a 429 response
CALL_SECONDS = 8.0  # for the lookup of one customer

# The results of lookups are the names of findings. The portals of customers with one of these problems don't open.
FOUND, FAILED = "customers.known", "failed"
LOOKUP_PROBLEMS = {
    "customers.unopened": (note, "not in Alguna yet: the first click creates them.", ""),
    "customers.unknown": (
        warning,
        "unknown to Alguna: their portals do not open.",
        "Run manage.py alguna_provision, or correct the aliases.",
    ),
    "customers.gone": (
        warning,
        "unknown to Alguna, though with an id of Alguna's here: their portals do not open.",
        # alguna_provision skips customers with a stored id, since it assumes that Alguna has them.
        "Check that this is the account they were created in. Only where a customer is gone there, empty its id "
        "here, then run manage.py alguna_provision.",
    ),
    "customers.aliases": (
        warning,
        "in Alguna by id, but not by alias: their portals do not open.",
        "Give them their aliases in Alguna, or correct those here.",
    ),
    "customers.strangers": (
        error,
        "whose alias is another customer's in Alguna: their sessions are refused.",
        "Find out which is right, then remove the alias in Alguna, or correct customer_id here.",
    ),
}
Lookups = dict[str, list[str]]  # primary keys of customers, by result


def check_memberships(context: DoctorContext) -> Findings:
    """Find incomplete memberships, customers without members, and inactive members."""
    if not context.has_tables:
        yield skipped("memberships.whole", "The rows were not read, since tables are missing.")
        return
    yield _check_foreign_keys(context)
    if conf.CUSTOMER_RESOLVER is not resolve_by_membership:
        yield skipped("memberships.customers", "ALGUNA_PORTAL_CUSTOMER_RESOLVER decides who opens what.")
        return
    if count := Customer.objects.using(context.using).filter(memberships=None).count():
        found = f"{format_count(count, 'customer')} without a member: nobody opens the portal, unless by mailed links."
        yield note("memberships.customers", found, "Add memberships, in the admin or in code.")
    else:
        yield ok("memberships.customers", "Every customer has a member.")
    yield _check_inactive_users(context)


def _check_foreign_keys(context: DoctorContext) -> Finding:
    """Find memberships without a customer or user. Some databases and dumps don't enforce foreign keys."""
    memberships = Membership.objects.using(context.using).order_by("pk")
    # The default manager may hide some users, for example those that are deleted softly.
    users = get_user_model()._base_manager.using(context.using)  # noqa: SLF001  (Django documents it)
    incomplete = memberships.exclude(
        Exists(Customer.objects.using(context.using).filter(pk=OuterRef("customer_id")))
        & Exists(users.filter(pk=OuterRef("user_id")))
    )
    if keys := [str(key) for key in incomplete.values_list("pk", flat=True)]:
        found = f"{format_count(len(keys), 'membership')} without a customer or a user (pk {format_list(keys)})."
        return error("memberships.whole", found, "Delete them, and find out who deletes rows past Django.")
    found = f"{format_count(memberships.count(), 'membership')}, each with its customer and its user."
    return ok("memberships.whole", found)


def _check_inactive_users(context: DoctorContext) -> Finding:
    name = "memberships.users"
    try:
        get_user_model()._meta.get_field("is_active")
    except FieldDoesNotExist:
        return skipped(name, "Users here are not active or inactive.")
    if count := Membership.objects.using(context.using).filter(user__is_active=False).count():
        return note(name, f"{format_count(count, 'membership')} of inactive users, who open nothing.")
    return ok(name, "No memberships of inactive users.")


def check_customers(context: DoctorContext) -> Findings:
    """Count the customers without a stored id, then look up the newest customers in Alguna."""
    name = "customers.known"
    if not context.has_tables:
        yield skipped(name, "The rows were not read, since tables are missing.")
        return
    customers = Customer.objects.using(context.using)
    total = customers.count()
    if not total:
        yield ok(name, "There are no customers here yet.")
        return
    if count := customers.filter(customer_id=None).count():
        found = (
            f"{count:,} of {format_count(total, 'customer')} without an id of Alguna's, by which strangers are noticed."
        )
        yield note("customers.ids", found, "Run manage.py alguna_provision: it finds them by alias, or creates them.")
    else:
        yield ok("customers.ids", "All customers have their id of Alguna's.")
    if context.offline:
        yield skipped(name, "Nobody was looked up, since the doctor is offline.")
    elif context.api_error:
        yield skipped(name, "Nobody was looked up, since Alguna could not be asked.")
    else:
        limit = total if context.all_customers else min(total, SAMPLE_SIZE)
        lookups, stop_reason = _look_up_customers(context, limit)
        for problem, (level, found, remedy) in LOOKUP_PROBLEMS.items():
            if keys := lookups[problem]:
                yield level(problem, f"{_format_keys(keys)} {found}", remedy)
        yield _get_lookup_summary(lookups, stop_reason, limit, total)


def _look_up_customers(context: DoctorContext, limit: int) -> tuple[Lookups, str]:
    """Look up the newest customers; return the results, and the reason if the lookups ended early."""
    if context.all_customers:
        context.deadline = inf  # each call has a time limit, but all calls together have none
    lookups: Lookups = defaultdict(list)
    failures, stop_reason = 0, ""
    customers = Customer.objects.using(context.using).only("alias", "customer_id").order_by("-pk")
    try:
        for customer in customers[:limit].iterator():
            try:
                lookups[_look_up_customer(context, customer)].append(str(customer.pk))
                failures = 0
            except AlgunaUnavailable as exc:
                lookups[FAILED].append(str(customer.pk))
                failures += 1
                if failures == MAX_FAILURES:
                    raise
                sleep(min(exc.retry_after or 0.0, LONGEST_WAIT, context.get_timeout()))
    except OutOfTime:
        stop_reason = "there was no time left"
    except AuthenticationFailed:
        stop_reason = "the key may not read them"
    except AlgunaError as exc:
        stop_reason = f"Alguna failed ({type(exc).__name__})"
    return lookups, stop_reason


def _look_up_customer(context: DoctorContext, customer: Customer) -> str:
    """Look up a customer by alias, then by id; return the name of a finding, or raise an `AlgunaError`."""
    customer_id = customer.customer_id
    found = context.client.find_customer(str(customer.alias), within=context.get_timeout(CALL_SECONDS))
    if found is not None:
        return FOUND if customer_id in (None, found) else "customers.strangers"
    if customer_id is None:
        return "customers.unopened" if conf.PROVISION_ON_OPEN else "customers.unknown"
    is_known = context.client.has_customer(customer_id, within=context.get_timeout(CALL_SECONDS))
    return "customers.aliases" if is_known else "customers.gone"


def _get_lookup_summary(lookups: Lookups, stop_reason: str, limit: int, total: int) -> Finding:
    failed = lookups[FAILED]
    if stop_reason:
        done = sum(map(len, lookups.values())) - len(failed)
        found = f"{done:,} of {format_count(total, 'customer')} looked up; then {stop_reason}."
        return skipped("customers.known", found)
    which, more = "all", ""
    if limit < total:
        which, more = f"the newest {limit:,} of {total:,}", "; --all looks at all"
    if failed:
        which += f" but {_format_keys(failed)}, since Alguna failed"
    customers = format_count(len(lookups[FOUND]), "customer")
    level = skipped if failed else ok
    return level("customers.known", f"{customers} as Alguna has them; looked up: {which}{more}.")


def _format_keys(keys: list[str]) -> str:
    return f"{format_count(len(keys), 'customer')} (pk {format_list(keys)})"
