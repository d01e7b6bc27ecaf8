"""The sandbox sends webhooks about plans to the example, with simulated delivery faults, and Billing follows."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shell
from tests.browser.test_walk import expect_portal, press_billing, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# The command corrects the plans after lost messages. At the end, the plans are restored without faults for the other
# tests, even if this one fails.
CHANGES_WITH_FAULTS = """
import random
from django.core.management import call_command
from alguna_portal.models import Customer, WebhookDelivery
from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.engine.faults import Fault, parse_fault, set_fault
from alguna_portal.sandbox.models import write_state
from alguna_portal.sandbox.web.webhook_delivery import wait_until_delivered
from django.conf import settings

def simulate(text):
    with write_state() as state:
        set_fault(state, parse_fault(text) if text else Fault())

def agree():
    plans = settings.ALGUNA_PORTAL_PLAN_IDS
    for customer in Customer.objects.filter(alias__in=companies):
        customer.refresh_from_db()
        running = {{plans[each] for each in dashboard.plans_of(customer.alias)}}
        if customer.plan not in (running or {{""}}):
            return False
    return True

companies = ["company-1", "company-3"]
before = {{alias: dashboard.plans_of(alias) for alias in companies}}
dice = random.Random({seed})
bad = "webhook-duplicate=0.5; webhook-delay=0.5; webhook-reorder=0.4; webhook-loss={loss}; webhook-seed={seed}"
try:
    simulate(bad)
    for _ in range(12):
        dashboard.change_plan(dice.choice(companies), dice.choice([*settings.ALGUNA_PORTAL_PLAN_IDS]))
    wait_until_delivered(60, hurry=True)
    if {loss}:
        call_command("alguna_sync", verbosity=0)
    agreed = agree()
finally:
    simulate("")
    for alias, plans in before.items():
        dashboard.change_plan(alias, plans[-1])
    wait_until_delivered(60, hurry=True)
print(agreed, agree(), WebhookDelivery.objects.filter(tries__gt=0).exists())
"""
MOVE = """
from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.web.webhook_delivery import wait_until_delivered
dashboard.change_plan("company-1", "{plan_id}")
wait_until_delivered(60, hurry=True)
"""


@pytest.mark.parametrize(("seed", "loss"), [(1, 0), (2, 0), (3, 0.3)])
def test_plans_agree_with_the_sandbox_after_delivery_faults(demo_shell: Shell, seed: int, loss: float) -> None:
    """With duplicates, delays and another order, and with lost messages followed by `alguna_sync`."""
    assert demo_shell(CHANGES_WITH_FAULTS.format(seed=seed, loss=loss)).splitlines()[-1] == "True True True"


def test_billing_follows_a_change_of_plan(page: Page, demo: str, demo_shell: Shell) -> None:
    sign_in(page, demo, "Sam")
    try:
        demo_shell(MOVE.format(plan_id="plan_enterprise"))
        press_billing(page)
        expect_portal(page, "Riverbank Clay")
        expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    finally:
        demo_shell(MOVE.format(plan_id="plan_starter"))
    page.goto(demo + "/billing/")
    expect_portal(page, "Riverbank Clay")
    expect(page.get_by_role("button", name="Cancel subscription")).to_be_visible()
