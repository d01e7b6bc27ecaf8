"""The example in a browser: who presses Billing stands where their plan and role say."""

import re
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import SCREENSHOTS

# One worker serves the demo for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def look(page: Page, name: str) -> None:
    """Keep a picture of the page, and let nothing of it shut anybody out or need sideways scrolling."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.wait_for_load_state("load")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    for scheme in SCHEMES:
        show(page, scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}, {scheme}: {found.generate_report()}"
    page.emulate_media(color_scheme="light")
    wide = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, f"{name} scrolls sideways"
    page.screenshot(path=SCREENSHOTS / f"{name}-320.png", full_page=True)
    if wide:
        page.set_viewport_size(wide)


def show(page: Page, scheme: Literal["light", "dark"]) -> None:
    """Show the page in a colour scheme, and wait until its colours have faded into it."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")


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


def test_a_starter_manager_can_cancel(page: Page, demo: str) -> None:
    """The portal has a cancel button, and it works; auto-pay can be switched."""
    page.goto(demo)
    look(page, "landing")
    sign_in(page, demo, "Sam")
    look(page, "dashboard")
    press_billing(page)
    stands_in_portal(page, "Riverbank Clay")
    look(page, "portal-starter")
    page.get_by_role("button", name="Turn off auto-pay").click()
    expect(page.get_by_role("button", name="Turn on auto-pay")).to_be_visible()
    page.get_by_role("button", name="Cancel subscription").click()
    look(page, "portal-cancel")
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("status")).to_contain_text("canceled")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    look(page, "portal-canceled")
    page.get_by_role("link", name="Open invoice").first.click()
    look(page, "portal-invoice")


def test_an_enterprise_manager_cannot_cancel(page: Page, demo: str) -> None:
    """The cancel button is gone; the rest of what a manager may do is there."""
    sign_in(page, demo, "Erin")
    press_billing(page)
    stands_in_portal(page, "Harbour Ceramics")
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
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
    look(page, "chooser")
    page.get_by_role("link", name="Harbour Ceramics").focus()
    page.keyboard.press("Enter")
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
    assert answer.value.headers["retry-after"] == "30"
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    expect(page.get_by_role("link", name="support@example.com")).to_be_visible()
    look(page, "unavailable")
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now")
    page.goto(demo_without_alguna)
    expect(page.get_by_role("banner").get_by_role("link", name="Billing")).to_be_visible()
