"""Subscriptions: listing, changing and cancelling them."""

from datetime import datetime

from .pagination import page
from .plans import Plan
from .starter_account import price_lines
from .types import JSON, Answer, Call, State, timestamp

CANCELED = "canceled"


def of_customer(state: State, customer_id: str) -> list[JSON]:
    """Return a customer's subscriptions, the oldest first."""
    every = state["subscriptions"].values()
    return [subscription for subscription in every if subscription["customer_id"] == customer_id]


def all_running(state: State, customer_id: str) -> list[JSON]:
    """Return those of a customer's subscriptions that have not ended, the oldest first."""
    return [subscription for subscription in of_customer(state, customer_id) if subscription["status"] != CANCELED]


def running(state: State, customer_id: str) -> JSON | None:
    """Return the newest of them, None where all have ended."""
    return next(reversed(all_running(state, customer_id)), None)


def search(call: Call) -> Answer:
    """Answer GET /subscriptions."""
    query = call.request.query
    found = list(call.state["subscriptions"].values())
    if (customer_id := query.get("customer_id")) is not None:
        found = [subscription for subscription in found if subscription["customer_id"] == customer_id]
    if (statuses := query.get("status")) is not None:
        # Several may be given, with commas between them; the official SDK does.
        found = [subscription for subscription in found if subscription["status"] in statuses.split(",")]
    return page(found, query)


def cancel(state: State, subscription: JSON, *, now: datetime) -> JSON:
    """End a subscription at once; it is charged no more. Return it as it is then."""
    changed = {"status": CANCELED, "next_charge_cents": None, "next_charge_on": None}
    return _changed(state, subscription, changed, now=now)


def change_plan(state: State, subscription: JSON, plan: Plan, *, now: datetime) -> JSON:
    """Move a subscription to another plan from now on. Return it as it is then."""
    changed = {
        "name": plan.name,
        "plan_id": plan.id,
        "lines": price_lines(plan),
        "next_charge_cents": plan.amount_cents,
    }
    return _changed(state, subscription, changed, now=now)


def _changed(state: State, subscription: JSON, changed: JSON, *, now: datetime) -> JSON:
    subscription = {**subscription, **changed, "updated_at": timestamp(now)}
    state["subscriptions"][subscription["id"]] = subscription
    return subscription
