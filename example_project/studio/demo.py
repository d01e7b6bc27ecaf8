"""The demo's companies and people, and descriptions of what people can do in Billing."""

from collections.abc import Sequence
from dataclasses import dataclass

from alguna_portal.models import Membership
from alguna_portal.roles import Role


@dataclass(frozen=True, kw_only=True)
class Company:
    """A company in the database and in the sandbox; the amount is its monthly price in the currency's minor unit."""

    alias: str
    name: str
    plan: str
    currency: str
    amount_cents: int

    @property
    def email(self) -> str:
        """Return the address for its invoices."""
        return f"billing@{self.alias}.example.com"

    @property
    def defaults(self) -> dict[str, str]:
        """Return the fields of its Customer, except the alias."""
        return {"name": self.name, "email": self.email, "currency": self.currency, "plan": self.plan}


RIVERBANK = Company(alias="company-1", name="Riverbank Clay", plan="starter", currency="USD", amount_cents=2900)
NORTHLIGHT = Company(alias="company-2", name="Northlight Pottery", plan="growth", currency="EUR", amount_cents=9900)
HARBOUR = Company(alias="company-3", name="Harbour Ceramics", plan="enterprise", currency="GBP", amount_cents=49000)
COMPANIES = [RIVERBANK, NORTHLIGHT, HARBOUR]
# It has no members and isn't in the sandbox, so that staff can try the admin's "Create in Alguna".
NEWCOMER = Company(alias="company-4", name="Foxglove Porcelain", plan="starter", currency="EUR", amount_cents=2900)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person to sign in as, with their roles."""

    username: str
    first_name: str
    last_name: str
    roles: Sequence[tuple[Company, Role]]


PEOPLE = [
    Person(username="sam", first_name="Sam", last_name="Rivera", roles=[(RIVERBANK, Role.MANAGER)]),
    Person(username="vera", first_name="Vera", last_name="Lindqvist", roles=[(RIVERBANK, Role.VIEWER)]),
    Person(username="gina", first_name="Gina", last_name="Moretti", roles=[(NORTHLIGHT, Role.MANAGER)]),
    Person(username="gil", first_name="Gil", last_name="Okafor", roles=[(NORTHLIGHT, Role.VIEWER)]),
    Person(username="erin", first_name="Erin", last_name="Walsh", roles=[(HARBOUR, Role.MANAGER)]),
    Person(username="evan", first_name="Evan", last_name="Brandt", roles=[(HARBOUR, Role.VIEWER)]),
    Person(
        username="toni",
        first_name="Toni",
        last_name="Adeyemi",
        roles=[(RIVERBANK, Role.MANAGER), (HARBOUR, Role.VIEWER)],
    ),
    Person(username="nora", first_name="Nora", last_name="Haddad", roles=[]),
]

MANAGER_PERMISSIONS = {
    "starter": "Everything, cancelling included.",
    "growth": "Everything, cancelling included.",
    "enterprise": "Everything but changing or cancelling the plan: that is in the contract.",
}


def describe_permissions(memberships: Sequence[Membership]) -> str:
    """Describe what a person with these memberships can do in Billing."""
    if not memberships:
        return "No Billing button anywhere; /billing/ itself says why."
    if len(memberships) > 1:
        return "Billing asks whose, then opens the portal in the role held there."
    membership = memberships[0]
    if membership.role == Role.VIEWER:
        return "Sees plan and invoices, and can change nothing."
    return MANAGER_PERMISSIONS.get(
        membership.customer.plan, "What the plan's settings say, as Alguna is asked for them."
    )
