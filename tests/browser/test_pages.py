"""The pages that no other walk comes by: of the hosted portal, of a failure, and of the demo itself."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Shell, under_policy
from tests.browser.keyboard import walk
from tests.browser.looking import look
from tests.browser.test_admin import enter_admin
from tests.browser.test_walk import press_billing, sign_in, stands_in_portal

# One worker serves the demo for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SET_FAULT = "from django.core.management import call_command; call_command('alguna_sandbox_faults', {fault!r})"


def test_every_page_of_the_portal_can_be_used_by_all(page: Page, demo: str) -> None:
    """What a manager comes by whom a plan allows most, with a form that is filled in wrongly, and a dead end."""
    sign_in(page, demo, "Gina")
    page.get_by_role("link", name="Team").click()
    look(page, "team")
    press_billing(page)
    stands_in_portal(page, "Northlight Pottery")
    home = page.url
    page.get_by_role("link", name="Change plan").click()
    look(page, "portal-plan")
    walk(page)
    page.get_by_role("link", name=re.compile("Choose")).first.click()
    look(page, "portal-plan-confirm")
    walk(page)
    for name in ("Update payment method", "Edit company details"):
        page.goto(home)
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        walk(page)
    look(page, "portal-account")
    page.goto(f"{home}/payment-method")
    page.get_by_role("button", name="Save card").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved yet")
    look(page, "portal-edit")
    page.goto(home)
    page.get_by_role("link", name="Open invoice").first.click()
    look(page, "portal-invoice")
    walk(page)
    under_policy(page, "**/nowhere")
    page.goto(f"{home}/nowhere")
    look(page, "portal-problem")


def test_a_key_that_alguna_refuses_leads_to_a_page_that_helps(page: Page, demo: str, demo_shell: Shell) -> None:
    """The error page and the admin page that simulates the fault are accessible."""
    enter_admin(page, demo)
    page.goto(f"{demo}/admin/alguna_sandbox/simulatedfault/")
    look(page, "admin-faults", "#content-main")
    page.get_by_role("combobox").select_option("The gateway refuses the key: 401")
    page.get_by_role("button", name="Change the simulated faults").click()
    try:
        page.context.clear_cookies()
        sign_in(page, demo, "Erin")
        answer = page.goto(f"{demo}/billing/?fresh=1")
        assert answer is not None
        assert answer.status == 502
        expect(page.get_by_role("heading", level=1)).to_have_text("Billing could not be opened")
        look(page, "failed")
        walk(page)
    finally:
        demo_shell(SET_FAULT.format(fault="clear"))


def test_every_page_is_looked_at() -> None:
    """Each template of a page of ours, and each of the hosted portal's, has a picture that these tests take."""
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    looked_at = set(re.findall(r'\blook\(page, "([\w-]+)"', tests))
    parts = {"base", "forms", "lines", "reason", "support"}

    def pages(folder: str, prefix: str) -> set[str]:
        names = {file.stem for file in (ROOT / "alguna_portal" / folder).glob("*.html")} - parts
        return {prefix + name.replace("_", "-") for name in names}

    assert pages("templates/alguna_portal", "") - looked_at == set()
    assert {name.removesuffix("-portal") for name in pages("sandbox/templates/alguna_sandbox", "portal-")} - {
        "portal"
    } <= looked_at
