"""Subscriptions: the endpoint that lists them, changes with the webhook events that they raise, and starter records."""

import secrets
from datetime import datetime, timedelta

from .events import create_subscription_event
from .types import JSON, ApiCall, Plan, Response, State, format_timestamp
from .validation import paginate

CANCELED = "canceled"
MONTH = timedelta(days=30)
PAYMENT_TERM = timedelta(days=14)


def list_subscriptions(call: ApiCall) -> Response:
    """Handle GET /subscriptions."""
    query = call.request.query
    found = list(call.state["subscriptions"].values())
    if (customer_id := query.get("customer_id")) is not None:
        found = [subscription for subscription in found if subscription["customer_id"] == customer_id]
    if (statuses := query.get("status")) is not None:
        # Like the official SDK, clients can send several, separated by commas.
        found = [subscription for subscription in found if subscription["status"] in statuses.split(",")]
    return paginate(found, query)


def get_subscriptions(state: State, customer_id: str) -> list[JSON]:
    """Return a customer's subscriptions, the oldest first."""
    subscriptions = state["subscriptions"].values()
    return [subscription for subscription in subscriptions if subscription["customer_id"] == customer_id]


def get_running_subscriptions(state: State, customer_id: str) -> list[JSON]:
    """Return a customer's subscriptions that aren't cancelled, the oldest first."""
    return [each for each in get_subscriptions(state, customer_id) if each["status"] != CANCELED]


# Each change returns its webhook events. Alguna documents neither whether a change of plan raises
# `subscription.updated` or `subscription.version.updated`, nor what a new subscription raises: here, both.


def start_subscription(state: State, customer: JSON, plan: Plan, *, now: datetime) -> list[JSON]:
    """Subscribe a customer to a plan, in addition to existing subscriptions; return the events."""
    subscription = _add_subscription(state, customer, plan, now=now)
    return [create_subscription_event(kind, subscription, now=now) for kind in ("activated", "started")]


def switch_plan(state: State, subscription: JSON, plan: Plan, *, now: datetime) -> list[JSON]:
    """Move a subscription to a plan immediately; return the events, none if it already has the plan."""
    if subscription["plan_id"] == plan.id:
        return []
    subscription = _update_subscription(state, subscription, _get_plan_fields(plan), now=now)
    return [create_subscription_event(kind, subscription, now=now) for kind in ("updated", "version.updated")]


def cancel_subscription(state: State, subscription: JSON, *, now: datetime) -> list[JSON]:
    """Cancel a subscription immediately; return the event, none if it is already cancelled."""
    if subscription["status"] == CANCELED:
        return []
    changes = {"status": CANCELED, "next_charge_cents": None, "next_charge_on": None}
    subscription = _update_subscription(state, subscription, changes, now=now)
    return [create_subscription_event("canceled", subscription, now=now)]


def add_starter_records(state: State, customer: JSON, plan: Plan, *, now: datetime) -> None:
    """Give a new customer an active subscription and three invoices: paid, overdue and issued."""
    _add_subscription(state, customer, plan, now=now)
    for months_ago, status in ((2, "paid"), (1, "overdue"), (0, "issued")):
        issued = now - months_ago * MONTH
        invoice_id = f"inv_{secrets.token_hex(8)}"
        state["invoices"][invoice_id] = {
            "id": invoice_id,
            "customer_id": customer["id"],
            "number": f"INV-{customer['id'][-4:].upper()}-{3 - months_ago:04}",
            "status": status,
            "currency": customer["currency"],
            "lines": _create_price_lines(plan),
            "total_cents": plan.amount_cents,
            "issued_on": issued.date().isoformat(),
            "due_on": (issued + PAYMENT_TERM).date().isoformat(),
        }


def create_payment_method(now: datetime) -> JSON:
    """Return a test card that is valid for three years."""
    return {"id": f"pm_{secrets.token_hex(8)}", "brand": "Visa", "last4": "4242", "expires": f"12/{now.year + 3}"}


def _add_subscription(state: State, customer: JSON, plan: Plan, *, now: datetime) -> JSON:
    subscription: JSON = {
        "id": f"sub_{secrets.token_hex(8)}",
        "customer_id": customer["id"],
        "status": "active",
        "currency": customer["currency"],
        "billing_interval": "monthly",
        **_get_plan_fields(plan),
        "next_charge_on": (now + MONTH).date().isoformat(),
        "created_at": format_timestamp(now),
    }
    return _update_subscription(state, subscription, {}, now=now)


def _get_plan_fields(plan: Plan) -> JSON:
    return {
        "name": plan.name,
        "plan_id": plan.id,
        "lines": _create_price_lines(plan),
        "next_charge_cents": plan.amount_cents,
    }


def _create_price_lines(plan: Plan) -> list[JSON]:
    return [
        {"description": f"{plan.name}, monthly fee", "quantity": 1, "unit_cents": plan.amount_cents},
        {"description": "Seats, the first 5 included", "quantity": 5, "unit_cents": 0},
    ]


def _update_subscription(state: State, subscription: JSON, changes: JSON, *, now: datetime) -> JSON:
    subscription = {**subscription, **changes, "updated_at": format_timestamp(now)}
    state["subscriptions"][subscription["id"]] = subscription
    return subscription
