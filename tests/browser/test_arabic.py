"""Pages in Arabic."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import Mail
from tests.browser.keyboard import walk
from tests.browser.test_walk import press_billing, sign_in

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ARABIC = re.compile(r"[\u0621-\u064a]{3}")


def test_list_of_customers_is_in_arabic_and_host_pages_in_english(arabic_page: Page, demo: str) -> None:
    """Both have their language and direction."""
    page = arabic_page
    sign_in(page, demo, "Toni")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".day").first).to_have_text(re.compile("[A-Z][a-z]{2} "))
    press_billing(page)
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(ARABIC)
    expect(heading).to_have_css("direction", "rtl")
    expect(page.get_by_role("banner")).to_have_attribute("lang", "en")
    expect(page.get_by_role("banner")).to_have_css("direction", "ltr")
    check_page(page, "choose-ar")
    walk(page)


def test_link_page_is_in_arabic(arabic_page: Page, mailed: Mail) -> None:
    page = arabic_page
    page.goto(mailed())
    button = page.get_by_role("main").get_by_role("button")
    expect(button).to_have_text(ARABIC)
    check_page(page, "link-ar")
    text, main = button.bounding_box(), page.get_by_role("main").bounding_box()
    assert text
    assert main
    assert text["x"] + text["width"] == pytest.approx(main["x"] + main["width"], abs=1)


def test_error_page_is_in_arabic(arabic_page: Page, demo_without_alguna: str) -> None:
    """It includes the details for developers."""
    page = arabic_page
    sign_in(page, demo_without_alguna, "Sam")
    press_billing(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(ARABIC)
    check_page(page, "unavailable-ar")
    reason = page.get_by_text("DEBUG:").locator("..")
    expect(reason).to_have_attribute("lang", "en")
    expect(reason).to_have_css("direction", "ltr")


def test_admin_is_in_arabic(arabic_page: Page, demo: str) -> None:
    """The sandbox's page for simulated faults is in English, with lang="en"."""
    page = arabic_page
    page.goto(f"{demo}/admin/login/?next=/admin/alguna_portal/customer/1/send-portal-link/")
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill("admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(ARABIC)
    check_page(page, "admin-send-ar", "#content-main")
    page.goto(f"{demo}/admin/alguna_sandbox/simulatedfault/")
    expect(page.locator("#content-main")).to_have_css("direction", "ltr")
    check_page(page, "admin-faults-ar", "#content-main")
