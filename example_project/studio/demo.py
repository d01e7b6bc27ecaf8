"""The demo's companies and people, and what each of them may expect behind Billing."""

from collections.abc import Sequence
from dataclasses import dataclass

from alguna_portal.models import Membership
from alguna_portal.roles import Role


@dataclass(frozen=True, kw_only=True)
class Company:
    """A company as it is put into both the database and the sandbox; it pays in its currency's minor unit a month."""

    alias: str
    name: str
    plan: str
    currency: str
    amount_cents: int

    @property
    def email(self) -> str:
        """Where its bills would go."""
        return f"billing@{self.alias}.example.com"

    @property
    def facts(self) -> dict[str, str]:
        """What its row holds beside the alias."""
        return {"name": self.name, "email": self.email, "currency": self.currency, "plan": self.plan}


RIVERBANK = Company(alias="company-1", name="Riverbank Clay", plan="starter", currency="USD", amount_cents=2900)
NORTHLIGHT = Company(alias="company-2", name="Northlight Pottery", plan="growth", currency="EUR", amount_cents=9900)
HARBOUR = Company(alias="company-3", name="Harbour Ceramics", plan="enterprise", currency="GBP", amount_cents=49000)
COMPANIES = [RIVERBANK, NORTHLIGHT, HARBOUR]
# Nobody is in it, and the sandbox has not heard of it: something for the admin's "Create in Alguna".
NEWCOMER = Company(alias="company-4", name="Foxglove Porcelain", plan="starter", currency="EUR", amount_cents=2900)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone to sign in as, and their roles."""

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

OF_A_MANAGER = {
    "starter": "Everything, cancelling included.",
    "growth": "Everything, cancelling included.",
    "enterprise": "Everything but changing or cancelling the plan: that is in the contract.",
}


def expectation(memberships: Sequence[Membership]) -> str:
    """Say what a person will meet in Billing, by the plans and roles as they are now."""
    if not memberships:
        return "No Billing button anywhere; /billing/ itself says why."
    if len(memberships) > 1:
        return "Billing asks whose, then opens the portal in the role held there."
    only = memberships[0]
    if only.role == Role.VIEWER:
        return "Sees plan and invoices, and can change nothing."
    return OF_A_MANAGER.get(only.customer.plan, "What the plan's settings say, as Alguna is asked for them.")
