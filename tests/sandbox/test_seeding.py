"""Customers for a demonstration."""

import json

import pytest

from alguna_portal.sandbox.dashboard import add_customer
from alguna_portal.sandbox.engine.types import ApiError
from tests.sandbox.conftest import Door


def test_a_seeded_customer_is_as_the_api_would_make_it(door: Door) -> None:
    """It is found by its alias, with its plan's subscription and a primary contact."""
    customer = add_customer(
        alias="acme",
        name="Acme Inc",
        currency="EUR",
        email="billing@acme.test",
        plan_name="Enterprise",
        plan_id="plan_enterprise",
        amount_cents=99900,
    )
    assert json.loads(door.ask("GET", "/customers/acme").content) == customer
    (contact,) = customer["contacts"]
    assert (contact["email"], contact["is_primary"]) == ("billing@acme.test", True)
    (subscription,) = json.loads(door.ask("GET", "/subscriptions").content)["data"]
    assert (subscription["name"], subscription["plan_id"]) == ("Enterprise", "plan_enterprise")
    assert (subscription["next_charge_cents"], subscription["currency"]) == (99900, "EUR")


def test_seeding_again_leaves_the_customer_untouched(door: Door) -> None:
    """What a person changed in between stays."""
    add_customer(alias="acme", name="Acme Inc")
    door.ask("PATCH", "/customers/acme", {"name": "Changed"})
    assert add_customer(alias="acme", name="Acme Inc", currency="EUR")["name"] == "Changed"
    assert len(json.loads(door.ask("GET", "/customers").content)["data"]) == 1


def test_without_an_email_address_there_is_no_contact(door: Door) -> None:
    """An empty address is none."""
    assert add_customer(alias="acme", name="Acme Inc")["contacts"] == []


def test_values_that_the_api_refuses_are_refused_here(door: Door) -> None:
    """The same rules hold, by the same code."""
    with pytest.raises(ApiError, match="currency"):
        add_customer(alias="acme", name="Acme Inc", currency="euro")
