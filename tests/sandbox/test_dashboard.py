"""What the vendor does in Alguna's dashboard, and how a test follows it by hand."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import transaction
from standardwebhooks import Webhook

from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.dashboard import add_customer
from alguna_portal.sandbox.engine.events import Outbox
from alguna_portal.sandbox.engine.types import DEFAULT_PLANS
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.conftest import Door, link, text
from tests.sandbox.receiving import SECRET


class Inbox:
    """A receiver in the same thread; it verifies what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        verified = Webhook(SECRET).verify(body, {name.replace("svix", "webhook"): headers[name] for name in headers})
        self.got.append((verified["type"], verified["data"]["name"]))
        return 204


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def outbox(transactional_db: None, settings: Any, inbox: Inbox) -> Iterator[Outbox]:
    """What the sandbox has to tell, sent by hand; the customer 42 is there. Transactions are real ones."""
    settings.DEBUG = True
    settings.ALGUNA_SANDBOX_WEBHOOK_URL = "https://app.test/billing/webhook/"
    settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = SECRET
    add_customer(alias="42", name="Acme")
    with webhook_delivery.manual_delivery(inbox) as outbox:
        yield outbox


def test_a_life_of_subscriptions_is_told(outbox: Outbox, inbox: Inbox) -> None:
    """Each step by its events, and read again by whoever wants to compare."""
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
    assert inbox.got == [
        ("subscription.updated", "Growth"),
        ("subscription.version.updated", "Growth"),
        ("subscription.activated", "Enterprise"),
        ("subscription.started", "Enterprise"),
        ("subscription.canceled", "Enterprise"),
        ("subscription.canceled", "Growth"),
    ]


def test_a_transaction_that_is_rolled_back_tells_nothing(outbox: Outbox) -> None:
    """The change is undone, too."""
    with transaction.atomic():
        dashboard.cancel("42")
        transaction.set_rollback(True)
    assert outbox.waiting == []
    assert dashboard.plans_of("42") == ["plan_starter"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: dashboard.cancel("43"), "no such customer"),
        (lambda: dashboard.plans_of("43"), "no such customer"),
        (lambda: dashboard.subscribe("43", "plan_growth"), "no such customer"),
        (lambda: dashboard.change_plan("42", "growth"), "no plan 'growth', only plan_starter, plan_growth, plan_ent"),
        (lambda: dashboard.cancel("44"), "no subscription that runs"),
        (lambda: dashboard.change_plan("44", "plan_growth"), "no subscription that runs"),
    ],
)
def test_what_cannot_be_done_is_said(outbox: Outbox, change: Callable[[], object], said: str) -> None:
    """With the remedy, and nothing is told."""
    add_customer(alias="44", name="Gone")
    dashboard.cancel("44")
    outbox.discard_all()
    with pytest.raises(LookupError, match=said):
        change()
    assert outbox.waiting == []


@pytest.mark.parametrize("plans", [{}, [], "plan", {"plan_free": {"name": "Free"}}, {"plan_free": "Free"}])
def test_plans_that_cannot_be_read_are_reported(settings: Any, plans: object) -> None:
    """The sandbox goes on with its own."""
    assert "alguna_sandbox.E005" not in {message.id for message in run_checks()}
    settings.ALGUNA_SANDBOX_PLANS = plans
    assert "alguna_sandbox.E005" in {message.id for message in run_checks()}
    assert conf.plans == DEFAULT_PLANS


def test_the_plans_are_those_that_are_set(outbox: Outbox, settings: Any, door: Door) -> None:
    """For the dashboard, for new customers whoever makes them, and for what seeding leaves open."""
    settings.ALGUNA_SANDBOX_PLANS = {
        "plan_free": {"name": "Free", "amount_cents": 0},
        "plan_pro": {"name": "Pro", "amount_cents": 1900},
    }
    dashboard.change_plan("42", "plan_pro")
    assert dashboard.plans_of(door.customer()["id"]) == ["plan_free"]
    add_customer(alias="43", name="Seeded", plan_id="plan_pro")
    add_customer(alias="44", name="Seeded", plan_id="plan_old", plan_name="Old")
    assert dashboard.plans_of("44") == ["plan_old"]
    subscriptions = json.loads(door.ask("GET", "/subscriptions").content)["data"]
    assert [(each["name"], each["next_charge_cents"]) for each in subscriptions] == [
        ("Pro", 1900),
        ("Free", 0),
        ("Pro", 1900),
        ("Old", 0),
    ]
    choice = text(door.client.get(link(door.client.get(door.portal(door.customer())), "/plan")))
    assert "Pro" in choice
    assert "Growth" not in choice
