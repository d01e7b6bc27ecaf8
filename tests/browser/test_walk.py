"""The example project in a browser: the button opens the portal that plan and role allow."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import Shell
from tests.browser.keyboard import press, walk

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Restores the demo's state for other tests after cancellation and auto-pay.
AS_BEFORE = """
from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.engine.customers import get_customer
from alguna_portal.sandbox.engine.portal import Portal
from alguna_portal.sandbox.engine.types import utc_now
from alguna_portal.sandbox.models import write_state
from alguna_portal.sandbox.web.webhook_delivery import wait_until_delivered
with write_state() as state:
    Portal(state=state, customer=get_customer(state, "company-1"), settings={}, now=utc_now()).set_auto_pay(on=True)
if not dashboard.plans_of("company-1"):
    dashboard.subscribe("company-1", "plan_starter")
    wait_until_delivered(60, hurry=True)
"""


@pytest.fixture
def subscribed_again(demo_shell: Shell) -> Iterator[None]:
    """After the test, subscribe the starter company again and turn on auto-pay."""
    yield
    demo_shell(AS_BEFORE)


def sign_in(page: Page, address: str, name: str) -> None:
    """Sign in as a person of the demo."""
    page.goto(address)
    page.get_by_role("button", name=f"Sign in as {name}", exact=True).click()


def press_billing(page: Page) -> None:
    """Press the button in the header."""
    page.get_by_role("banner").get_by_role("link", name="Billing").click()


def expect_portal(page: Page, company: str) -> None:
    """Check that the page is the hosted portal of a company, with its three sections."""
    expect(page).to_have_url(re.compile(r"/sandbox/hs/[\w-]+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(company)
    for section in ("Plan Overview", "Invoices", "Billing Information"):
        expect(page.get_by_role("heading", name=section)).to_be_visible()


@pytest.mark.usefixtures("subscribed_again")
def test_manager_on_starter_can_cancel_and_switch_auto_pay(page: Page, demo: str) -> None:
    """With the keyboard only."""
    page.goto(demo)
    check_page(page, "landing")
    assert walk(page)[0] == "a Skip to content"
    press(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Choose who you are")).to_be_focused()
    press(page, page.get_by_role("button", name="Sign in as Sam"), "Space")
    expect(page.get_by_role("status")).to_contain_text("You are signed in")
    check_page(page, "dashboard")
    walk(page)
    press(page, page.get_by_role("banner").get_by_role("link", name="Billing"))
    expect_portal(page, "Riverbank Clay")
    expect(page.get_by_role("link", name="Change plan")).to_be_visible()
    check_page(page, "portal-starter")
    walk(page)
    press(page, page.get_by_role("button", name="Turn off auto-pay"))
    expect(page.get_by_role("button", name="Turn on auto-pay")).to_be_visible()
    press(page, page.get_by_role("button", name="Cancel subscription"), "Space")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Cancel .*"))
    check_page(page, "portal-cancel")
    walk(page)
    press(page, page.get_by_role("button", name="Yes, cancel it"), "Space")
    expect(page.get_by_role("status")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    check_page(page, "portal-canceled")


def test_sign_in_redirects_to_the_portal(page: Page, demo: str) -> None:
    """`form-action 'self'` would block a redirect from the form to another origin."""
    page.goto(f"{demo.replace('//localhost:', '//127.0.0.1:')}/billing/")
    page.get_by_role("button", name="Sign in as Erin").click()
    expect_portal(page, "Harbour Ceramics")
    assert page.url.startswith(demo)


def test_manager_on_enterprise_can_neither_cancel_nor_change_the_plan(page: Page, demo: str) -> None:
    sign_in(page, demo, "Erin")
    press_billing(page)
    expect_portal(page, "Harbour Ceramics")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    expect(page.get_by_role("link", name="Change plan")).to_have_count(0)
    expect(page.get_by_role("button", name="Turn off auto-pay")).to_be_visible()
    check_page(page, "portal-enterprise")


def test_viewer_sees_all_sections_without_buttons(page: Page, demo: str) -> None:
    sign_in(page, demo, "Vera")
    press_billing(page)
    expect_portal(page, "Riverbank Clay")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
    check_page(page, "portal-viewer")


def test_user_with_two_companies_chooses_one(page: Page, demo: str) -> None:
    """With the keyboard only."""
    sign_in(page, demo, "Toni")
    press_billing(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Whose billing would you like to open?")
    check_page(page, "choose")
    walk(page)
    press(page, page.get_by_role("link", name="Harbour Ceramics"))
    expect_portal(page, "Harbour Ceramics")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_user_without_company_sees_no_button_and_a_help_page(page: Page, demo: str) -> None:
    sign_in(page, demo, "Nora")
    expect(page.get_by_role("link", name="Billing")).to_have_count(0)
    check_page(page, "dashboard-nobody")
    answer = page.goto(f"{demo}/billing/")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("main")).to_contain_text("Ask a colleague who manages billing")
    check_page(page, "no-access")


def test_other_pages_work_if_alguna_is_down(page: Page, demo_without_alguna: str) -> None:
    sign_in(page, demo_without_alguna, "Sam")
    with page.expect_response("**/billing/**") as answer:
        press_billing(page)
    assert answer.value.status == 503
    # Less than 30 if another test has opened the circuit breaker before.
    assert 0 < int(answer.value.headers["retry-after"]) <= 30
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    expect(page.get_by_role("link", name="support@example.com")).to_be_visible()
    check_page(page, "unavailable")
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    page.goto(demo_without_alguna)
    expect(page.get_by_role("banner").get_by_role("link", name="Billing")).to_be_visible()
