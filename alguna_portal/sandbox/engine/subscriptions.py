"""Subscriptions: listing, changing and cancelling them."""

import secrets
from datetime import datetime, timedelta

from .types import JSON, Answer, Call, Plan, State, timestamp
from .validation import page

# --- from alguna_portal.sandbox.engine.starter_account

MONTH = timedelta(days=30)
PAYMENT_TERM = timedelta(days=14)


def price_lines(plan: Plan) -> list[JSON]:
    """Return what a plan's price is made of."""
    return [
        {"description": f"{plan.name}, monthly fee", "quantity": 1, "unit_cents": plan.amount_cents},
        {"description": "Seats, the first 5 included", "quantity": 5, "unit_cents": 0},
    ]


def new_payment_method(now: datetime) -> JSON:
    """Return a card that stays valid for years."""
    return {
        "id": f"pm_{secrets.token_hex(8)}",
        "brand": "Visa",
        "last4": "4242",
        "expires": f"12/{now.year + 3}",
    }


def open_subscription(state: State, customer: JSON, plan: Plan, *, now: datetime) -> JSON:
    """Give a customer an active subscription to a plan; return it."""
    subscription_id = f"sub_{secrets.token_hex(8)}"
    subscription: JSON = {
        "id": subscription_id,
        "customer_id": customer["id"],
        "name": plan.name,
        "status": "active",
        "plan_id": plan.id,
        "currency": customer["currency"],
        "billing_interval": "monthly",
        "lines": price_lines(plan),
        "next_charge_cents": plan.amount_cents,
        "next_charge_on": (now + MONTH).date().isoformat(),
        "created_at": timestamp(now),
        "updated_at": timestamp(now),
    }
    state["subscriptions"][subscription_id] = subscription
    return subscription


def open_account(state: State, customer: JSON, plan: Plan, *, now: datetime) -> None:
    """Give a customer an active subscription and three invoices: one paid, one overdue, one issued."""
    open_subscription(state, customer, plan, now=now)
    for months_ago, status in ((2, "paid"), (1, "overdue"), (0, "issued")):
        issued = now - months_ago * MONTH
        invoice_id = f"inv_{secrets.token_hex(8)}"
        state["invoices"][invoice_id] = {
            "id": invoice_id,
            "customer_id": customer["id"],
            "number": f"INV-{customer['id'][-4:].upper()}-{3 - months_ago:04}",
            "status": status,
            "currency": customer["currency"],
            "lines": price_lines(plan),
            "total_cents": plan.amount_cents,
            "issued_on": issued.date().isoformat(),
            "due_on": (issued + PAYMENT_TERM).date().isoformat(),
        }


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
