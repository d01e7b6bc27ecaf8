"""The example in a browser: who presses Billing stands where their plan and role say."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shell
from tests.browser.keyboard import press, walk
from tests.browser.looking import look

# One worker serves the demo for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# What the demo began with, for the tests that come after one that cancels and turns auto-pay off.
AS_BEFORE = """
from alguna_portal.sandbox import dashboard
from alguna_portal.sandbox.engine.customers import get_customer
from alguna_portal.sandbox.engine.portal import Portal
from alguna_portal.sandbox.engine.types import utc_now
from alguna_portal.sandbox.web.store import write_state
from alguna_portal.sandbox.web.webhook_delivery import wait_until_delivered
with write_state() as state:
    Portal(state=state, customer=get_customer(state, "company-1"), settings={}, now=utc_now()).set_auto_pay(on=True)
if not dashboard.plans_of("company-1"):
    dashboard.subscribe("company-1", "plan_starter")
    wait_until_delivered(60, hurry=True)
"""


@pytest.fixture
def subscribed_again(demo_shell: Shell) -> Iterator[None]:
    """Subscribe the starter company anew when a test is over, and turn its auto-pay on."""
    yield
    demo_shell(AS_BEFORE)


def sign_in(page: Page, address: str, name: str) -> None:
    """Sign in with one click, as somebody of the demo."""
    page.goto(address)
    page.get_by_role("button", name=f"Sign in as {name}", exact=True).click()


def press_billing(page: Page) -> None:
    """Press the button in the header."""
    page.get_by_role("banner").get_by_role("link", name="Billing").click()


def stands_in_portal(page: Page, company: str) -> None:
    """Check that this is the hosted portal of the company, with its three sections."""
    expect(page).to_have_url(re.compile(r"/sandbox/hs/[\w-]+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(company)
    for section in ("Plan Overview", "Invoices", "Billing Information"):
        expect(page.get_by_role("heading", name=section)).to_be_visible()


@pytest.mark.usefixtures("subscribed_again")
def test_a_starter_manager_can_cancel(page: Page, demo: str) -> None:
    """The portal has a cancel button, and it works; auto-pay can be switched. The keyboard alone does it all."""
    page.goto(demo)
    look(page, "landing")
    assert walk(page)[0] == "a Skip to content"
    press(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Choose who you are")).to_be_focused()
    press(page, page.get_by_role("button", name="Sign in as Sam"), "Space")
    expect(page.get_by_role("status")).to_contain_text("You are signed in")
    look(page, "dashboard")
    walk(page)
    press(page, page.get_by_role("banner").get_by_role("link", name="Billing"))
    stands_in_portal(page, "Riverbank Clay")
    expect(page.get_by_role("link", name="Change plan")).to_be_visible()
    look(page, "portal-starter")
    walk(page)
    press(page, page.get_by_role("button", name="Turn off auto-pay"))
    expect(page.get_by_role("button", name="Turn on auto-pay")).to_be_visible()
    press(page, page.get_by_role("button", name="Cancel subscription"), "Space")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Cancel .*"))
    look(page, "portal-cancel")
    walk(page)
    press(page, page.get_by_role("button", name="Yes, cancel it"), "Space")
    expect(page.get_by_role("status")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    look(page, "portal-canceled")


def test_who_signs_in_on_the_way_gets_there(page: Page, demo: str) -> None:
    """A form, a redirect to Billing and one to another origin: under `form-action 'self'` that would be stopped."""
    page.goto(f"{demo.replace('//localhost:', '//127.0.0.1:')}/billing/")
    page.get_by_role("button", name="Sign in as Erin").click()
    stands_in_portal(page, "Harbour Ceramics")
    assert page.url.startswith(demo)


def test_an_enterprise_manager_can_neither_cancel_nor_change_the_plan(page: Page, demo: str) -> None:
    """Else they would go over to a plan that can be cancelled. The rest of what a manager may do is there."""
    sign_in(page, demo, "Erin")
    press_billing(page)
    stands_in_portal(page, "Harbour Ceramics")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    expect(page.get_by_role("link", name="Change plan")).to_have_count(0)
    expect(page.get_by_role("button", name="Turn off auto-pay")).to_be_visible()
    look(page, "portal-enterprise")


def test_a_viewer_only_looks(page: Page, demo: str) -> None:
    """Every section is there, and no button that changes anything."""
    sign_in(page, demo, "Vera")
    press_billing(page)
    stands_in_portal(page, "Riverbank Clay")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
    look(page, "portal-viewer")


def test_someone_in_two_companies_chooses(page: Page, demo: str) -> None:
    """A page names both companies and the role in each; by keyboard alone the choice opens the right portal."""
    sign_in(page, demo, "Toni")
    press_billing(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Whose billing would you like to open?")
    look(page, "choose")
    walk(page)
    press(page, page.get_by_role("link", name="Harbour Ceramics"))
    stands_in_portal(page, "Harbour Ceramics")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_someone_in_no_company_sees_no_button_and_is_helped(page: Page, demo: str) -> None:
    """Nothing invites them; who types the address learns what to do."""
    sign_in(page, demo, "Nora")
    expect(page.get_by_role("link", name="Billing")).to_have_count(0)
    look(page, "dashboard-nobody")
    answer = page.goto(f"{demo}/billing/")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("main")).to_contain_text("Ask a colleague who manages billing")
    look(page, "no-access")


def test_alguna_down_takes_nothing_else_down(page: Page, demo_without_alguna: str) -> None:
    """Billing says that it is away and whom to ask; the dashboard works as ever."""
    sign_in(page, demo_without_alguna, "Sam")
    with page.expect_response("**/billing/**") as answer:
        press_billing(page)
    assert answer.value.status == 503
    # Less where others met the outage before, and nobody asks Alguna for a while.
    assert 0 < int(answer.value.headers["retry-after"]) <= 30
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    expect(page.get_by_role("link", name="support@example.com")).to_be_visible()
    look(page, "unavailable")
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    page.goto(demo_without_alguna)
    expect(page.get_by_role("banner").get_by_role("link", name="Billing")).to_be_visible()
