"""Plan synchronization: get a customer's subscriptions from Alguna, and set the local plan by `PLAN_IDS`.

An event only says when to call the API. Every synchronization takes a sequence number before its call, and a plan is
stored only if no plan with a higher number has been stored. So events can arrive late, twice and in any order.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import TYPE_CHECKING

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from alguna_portal.api import get_client
from alguna_portal.api.responses import Subscription
from alguna_portal.conf import conf
from alguna_portal.exceptions import CustomerUnknown
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer

from .provisioning import Provisioned, get_seconds_left, notify_provisioned, store_customer_id

if TYPE_CHECKING:
    from alguna_portal.api.client import AlgunaClient

logger = logging.getLogger(__name__)

# Statuses of subscriptions.
DRAFT, ACTIVE, CANCELED = "draft", "active", "canceled"


class Synced(StrEnum):
    """The result of `sync_plan`."""

    CHANGED = "changed"
    SAME = "unchanged"
    UNMAPPED = "not mapped"  # The active plan isn't in PLAN_IDS, so the local plan stays as it is.
    NOTHING = "nothing to learn"  # No subscription determines a plan, so the local plan stays as it is.
    OVERTAKEN = "overtaken"  # A later synchronization has stored its result already.


@dataclass(frozen=True, kw_only=True)
class FetchedPlan:
    """The plan that follows from Alguna's subscriptions: None if it's unknown, "" if all have ended."""

    plan: str | None
    plan_id: str = ""

    def compare(self, plan: str) -> Synced:
        """Return the result of storing this plan for a customer on another, or the same, plan."""
        if self.plan is None:
            return Synced.UNMAPPED if self.plan_id else Synced.NOTHING
        return Synced.SAME if self.plan == plan else Synced.CHANGED


def sync_plan(customer: Customer, *, within: float | None = None) -> Synced:
    """Get a customer's plan from Alguna, and store it in the row and on the object.

    All API calls together take at most `within` seconds (default: `TIME_BUDGET`). Raise an `AlgunaError` if the API
    call fails, and `Customer.DoesNotExist` if the row was deleted.
    """
    until = monotonic() + (conf.TIME_BUDGET if within is None else within)
    sequence = next_sequence(customer)
    return store_plan(customer, fetch_plan(customer, get_client(), until=until), sequence=sequence)


def next_sequence(customer: Customer) -> int:
    """Return a unique sequence number, higher than all before. Call it before `fetch_plan`."""
    using = router.db_for_write(Customer, instance=customer)
    row = Customer.objects.using(using).filter(pk=customer.pk)
    with transaction.atomic(using=using):
        row.update(plan_asked=F("plan_asked") + 1)
        return row.values_list("plan_asked", flat=True).get()


def fetch_plan(customer: Customer, client: "AlgunaClient", *, until: float | None = None) -> FetchedPlan:
    """Get a customer's plan from Alguna, without storing it.

    `until` is the deadline for all calls together, in the monotonic clock's time. Without it, each call has
    `TIME_BUDGET`, which starts when the client sends the request.
    """
    try:
        customer_id = customer.customer_id or client.find_customer(str(customer.alias), within=get_seconds_left(until))
        if customer_id:
            return get_plan_from_subscriptions(client.subscriptions(customer_id, within=get_seconds_left(until)))
    except CustomerUnknown:
        pass  # The customer was deleted in Alguna.
    return FetchedPlan(plan=None)


def get_plan_from_subscriptions(subscriptions: Sequence[Subscription]) -> FetchedPlan:
    """Return the plan that follows from a customer's subscriptions, which may be in any order.

    If several are active, the one whose plan comes first in `PLAN_IDS` counts. If none is active and all have ended,
    the customer has no plan. If one has another status, or all are drafts, the plan is unknown.
    """
    active = {each.plan_id for each in subscriptions if each.status == ACTIVE}
    for plan_id, plan in conf.PLAN_IDS.items():
        if plan_id in active:
            return FetchedPlan(plan=plan, plan_id=plan_id)
    if active:
        return FetchedPlan(plan=None, plan_id=min(active - {""}, default=""))
    statuses = {each.status for each in subscriptions} - {DRAFT}
    return FetchedPlan(plan="" if statuses == {CANCELED} else None)


def store_plan(customer: Customer, fetched: FetchedPlan, *, sequence: int) -> Synced:
    """Store a fetched plan in the row and on the object, unless one with a higher sequence number was stored."""
    using = router.db_for_write(Customer, instance=customer)
    rows = Customer.objects.using(using).filter(pk=customer.pk)
    before = rows.values_list("plan", flat=True).get()
    values = {"plan_id": fetched.plan_id} | ({} if fetched.plan is None else {"plan": fetched.plan})
    older = rows.filter(plan_stored__lt=sequence)
    if not older.update(**values, plan_stored=sequence, plan_synced_at=timezone.now()):
        return Synced.OVERTAKEN
    for name, value in values.items():
        setattr(customer, name, value)
    synced = fetched.compare(before)
    if synced is Synced.UNMAPPED:
        message = (
            "Customer %(customer)s: Alguna's plan %(plan_id)r is not in ALGUNA_PORTAL_PLAN_IDS. The plan here is left."
        )
        log_event(logger.warning, "plan_not_mapped", message, customer=customer.pk, plan_id=fetched.plan_id)
    elif synced is Synced.CHANGED:
        message = "Customer %(customer)s: the plan is now %(plan)r."
        log_event(logger.info, "plan_changed", message, customer=customer.pk, plan=fetched.plan)
    return synced


def match_customer(customer_id: str, *, within: float | None = None) -> Customer | None:
    """Return the local customer with an id from Alguna, or None.

    If no row has the id, get the customer's aliases from Alguna, and store the id if they match exactly one customer
    without an id. Raise an `AlgunaError` if this API call fails.
    """
    customers = Customer.objects.using(router.db_for_write(Customer))
    # Compared again in Python, here and below, because some databases ignore case and accents.
    known = customers.filter(customer_id=customer_id).first()
    if known and known.customer_id == customer_id:
        return known
    # The id becomes part of a URL path.
    if not re.fullmatch(r"[\w-]+", customer_id, re.ASCII):
        return None
    aliases = get_client().aliases(customer_id, within=within)
    found = [each for each in customers.filter(alias__in=aliases, customer_id=None) if each.alias in aliases]
    if len(found) != 1:
        return None
    notify_provisioned(found[0], store_customer_id(found[0], customer_id, Provisioned.ADOPTED))
    return found[0]
