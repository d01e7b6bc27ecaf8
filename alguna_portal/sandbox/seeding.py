"""Customers for a demonstration, put there without a request. What happens to them later is dashboard.py's."""

from dataclasses import replace

from alguna_portal.sandbox.engine.customers import add, by_alias
from alguna_portal.sandbox.engine.engine import utc_now
from alguna_portal.sandbox.engine.plans import by_id
from alguna_portal.sandbox.engine.types import JSON
from alguna_portal.sandbox.engine.validation import Fields
from alguna_portal.sandbox.web.store import writing

from .conf import conf


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
