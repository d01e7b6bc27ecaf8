"""What every new customer starts with, so that any portal has something to show."""

import secrets
from datetime import datetime, timedelta

from .plans import Plan
from .types import JSON, State, timestamp

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
