"""Changes of a subscription, together with the events that tell of them; whoever makes them, they are told alike.

Alguna names both `subscription.updated` and `subscription.version.updated` and does not say which of them a change
of plan raises: here it raises both. What it raises when a subscription begins is as little known: `activated` and
`started` both say so.
"""

from datetime import datetime

from . import subscriptions
from .events import of_subscription
from .subscriptions import open_subscription
from .types import JSON, Plan, State


def subscribe(state: State, customer: JSON, plan: Plan, *, now: datetime) -> list[JSON]:
    """Subscribe a customer to a plan, beside whatever else runs; return the events."""
    begun = open_subscription(state, customer, plan, now=now)
    return [of_subscription(kind, begun, now=now) for kind in ("activated", "started")]


def change_plan(state: State, subscription: JSON, plan: Plan, *, now: datetime) -> list[JSON]:
    """Move a subscription to a plan; return the events, none where it is there already."""
    if subscription["plan_id"] == plan.id:
        return []
    changed = subscriptions.change_plan(state, subscription, plan, now=now)
    return [of_subscription(kind, changed, now=now) for kind in ("updated", "version.updated")]


def cancel(state: State, subscription: JSON, *, now: datetime) -> list[JSON]:
    """End a subscription at once; return the event, none where it has ended, which it stays."""
    if subscription["status"] == subscriptions.CANCELED:
        return []
    return [of_subscription("canceled", subscriptions.cancel(state, subscription, now=now), now=now)]
