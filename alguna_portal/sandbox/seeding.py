"""Customers for a demonstration, put there without a request."""

from .account import Plan
from .customers import STARTER, add, by_alias
from .engine import utc_now
from .fields import Fields
from .messages import JSON
from .records import writing


def add_customer(
    *,
    alias: str,
    name: str,
    currency: str = "USD",
    email: str = "",
    plan_name: str = STARTER.name,
    plan_id: str = STARTER.id,
    amount_cents: int = STARTER.amount_cents,
) -> JSON:
    """Return the customer that has the alias, untouched, or else a new one as the API would create it.

    The amount is what the plan costs a month, in the currency's minor unit. Raise `messages.ApiError`, which
    names the field, for values that the API would refuse.
    """
    contacts = [{"email": email, "is_primary": True}] if email else []
    fields = Fields({"name": name, "currency": currency, "aliases": [alias], "contacts": contacts})
    plan = Plan(name=plan_name, id=plan_id, amount_cents=amount_cents)
    with writing() as state:
        return by_alias(state, alias) or add(state, fields, now=utc_now(), plan=plan)
