"""What is done in Alguna's own dashboard, by the vendor and not in a customer's portal; it is told by webhook alike.

    from alguna_portal.sandbox import dashboard

    dashboard.change_plan("42", "plan_growth")
    dashboard.cancel("42")
    dashboard.subscribe("42", "plan_starter")

A customer is named by id or alias. Raise LookupError, and change nothing, where there is no such customer or plan, or
no subscription that could change.
"""

from dataclasses import replace

from alguna_portal.sandbox.engine.customers import add, by_alias, by_ident
from alguna_portal.sandbox.engine.engine import utc_now
from alguna_portal.sandbox.engine.subscriptions import all_running, running
from alguna_portal.sandbox.engine.types import JSON, ApiError, Plan, State, by_id
from alguna_portal.sandbox.engine.validation import Fields
from alguna_portal.sandbox.web.store import reading, writing
from alguna_portal.sandbox.web.webhook_delivery import announce

from .conf import conf
from .engine import changes

# --- from alguna_portal.sandbox.seeding


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
    """Return the customer that has the alias, untouched, or else a new one as the API would create it.

    Without a plan it is the first; what is not said of the plan is as ALGUNA_SANDBOX_PLANS has it. The amount is what
    it costs a month, in the currency's minor unit. Nothing is told by webhook. Raise `messages.ApiError`, which names
    the field, for values that the API would refuse.
    """
    contacts = [{"email": email, "is_primary": True}] if email else []
    fields = Fields({"name": name, "currency": currency, "aliases": [alias], "contacts": contacts})
    plan = by_id(conf.plans, plan_id) or replace(conf.plans[0], id=plan_id or conf.plans[0].id)
    plan = replace(
        plan,
        name=plan_name or plan.name,
        amount_cents=plan.amount_cents if amount_cents is None else amount_cents,
    )
    with writing() as state:
        return by_alias(state, alias) or add(state, fields, now=utc_now(), plan=plan)


def subscribe(customer: str, plan_id: str) -> None:
    """Subscribe a customer to a plan, beside whatever else runs."""
    with writing() as state:
        announce(state, changes.subscribe(state, _customer(state, customer), _plan(plan_id), now=utc_now()))


def change_plan(customer: str, plan_id: str) -> None:
    """Move the newest subscription that runs to a plan; where it is there already, do nothing."""
    with writing() as state:
        announce(state, changes.change_plan(state, _running(state, customer), _plan(plan_id), now=utc_now()))


def cancel(customer: str) -> None:
    """End the newest subscription that runs, at once."""
    with writing() as state:
        announce(state, changes.cancel(state, _running(state, customer), now=utc_now()))


def plans_of(customer: str) -> list[str]:
    """Return the ids of the plans whose subscriptions run, that of the oldest subscription first."""
    state = reading()
    return [str(each["plan_id"]) for each in all_running(state, _customer(state, customer)["id"])]


def _customer(state: State, ident: str) -> JSON:
    try:
        return by_ident(state, ident)
    except ApiError as error:
        raise LookupError("The sandbox has no such customer. `seeding.add_customer` adds one.") from error


def _running(state: State, ident: str) -> JSON:
    subscription = running(state, _customer(state, ident)["id"])
    if subscription is None:
        raise LookupError("The customer has no subscription that runs. `dashboard.subscribe` begins one.")
    return subscription


def _plan(plan_id: str) -> Plan:
    plan = by_id(conf.plans, plan_id)
    if plan is None:
        known = ", ".join(plan.id for plan in conf.plans)
        raise LookupError(f"The sandbox has no plan {plan_id!r}, only {known}. ALGUNA_SANDBOX_PLANS says which it has.")
    return plan
