"""Accessibility of all pages."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import ROOT, Shell, under_policy
from tests.browser.keyboard import walk
from tests.browser.test_admin import enter_admin
from tests.browser.test_walk import expect_portal, press_billing, sign_in

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SET_FAULT = "from django.core.management import call_command; call_command('alguna_sandbox_faults', {fault!r})"


def test_pages_of_the_hosted_portal_are_accessible(page: Page, demo: str) -> None:
    """This includes an invalid form and an error page."""
    sign_in(page, demo, "Gina")
    page.get_by_role("link", name="Team").click()
    check_page(page, "team")
    press_billing(page)
    expect_portal(page, "Northlight Pottery")
    home = page.url
    page.get_by_role("link", name="Change plan").click()
    check_page(page, "portal-plan")
    walk(page)
    page.get_by_role("link", name=re.compile("Choose")).first.click()
    check_page(page, "portal-plan-confirm")
    walk(page)
    for name in ("Update payment method", "Edit company details"):
        page.goto(home)
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        walk(page)
    check_page(page, "portal-account")
    page.goto(f"{home}/payment-method")
    page.get_by_role("button", name="Save card").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved yet")
    check_page(page, "portal-edit")
    page.goto(home)
    page.get_by_role("link", name="Open invoice").first.click()
    check_page(page, "portal-invoice")
    walk(page)
    under_policy(page, "**/nowhere")
    page.goto(f"{home}/nowhere")
    check_page(page, "portal-problem")


def test_error_page_after_a_rejected_api_key_is_accessible(page: Page, demo: str, demo_shell: Shell) -> None:
    """The admin page that simulates the fault is accessible, too."""
    enter_admin(page, demo)
    page.goto(f"{demo}/admin/alguna_sandbox/simulatedfault/")
    check_page(page, "admin-faults", "#content-main")
    page.get_by_role("combobox").select_option("The gateway refuses the key: 401")
    page.get_by_role("button", name="Change the simulated faults").click()
    try:
        page.context.clear_cookies()
        sign_in(page, demo, "Erin")
        answer = page.goto(f"{demo}/billing/?fresh=1")
        assert answer is not None
        assert answer.status == 502
        expect(page.get_by_role("heading", level=1)).to_have_text("Billing could not be opened")
        check_page(page, "failed")
        walk(page)
    finally:
        demo_shell(SET_FAULT.format(fault="clear"))


def test_all_templates_are_checked() -> None:
    """Each template of the app and of the hosted portal has a screenshot."""
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    checked = set(re.findall(r'\bcheck_page\(page, "([\w-]+)"', tests))
    parts = {"base", "forms", "lines", "reason", "support"}

    def pages(folder: str, prefix: str) -> set[str]:
        names = {file.stem for file in (ROOT / "alguna_portal" / folder).glob("*.html")} - parts
        return {prefix + name.replace("_", "-") for name in names}

    assert pages("templates/alguna_portal", "") - checked == set()
    assert {name.removesuffix("-portal") for name in pages("sandbox/templates/alguna_sandbox", "portal-")} - {
        "portal"
    } <= checked
