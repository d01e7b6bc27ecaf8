"""Portal links in the admin in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_page
from tests.browser.test_admin import add_customer, enter_admin

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_links_are_sent_from_the_list_and_revoked(page: Page, demo: str) -> None:
    """One of them is then sent again."""
    enter_admin(page, demo)
    add_customer(page, demo, "company-post", Name="Postbox Plates", **{"Billing e-mail": "bills@postbox.example"})
    add_customer(page, demo, "company-mute", Name="Mute Mugs")
    for name in ("Postbox Plates", "Mute Mugs"):
        page.get_by_role("row", name=re.compile(name)).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Send portal link")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", name="1 customer gets mail")).to_be_visible()
    expect(page.get_by_text("b…@postbox.example")).to_be_visible()
    page.get_by_label("Note").fill("n" * 1000)
    page.get_by_role("group", name="Role").get_by_label("viewer").check()
    check_page(page, "admin-send-some", "#content-main")
    page.get_by_role("button", name="Send portal link").click()
    told = page.locator(".messagelist")
    expect(told).to_contain_text("1 portal link sent.")
    expect(told).to_contain_text("1 customer has no e-mail address: Mute Mugs")
    check_page(page, "admin-sent-some", ".messagelist")
    page.get_by_role("link", name="Mute Mugs").last.click()
    page.get_by_role("link", name="Send portal link").click()
    page.get_by_role("button", name="Send portal link").click()
    expect(page.get_by_label("Send to")).to_have_accessible_description(re.compile("has no e-mail address"))
    check_page(page, "admin-send-wrong", "#content-main")
    page.goto(f"{demo}/admin/alguna_portal/customer/?q=company-post")
    page.get_by_role("link", name="Postbox Plates").click()
    page.get_by_role("link", name="Portal links").last.click()
    expect(
        page.get_by_role("row", name=re.compile("active Postbox Plates b…@postbox.example viewer 0"))
    ).to_be_visible()
    check_page(page, "admin-links", "#result_list")
    page.locator("#result_list th.field-created_at a").first.click()
    page.get_by_role("button", name="Revoke").click()
    expect(told).to_contain_text("1 portal link revoked.")
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    page.get_by_role("button", name="Send again").click()
    expect(told).to_contain_text("1 portal link sent.")
    check_page(page, "admin-link", ".field-worth", ".object-tools", ".messagelist")
    page.goto(f"{demo}/admin/alguna_portal/portallink/?state=revoked&q=company-post")
    expect(page.locator(".alguna-portal-state")).to_have_text(["revoked"])
    check_page(page, "admin-links-revoked", "#result_list")
    page.get_by_role("row", name=re.compile("revoked Postbox Plates")).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Send again, as new links")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(told).to_contain_text("1 revoked link was left out: open it to send it again.")
