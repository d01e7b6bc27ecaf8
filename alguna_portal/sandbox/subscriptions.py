"""Subscriptions: listing and cancelling them."""

from datetime import datetime

from .messages import JSON, Answer, Call, State, timestamp
from .pagination import page


def of_customer(state: State, customer_id: str) -> list[JSON]:
    """Return a customer's subscriptions, the oldest first."""
    every = state["subscriptions"].values()
    return [subscription for subscription in every if subscription["customer_id"] == customer_id]


def search(call: Call) -> Answer:
    """Answer GET /subscriptions."""
    query = call.request.query
    found = list(call.state["subscriptions"].values())
    for name in ("customer_id", "status"):
        if (wanted := query.get(name)) is not None:
            found = [subscription for subscription in found if subscription[name] == wanted]
    return page(found, query)


def cancel(state: State, subscription: JSON, *, now: datetime) -> None:
    """End a subscription at once; it is charged no more."""
    state["subscriptions"][subscription["id"]] = {
        **subscription,
        "status": "canceled",
        "next_charge_cents": None,
        "next_charge_on": None,
        "updated_at": timestamp(now),
    }
