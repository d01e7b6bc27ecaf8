"""`dashboard.add_customer`."""

import json

import pytest

from alguna_portal.sandbox.dashboard import add_customer
from alguna_portal.sandbox.engine.types import ApiError
from tests.sandbox.conftest import SandboxClient


def test_customer_is_like_one_that_the_api_creates(sandbox: SandboxClient) -> None:
    customer = add_customer(
        alias="acme",
        name="Acme Inc",
        currency="EUR",
        email="billing@acme.test",
        plan_name="Enterprise",
        plan_id="plan_enterprise",
        amount_cents=99900,
    )
    assert json.loads(sandbox.request("GET", "/customers/acme").content) == customer
    (contact,) = customer["contacts"]
    assert (contact["email"], contact["is_primary"]) == ("billing@acme.test", True)
    (subscription,) = sandbox.get_data("/subscriptions")
    assert (subscription["name"], subscription["plan_id"]) == ("Enterprise", "plan_enterprise")
    assert (subscription["next_charge_cents"], subscription["currency"]) == (99900, "EUR")


def test_existing_customer_is_not_changed(sandbox: SandboxClient) -> None:
    add_customer(alias="acme", name="Acme Inc")
    sandbox.request("PATCH", "/customers/acme", {"name": "Changed"})
    assert add_customer(alias="acme", name="Acme Inc", currency="EUR")["name"] == "Changed"
    assert len(sandbox.get_data("/customers")) == 1


def test_no_contact_is_created_without_an_email_address(sandbox: SandboxClient) -> None:
    assert add_customer(alias="acme", name="Acme Inc")["contacts"] == []


def test_values_are_validated_like_in_the_api(sandbox: SandboxClient) -> None:
    with pytest.raises(ApiError, match="currency"):
        add_customer(alias="acme", name="Acme Inc", currency="euro")
