"""`alguna_portal.sandbox.dashboard`, and manual webhook delivery in tests."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import transaction

from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.dashboard import add_customer
from alguna_portal.sandbox.engine.events import Outbox
from alguna_portal.sandbox.engine.types import DEFAULT_PLANS, ApiError
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.conftest import SandboxClient, find_link, get_text
from tests.sandbox.webhook_receiver import SECRET, verify_message


class Inbox:
    """A transport that verifies and records messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        verified = verify_message(body, headers)
        self.messages.append((verified["type"], verified["data"]["name"]))
        return 204


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def outbox(transactional_db: None, settings: Any, inbox: Inbox) -> Iterator[Outbox]:
    """The manual outbox of the sandbox, with the customer 42."""
    settings.DEBUG = True
    settings.ALGUNA_SANDBOX_WEBHOOK_URL = "https://app.test/billing/webhook/"
    settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = SECRET
    add_customer(alias="42", name="Acme")
    with webhook_delivery.manual_delivery(inbox) as outbox:
        yield outbox


def test_each_change_sends_its_events(outbox: Outbox, inbox: Inbox) -> None:
    assert dashboard.plans_of("42") == ["plan_starter"]
    dashboard.change_plan("42", "plan_growth")
    dashboard.change_plan("42", "plan_growth")
    dashboard.subscribe("42", "plan_enterprise")
    assert dashboard.plans_of("42") == ["plan_growth", "plan_enterprise"]
    dashboard.cancel("42")
    assert dashboard.plans_of("42") == ["plan_growth"]
    dashboard.cancel("42")
    assert dashboard.plans_of("42") == []
    outbox.deliver_all()
    assert inbox.messages == [
        ("subscription.updated", "Growth"),
        ("subscription.version.updated", "Growth"),
        ("subscription.activated", "Enterprise"),
        ("subscription.started", "Enterprise"),
        ("subscription.canceled", "Enterprise"),
        ("subscription.canceled", "Growth"),
    ]


def test_rolled_back_change_sends_nothing(outbox: Outbox) -> None:
    with transaction.atomic():
        dashboard.cancel("42")
        transaction.set_rollback(True)
    assert outbox.waiting == []
    assert dashboard.plans_of("42") == ["plan_starter"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: dashboard.cancel("43"), "no such customer"),
        (lambda: dashboard.plans_of("43"), "no such customer"),
        (lambda: dashboard.subscribe("43", "plan_growth"), "no such customer"),
        (lambda: dashboard.change_plan("42", "growth"), "no plan 'growth', only plan_starter, plan_growth, plan_ent"),
        (lambda: dashboard.cancel("44"), "no subscription that runs"),
        (lambda: dashboard.change_plan("44", "plan_growth"), "no subscription that runs"),
    ],
)
def test_lookup_error_explains_what_is_missing(outbox: Outbox, change: Callable[[], object], message: str) -> None:
    """Nothing is sent."""
    add_customer(alias="44", name="Gone")
    dashboard.cancel("44")
    outbox.discard_all()
    with pytest.raises(LookupError, match=message):
        change()
    assert outbox.waiting == []


@pytest.mark.parametrize("plans", [{}, [], "plan", {"plan_free": {"name": "Free"}}, {"plan_free": "Free"}])
def test_invalid_plans_are_reported_and_replaced_by_the_default(settings: Any, plans: object) -> None:
    assert "alguna_sandbox.E005" not in {message.id for message in run_checks()}
    settings.ALGUNA_SANDBOX_PLANS = plans
    assert "alguna_sandbox.E005" in {message.id for message in run_checks()}
    assert conf.plans == DEFAULT_PLANS


def test_plans_are_a_setting(outbox: Outbox, settings: Any, sandbox: SandboxClient) -> None:
    """It applies to the dashboard, to new customers, to `add_customer` and to the portal."""
    settings.ALGUNA_SANDBOX_PLANS = {
        "plan_free": {"name": "Free", "amount_cents": 0},
        "plan_pro": {"name": "Pro", "amount_cents": 1900},
    }
    dashboard.change_plan("42", "plan_pro")
    assert dashboard.plans_of(sandbox.create_customer()["id"]) == ["plan_free"]
    add_customer(alias="43", name="Seeded", plan_id="plan_pro")
    add_customer(alias="44", name="Seeded", plan_id="plan_old", plan_name="Old")
    assert dashboard.plans_of("44") == ["plan_old"]
    plans = [(each["name"], each["next_charge_cents"]) for each in sandbox.get_data("/subscriptions")]
    assert plans == [("Pro", 1900), ("Free", 0), ("Pro", 1900), ("Old", 0)]
    choice = get_text(sandbox.client.get(find_link(sandbox.client.get(sandbox.create_portal()), "/plan")))
    assert "Pro" in choice
    assert "Growth" not in choice


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
