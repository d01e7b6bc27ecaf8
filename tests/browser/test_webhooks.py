"""The sandbox tells the example over HTTP what happens to plans, on a bad day; and Billing follows."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shell
from tests.browser.test_walk import press_billing, sign_in, stands_in_portal

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Loss is made up for by the command. The last change of each company is on a good day, for the walks after this one,
# whatever came of the bad one.
BAD_DAY = """
import random
from django.core.management import call_command
from alguna_portal.models import Customer, WebhookDelivery
from alguna_portal.sandbox import dashboard, delivering
from alguna_portal.sandbox.faults import Fault, read
from alguna_portal.sandbox.records import writing
from alguna_portal.sandbox.weather import change
from django.conf import settings

def weather(text):
    with writing() as state:
        change(state, read(text) if text else Fault())

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
    weather(bad)
    for _ in range(12):
        dashboard.change_plan(dice.choice(companies), dice.choice([*settings.ALGUNA_PORTAL_PLAN_IDS]))
    delivering.quiet(60, hurry=True)
    if {loss}:
        call_command("alguna_sync", verbosity=0)
    agreed = agree()
finally:
    weather("")
    for alias, plans in before.items():
        dashboard.change_plan(alias, plans[-1])
    delivering.quiet(60, hurry=True)
print(agreed, agree(), WebhookDelivery.objects.filter(tries__gt=0).exists())
"""
MOVE = """
from alguna_portal.sandbox import dashboard, delivering
dashboard.change_plan("company-1", "{plan_id}")
delivering.quiet(60, hurry=True)
"""


@pytest.mark.parametrize(("seed", "loss"), [(1, 0), (2, 0), (3, 0.3)])
def test_after_a_bad_day_the_plans_are_those_of_the_sandbox(demo_shell: Shell, seed: int, loss: float) -> None:
    """Duplicates, delays, another order; and loss, which the command makes up for."""
    assert demo_shell(BAD_DAY.format(seed=seed, loss=loss)).splitlines()[-1] == "True True True"


def test_billing_follows_a_change_of_plan(page: Page, demo: str, demo_shell: Shell) -> None:
    """A starter customer who was moved to enterprise can no longer cancel; and can again when moved back."""
    sign_in(page, demo, "Sam")
    try:
        demo_shell(MOVE.format(plan_id="plan_enterprise"))
        press_billing(page)
        stands_in_portal(page, "Riverbank Clay")
        expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    finally:
        demo_shell(MOVE.format(plan_id="plan_starter"))
    page.goto(demo + "/billing/")
    stands_in_portal(page, "Riverbank Clay")
    expect(page.get_by_role("button", name="Cancel subscription")).to_be_visible()
