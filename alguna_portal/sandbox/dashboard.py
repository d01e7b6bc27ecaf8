"""Changes that vendors make in Alguna's own dashboard, as functions; they send the same webhook events.

    from alguna_portal.sandbox import dashboard

    dashboard.change_plan("42", "plan_growth")
    dashboard.cancel("42")
    dashboard.subscribe("42", "plan_starter")

Customers are given by id or alias. If there is no such customer or plan, or no running subscription to change, the
functions raise LookupError and change nothing.
"""

from dataclasses import replace

from alguna_portal.sandbox.engine.subscriptions import (
    cancel_subscription,
    get_running_subscriptions,
    start_subscription,
    switch_plan,
)
from alguna_portal.sandbox.engine.types import JSON, ApiError, Plan, State, find_plan, utc_now
from alguna_portal.sandbox.engine.validation import Fields
from alguna_portal.sandbox.web.webhook_delivery import send_events

from .conf import conf
from .engine import customers
from .models import get_state, write_state


def add_customer(
    *,
    alias: str,
    name: str,
    currency: str = "USD",
    email: str = "",
    plan_id: str = "",
    plan_name: str = "",
    amount_cents: int | None = None,
) -> JSON:
    """Return the customer with an alias, unchanged, or create it like the API does. Sends no webhook events.

    The default plan is the first one in ALGUNA_SANDBOX_PLANS, which also has the default name and amount of a plan.
    The amount is the monthly price in the currency's minor unit. If the API would reject a value, raise
    `engine.types.ApiError`, whose message names the field.
    """
    contacts = [{"email": email, "is_primary": True}] if email else []
    fields = Fields({"name": name, "currency": currency, "aliases": [alias], "contacts": contacts})
    plan = find_plan(conf.plans, plan_id) or replace(conf.plans[0], id=plan_id or conf.plans[0].id)
    plan = replace(
        plan,
        name=plan_name or plan.name,
        amount_cents=plan.amount_cents if amount_cents is None else amount_cents,
    )
    with write_state() as state:
        existing = customers.find_by_alias(state, alias)
        return existing or customers.add_customer(state, fields, now=utc_now(), plan=plan)


def subscribe(customer: str, plan_id: str) -> None:
    """Subscribe a customer to a plan, in addition to existing subscriptions."""
    with write_state() as state:
        found = _get_customer(state, customer)
        send_events(state, start_subscription(state, found, _get_plan(plan_id), now=utc_now()))


def change_plan(customer: str, plan_id: str) -> None:
    """Move the newest running subscription to a plan; if it already has the plan, do nothing."""
    with write_state() as state:
        subscription = _get_newest_subscription(state, customer)
        send_events(state, switch_plan(state, subscription, _get_plan(plan_id), now=utc_now()))


def cancel(customer: str) -> None:
    """Cancel the newest running subscription immediately."""
    with write_state() as state:
        send_events(state, cancel_subscription(state, _get_newest_subscription(state, customer), now=utc_now()))


def plans_of(customer: str) -> list[str]:
    """Return the plan ids of the running subscriptions, the oldest subscription first."""
    state = get_state()
    return [str(each["plan_id"]) for each in get_running_subscriptions(state, _get_customer(state, customer)["id"])]


def _get_customer(state: State, ident: str) -> JSON:
    try:
        return customers.get_customer(state, ident)
    except ApiError as error:
        raise LookupError("The sandbox has no such customer. `dashboard.add_customer` adds one.") from error


def _get_newest_subscription(state: State, ident: str) -> JSON:
    subscriptions = get_running_subscriptions(state, _get_customer(state, ident)["id"])
    if not subscriptions:
        raise LookupError("The customer has no subscription that runs. `dashboard.subscribe` begins one.")
    return subscriptions[-1]


def _get_plan(plan_id: str) -> Plan:
    plan = find_plan(conf.plans, plan_id)
    if plan is None:
        known = ", ".join(plan.id for plan in conf.plans)
        raise LookupError(f"The sandbox has no plan {plan_id!r}, only {known}. ALGUNA_SANDBOX_PLANS says which it has.")
    return plan
