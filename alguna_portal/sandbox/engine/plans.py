"""Plans: what a customer can be subscribed to."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan; the amount is in the currency's minor unit, a month."""

    id: str
    name: str
    amount_cents: int


# What the hosted portal lets a customer choose from, where nothing else is set. New customers get the first.
PLANS = (
    Plan(id="plan_starter", name="Starter", amount_cents=4900),
    Plan(id="plan_growth", name="Growth", amount_cents=14900),
    Plan(id="plan_enterprise", name="Enterprise", amount_cents=49900),
)


def by_id(plans: Sequence[Plan], plan_id: str) -> Plan | None:
    """Return the plan that has the id, None where none has."""
    return next((plan for plan in plans if plan.id == plan_id), None)
