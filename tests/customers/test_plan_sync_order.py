"""Plan synchronization with late, repeated, reordered and lost events: in the end all plans are Alguna's."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from django.test.utils import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from alguna_portal.api.client import AlgunaClient
from alguna_portal.customers.plan_sync import FetchedPlan, fetch_plan, next_sequence, store_plan, sync_plan
from alguna_portal.models import Customer, WebhookDelivery
from alguna_portal.sandbox.engine.customers import find_by_alias
from alguna_portal.sandbox.engine.subscriptions import get_running_subscriptions
from alguna_portal.testing import FakeAlguna, WebhookMessage

PLAN_IDS = {"plan_e": "enterprise", "plan_g": "growth", "plan_s": "starter"}
COMPANIES = ("acme", "umbrella")

companies = st.sampled_from(COMPANIES)
plans = st.sampled_from([*PLAN_IDS])


class Subscriptions(RuleBasedStateMachine):
    """A state machine: plans change in Alguna, and events arrive late, twice, in any order, in an outage, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.alguna = FakeAlguna(knows_everyone=False)
        self.client = Client()
        self.waiting: list[WebhookMessage] = []
        self.delivered: list[WebhookMessage] = []
        self.lost: set[str] = set()
        self.syncs: list[tuple[Customer, FetchedPlan, int]] = []
        self.on_request = ExitStack()
        self.on_request.enter_context(override_settings(**self.alguna.settings, ALGUNA_PORTAL_PLAN_IDS=PLAN_IDS))
        self.on_request.enter_context(self.alguna.under_requests())

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.on_request.close()
            Customer.objects.all().delete()
            WebhookDelivery.objects.all().delete()

    @initialize()
    def create_customers(self) -> None:
        """Create two customers on the starter plan; the second one's id isn't stored."""
        for alias in COMPANIES:
            customer_id = self.alguna.add_customer(alias, name=alias)
            known = {"customer_id": customer_id} if alias == "acme" else {}
            Customer.objects.create(alias=alias, name=alias, plan="starter", **known)
            self.change(alias, "plan_s")

    @rule(alias=companies, plan_id=plans)
    def change(self, alias: str, plan_id: str) -> None:
        self.change_in_alguna(lambda: self.alguna.change_plan(alias, plan_id))

    @rule(alias=companies, plan_id=plans)
    def subscribe(self, alias: str, plan_id: str) -> None:
        self.change_in_alguna(lambda: self.alguna.subscribe(alias, plan_id))

    @rule(alias=companies)
    def cancel(self, alias: str) -> None:
        self.change_in_alguna(lambda: self.alguna.cancel(alias))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), again=st.booleans(), in_outage=st.booleans())
    def deliver(self, data: Any, *, again: bool, in_outage: bool) -> None:
        """Deliver one of the waiting events. In an outage, the API call fails."""
        event = data.draw(st.sampled_from(self.waiting))
        if in_outage:
            self.alguna.fail(503)
        status = event.post(self.client).status_code
        self.alguna._failures.clear()
        # Reset the circuit breaker.
        caches["default"].clear()
        assert status in (204, 503)
        if status == 204 and not again:
            self.waiting.remove(event)
            self.delivered.append(event)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def replay(self, data: Any) -> None:
        """Deliver an event once more."""
        assert data.draw(st.sampled_from(self.delivered)).post(self.client).status_code == 204

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        """Lose an event."""
        event = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(event)
        self.lost.add(event.data["accountId"])

    @rule(alias=companies)
    def fetch(self, alias: str) -> None:
        """Fetch a plan, which `store` stores later."""
        customer = Customer.objects.get(alias=alias)
        sequence = next_sequence(customer)
        self.syncs.append((customer, fetch_plan(customer, AlgunaClient.from_settings()), sequence))

    @precondition(lambda self: self.syncs)
    @rule(data=st.data())
    def store(self, data: Any) -> None:
        self.store_one(data.draw(st.integers(0, len(self.syncs) - 1)))

    @rule()
    def settle(self) -> None:
        """Deliver and store everything, synchronize after lost events, and compare all plans."""
        while self.waiting:
            event = self.waiting.pop()
            assert event.post(self.client).status_code == 204
            self.delivered.append(event)
        while self.syncs:
            self.store_one(0)
        for customer in Customer.objects.all():
            if self.lost:
                sync_plan(customer)
            customer.refresh_from_db()
            assert customer.plan == self.get_expected_plan(customer.alias), customer.alias
        self.lost.clear()

    def change_in_alguna(self, change: Callable[[], None]) -> None:
        """Change something in Alguna, if possible, and let its events wait."""
        before = len(self.alguna.messages)
        try:
            change()
        except LookupError:
            return
        self.waiting += self.alguna.messages[before:]

    def store_one(self, number: int) -> None:
        customer, fetched, sequence = self.syncs.pop(number)
        store_plan(customer, fetched, sequence=sequence)

    def get_expected_plan(self, alias: str) -> str:
        state = self.alguna._state
        running = {each["plan_id"] for each in get_running_subscriptions(state, find_by_alias(state, alias)["id"])}  # type: ignore[index]
        return next((plan for plan_id, plan in PLAN_IDS.items() if plan_id in running), "")


@pytest.mark.django_db
@pytest.mark.slow
def test_plans_converge() -> None:
    limits = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Subscriptions, settings=limits)
