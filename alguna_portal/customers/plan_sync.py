"""Plans as Alguna has them: its subscriptions are asked for, its plan ids mapped, and the local plan set.

An event only says when to ask. Whoever asks takes a number before, and what was learned is stored unless somebody
with a higher number was faster: they asked later, and know better. So events may come late, twice and in any order.
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

from .provisioning import Provisioned, notify_provisioned, store_customer_id

if TYPE_CHECKING:
    from alguna_portal.api.client import AlgunaClient

logger = logging.getLogger(__name__)

ACTIVE = "active"
# What says nothing of a plan: not begun, or over.
NOT_BEGUN, OVER = "draft", "canceled"


class Synced(StrEnum):
    """What came of it."""

    CHANGED = "changed"
    SAME = "unchanged"
    UNMAPPED = "not mapped"  # the active plan is not in PLAN_IDS; the plan is left
    NOTHING = "nothing to learn"  # no subscription that says anything; the plan is left
    OVERTAKEN = "overtaken"  # somebody who asked later has stored what they learned


@dataclass(frozen=True, kw_only=True)
class FetchedPlan:
    """What Alguna's subscriptions say of a plan. `plan` is None where they do not say, and "" where all are over."""

    plan: str | None
    plan_id: str = ""

    @property
    def is_unmapped(self) -> bool:
        """Say whether there is an active plan that the settings do not know."""
        return self.plan is None and self.plan_id != ""


def sync_plan(customer: Customer, *, within: float | None = None) -> Synced:
    """Ask Alguna for a customer's subscriptions, and set the plan that follows from them, also on the object at hand.

    All calls together end `within` so many seconds, or else `TIME_BUDGET`. Raise an `AlgunaError` where Alguna cannot
    be asked, and `Customer.DoesNotExist` for a row that is gone.
    """
    until = monotonic() + (conf.TIME_BUDGET if within is None else within)
    number = next_sequence(customer)
    learned = fetch_plan(customer, get_client(), until=until)
    return store_plan(customer, learned, number=number)


def next_sequence(customer: Customer) -> int:
    """Return a number that nobody else has, higher than all before it. Take it before Alguna is asked."""
    using = router.db_for_write(Customer, instance=customer)
    row = Customer.objects.using(using).filter(pk=customer.pk)
    with transaction.atomic(using=using):
        row.update(plan_asked=F("plan_asked") + 1)
        return row.values_list("plan_asked", flat=True).get()


def fetch_plan(customer: Customer, client: "AlgunaClient", *, until: float | None = None) -> FetchedPlan:
    """Ask Alguna, and store nothing.

    `until`, by the monotonic clock, bounds all calls together. Without it each has its own time, which begins, for a
    client that waits for its turn, when that has come.
    """

    def left() -> float | None:
        return None if until is None else until - monotonic()

    try:
        customer_id = customer.customer_id or client.find_customer(str(customer.alias), within=left())
        if customer_id:
            return get_plan_from_subscriptions(client.subscriptions(customer_id, within=left()))
    except CustomerUnknown:
        # Deleted there: what the plan should be is for nobody there to say.
        pass
    return FetchedPlan(plan=None)


def get_plan_from_subscriptions(subscriptions: Sequence[Subscription]) -> FetchedPlan:
    """Say which plan follows from a customer's subscriptions, in whatever order they come.

    Of several active ones, the first in `PLAN_IDS` counts. Where none is active, and the others are over, there is no
    plan any more; where one is in a state that nobody has heard of, or none was ever begun, nothing is known.
    """
    active = {each.plan_id for each in subscriptions if each.status == ACTIVE}
    for plan_id, plan in conf.PLAN_IDS.items():
        if plan_id in active:
            return FetchedPlan(plan=plan, plan_id=plan_id)
    if active:
        return FetchedPlan(plan=None, plan_id=min(active - {""}, default=""))
    statuses = {each.status for each in subscriptions} - {NOT_BEGUN}
    return FetchedPlan(plan="" if statuses == {OVER} else None)


def store_plan(customer: Customer, learned: FetchedPlan, *, number: int) -> Synced:
    """Store what was learned under a number, unless a higher one has been there."""
    using = router.db_for_write(Customer, instance=customer)
    rows = Customer.objects.using(using).filter(pk=customer.pk)
    before = rows.values_list("plan", flat=True).get()
    news = {"plan_id": learned.plan_id} | ({} if learned.plan is None else {"plan": learned.plan})
    if not rows.filter(plan_stored__lt=number).update(**news, plan_stored=number, plan_synced_at=timezone.now()):
        return Synced.OVERTAKEN
    for name, value in news.items():
        setattr(customer, name, value)
    if learned.is_unmapped:
        message = (
            "Customer %(customer)s: Alguna's plan %(plan_id)r is not in ALGUNA_PORTAL_PLAN_IDS. The plan here is left."
        )
        log_event(logger.warning, "plan_not_mapped", message, customer=customer.pk, plan_id=learned.plan_id)
        return Synced.UNMAPPED
    if learned.plan is None:
        return Synced.NOTHING
    if learned.plan == before:
        return Synced.SAME
    message = "Customer %(customer)s: the plan is now %(plan)r."
    log_event(logger.info, "plan_changed", message, customer=customer.pk, plan=learned.plan)
    return Synced.CHANGED


def match_customer(customer_id: str, *, within: float | None = None) -> Customer | None:
    """Find the customer of an id of Alguna's; one whose id is not known yet by the aliases that Alguna has for it.

    Raise an `AlgunaError` where Alguna cannot be asked for these.
    """
    using = router.db_for_write(Customer)
    everybody = Customer.objects.using(using)
    # Compared again here and below: some databases take capitals and accents for the same.
    known = everybody.filter(customer_id=customer_id).first()
    if known and known.customer_id == customer_id:
        return known
    # It goes into a path.
    if not re.fullmatch(r"[\w-]+", customer_id, re.ASCII):
        return None
    aliases = get_client().aliases(customer_id, within=within)
    found = [each for each in everybody.filter(alias__in=aliases, customer_id=None) if each.alias in aliases]
    if len(found) != 1:
        return None
    notify_provisioned(found[0], store_customer_id(found[0], customer_id, Provisioned.ADOPTED))
    return found[0]
