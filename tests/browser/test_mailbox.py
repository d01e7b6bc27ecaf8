"""The demo's mailbox in a browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import SCREENSHOTS, Mail
from tests.browser.keyboard import press, reach, walk
from tests.browser.test_admin import enter_admin
from tests.browser.test_walk import expect_portal

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NOTE = "Your card expired on Friday.\nCould you add a new one before the firing on Sunday?"


def test_link_is_sent_from_the_admin_and_opened_from_the_mailbox(page: Page, demo: str) -> None:
    """With the keyboard only."""
    enter_admin(page, demo)
    page.goto(f"{demo}/admin/alguna_portal/customer/")
    reach(page, page.get_by_label("Action:"))
    page.keyboard.type("Send")
    press(page, page.get_by_role("row", name=re.compile("Northlight Pottery")).get_by_role("checkbox"), "Space")
    press(page, page.get_by_role("button", name="Go", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text("Send portal link")
    reach(page, page.get_by_role("radio", checked=True))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=re.compile("viewer", re.IGNORECASE))).to_be_checked()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name=re.compile("manager", re.IGNORECASE))).to_be_checked()
    reach(page, page.get_by_label("Note"))
    page.keyboard.type(NOTE)
    check_page(page, "admin-send")
    walk(page, "#content-main")
    press(page, page.get_by_role("button", name="Send portal link"))
    expect(page.locator(".messagelist")).to_contain_text("1 portal link sent.")
    check_page(page, "admin-sent", ".messagelist")
    press(page, page.get_by_role("link", name="Mailbox"))
    check_page(page, "mailbox")
    press(page, page.get_by_role("link", name="Northlight Pottery").first)
    expect(page.locator("pre")).to_contain_text("firing on Sunday?")
    check_page(page, "mail")
    reach(page, page.get_by_role("link", name="On a page of its own"))
    page.keyboard.press("Tab")
    press(page, page.frame_locator("iframe").get_by_role("link", name="Open billing"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing of Northlight Pottery")
    check_page(page, "link")
    walk(page)
    press(page, page.get_by_role("button", name="Open billing"), "Space")
    expect_portal(page, "Northlight Pottery")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_email_is_readable_on_all_screens(browser: Browser, demo: str, mailed: Mail, scheme: str) -> None:
    """Without horizontal scrolling."""
    mailed(note=NOTE)
    SCREENSHOTS.mkdir(exist_ok=True)
    # The email's own page blocks scripts of the test, too, so the test uses the document with the frame.
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{demo}/demo/mail/")
    page.get_by_role("link", name="Northlight Pottery").first.click()
    page.get_by_role("link", name="On a page of its own").click()
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        expect(page.get_by_text("firing on Sunday?")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"mail-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Open billing").click()
    expect(page).to_have_url(re.compile("/billing/link/"))
    context.close()
