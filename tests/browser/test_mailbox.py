"""From the admin's action through the mail, as the demo's mailbox shows it, to the portal."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import SCREENSHOTS, Mail
from .test_admin import enter_admin, look_at
from .test_walk import look, stands_in_portal

# One worker serves the demo for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NOTE = "Your card expired on Friday.\nCould you add a new one before the firing on Sunday?"


def test_from_the_admin_to_the_portal(page: Page, demo: str) -> None:
    """Select, send, read, click, press by keyboard alone: and stand in the portal of the right company, as manager."""
    enter_admin(page, demo)
    page.goto(f"{demo}/admin/alguna_portal/customer/")
    page.get_by_role("row", name=re.compile("Northlight Pottery")).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Send portal link")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send portal link")
    page.get_by_role("radio", name=re.compile("manager", re.IGNORECASE)).check()
    page.get_by_label("Note").fill(NOTE)
    look(page, "admin-send")
    page.get_by_role("button", name="Send portal link").click()
    expect(page.locator(".messagelist")).to_contain_text("1 portal link sent.")
    look_at(page, "admin-sent", ".messagelist")
    page.get_by_role("link", name="Mailbox").click()
    look(page, "mailbox")
    page.get_by_role("link", name="Northlight Pottery").first.click()
    expect(page.locator("pre")).to_contain_text("firing on Sunday?")
    look(page, "mail")
    page.frame_locator("iframe").get_by_role("link", name="Open billing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing of Northlight Pottery")
    look(page, "link")
    button = page.get_by_role("button", name="Open billing")
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    stands_in_portal(page, "Northlight Pottery")
    page.get_by_role("link", name="Update payment method").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Update payment method")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_mail_can_be_read_everywhere(browser: Browser, demo: str, mailed: Mail, scheme: str) -> None:
    """On a telephone and on a wide screen, by day and by night; nothing of it needs sideways scrolling."""
    mailed(note=NOTE)
    SCREENSHOTS.mkdir(exist_ok=True)
    # The mail's own page lets no script of the test's in, either: it is looked at through its frame's document.
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
