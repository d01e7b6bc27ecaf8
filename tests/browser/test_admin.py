"""The admin in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_page
from tests.browser.conftest import Shell
from tests.browser.test_walk import expect_portal, press_billing, sign_in

# All browser tests share one demo, so they run in one worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def enter_admin(page: Page, address: str) -> None:
    """Sign in as the demo's superuser."""
    page.goto(f"{address}/admin/login/?next=/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()


def add_customer(page: Page, address: str, alias: str, **fields: str) -> None:
    """Create a customer with the admin's form."""
    page.goto(f"{address}/admin/alguna_portal/customer/add/")
    expect(page.get_by_text("In Alguna:")).to_have_count(0)
    for label, value in {"Alias": alias, **fields}.items():
        page.get_by_label(f"{label}:", exact=True).fill(value)
    page.get_by_role("button", name="Save", exact=True).click()


# A separate customer that exists in Alguna, because other tests may have linked those of the demo.
IN_ALGUNA = """
from alguna_portal.models import Customer
from alguna_portal.sandbox.dashboard import add_customer
add_customer(alias="company-there", name="Millrace Majolica")
Customer.objects.create(alias="company-there", name="Millrace Majolica", currency="USD")
"""


def test_customers_are_created_in_alguna_from_the_list(page: Page, demo: str, demo_shell: Shell) -> None:
    """One is new, one exists, and one is invalid."""
    demo_shell(IN_ALGUNA)
    enter_admin(page, demo)
    add_customer(page, demo, "company-new", Name="Saltmarsh Stoneware", Currency="EUR")
    add_customer(page, demo, "company-bad", Name="Quarry Tiles")
    for name in ("Saltmarsh Stoneware", "Quarry Tiles", "Millrace Majolica"):
        page.get_by_role("row", name=re.compile(name)).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Create in Alguna")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Create in Alguna")
    expect(page.get_by_role("heading", name="1 customer that Alguna would not accept")).to_be_visible()
    check_page(page, "admin-create")
    page.get_by_role("button", name="Yes, create them").click()
    told = page.locator(".messagelist")
    expect(told).to_contain_text("Saltmarsh Stoneware: created in Alguna.")
    expect(told).to_contain_text("Millrace Majolica: found in Alguna and adopted.")
    expect(told).to_contain_text("Quarry Tiles: refused. Currency: Alguna has no customers without one.")
    check_page(page, "admin-created", ".messagelist")
    page.get_by_role("link", name="Saltmarsh Stoneware").click()
    expect(page.locator(".field-in_alguna")).to_contain_text(re.compile(r"Yes, as \w+"))
    expect(page.get_by_role("link", name="Create in Alguna")).to_have_count(0)
    check_page(page, "admin-customer", ".field-in_alguna", ".object-tools")


def test_customer_is_created_in_alguna_from_its_page(page: Page, demo: str) -> None:
    enter_admin(page, demo)
    add_customer(page, demo, "company-one", Name="Ashgrove Raku", Currency="GBP")
    page.get_by_role("link", name="Ashgrove Raku").first.click()
    expect(page.locator(".field-in_alguna .readonly")).to_have_text("No")
    check_page(page, "admin-customer-unknown", ".field-in_alguna", ".object-tools")
    page.get_by_role("link", name="Create in Alguna").click()
    page.get_by_role("button", name="Yes, create it").click()
    expect(page.locator(".messagelist")).to_have_text("Ashgrove Raku: created in Alguna.")
    expect(page.locator(".field-in_alguna")).to_contain_text(re.compile(r"Yes, as \w+"))


def test_portal_access_is_recorded(page: Page, demo: str) -> None:
    """It is in the list, on its own page and in the export."""
    sign_in(page, demo, "Sam")
    press_billing(page)
    expect_portal(page, "Riverbank Clay")
    enter_admin(page, demo)
    page.goto(f"{demo}/admin/alguna_portal/customer/?q=company-1")
    page.get_by_role("link", name="Riverbank Clay").click()
    page.get_by_role("link", name="Portal accesses").last.click()
    row = page.get_by_role("row", name=re.compile("sam Riverbank Clay Billing page manager")).first
    expect(row).to_be_visible()
    check_page(page, "admin-accesses", "#result_list", "#changelist-filter", ".actions")
    row.get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Export selected as CSV")
    with page.expect_download() as download:
        page.get_by_role("button", name="Go", exact=True).click()
    assert re.fullmatch(r"portal-accesses-[\d-]{10}\.csv", download.value.suggested_filename)
    assert ",sam," in download.value.path().read_text()
    row.get_by_role("link").first.click()
    expect(page.locator(".field-user_name")).to_contain_text("sam")
    check_page(page, "admin-access", "#content-main")
