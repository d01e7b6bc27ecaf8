"""The documented JavaScript and htmx integrations in a browser."""

import re
from pathlib import Path

import django_htmx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT
from tests.browser.test_walk import expect_portal, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DOCS = (ROOT / "docs" / "howto" / "frontends.md").read_text()
(SCRIPT,) = re.findall(r"```js\n(.*?)```", DOCS, re.DOTALL)
(BUTTON,) = re.findall(r"```html\n(.*?)```", DOCS, re.DOTALL)
HTMX = Path(django_htmx.__file__).parent / "static" / "django_htmx"
# Without this setting, htmx adds inline styles.
CONFIG = '{"includeIndicatorStyles": false, "includeIndicatorCSS": false}'

Choices = list[dict[str, str]]


def open_billing(page: Page, customer: str = "") -> Choices | None:
    """Call the documented script of a host project."""
    found: Choices | None = page.evaluate(f"customer => {{ {SCRIPT}; return openBilling(customer) }}", customer)
    return found


def press_htmx(page: Page, address: str, version: int) -> None:
    """Add htmx and a button to the page, and press the button."""
    page.route(f"{address}/htmx.js", lambda route: route.fulfill(path=HTMX / f"htmx-{version}.js"))
    page.evaluate(
        """([config, button]) => {
            const meta = Object.assign(document.createElement("meta"), { name: "htmx-config", content: config })
            document.head.append(meta)
            document.querySelector("main").innerHTML = button
        }""",
        [CONFIG, BUTTON],
    )
    page.add_script_tag(url=f"{address}/htmx.js")
    page.locator("main").get_by_role("button", name="Billing").click()


def sign_in_and_wait(page: Page, address: str, name: str) -> None:
    """Sign in, and wait until the page has loaded."""
    sign_in(page, address, name)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.wait_for_load_state("load")


def test_documented_script_opens_the_portal(page: Page, demo: str) -> None:
    sign_in_and_wait(page, demo, "Sam")
    open_billing(page)
    expect_portal(page, "Riverbank Clay")


def test_documented_script_handles_sign_in_and_several_customers(page: Page, demo: str) -> None:
    page.goto(demo)
    open_billing(page)
    expect(page).to_have_url(re.compile(r"\?next=/billing/$"))
    sign_in_and_wait(page, demo, "Toni")
    choices = open_billing(page)
    assert choices is not None
    assert len(choices) > 1
    open_billing(page, choices[0]["customer"])
    expect_portal(page, choices[0]["name"])


@pytest.mark.parametrize("version", [2, 4])
def test_htmx_opens_the_portal(page: Page, demo: str, version: int) -> None:
    """In the whole window."""
    sign_in_and_wait(page, demo, "Sam")
    press_htmx(page, demo, version)
    expect_portal(page, "Riverbank Clay")


@pytest.mark.parametrize("version", [2, 4])
def test_htmx_shows_sign_in_and_error_pages_in_the_whole_window(
    page: Page, demo: str, demo_without_alguna: str, version: int
) -> None:
    """They don't replace the button."""
    page.goto(demo)
    press_htmx(page, demo, version)
    expect(page).to_have_url(re.compile(r"\?next=/billing/$"))
    expect(page.get_by_role("main")).to_have_count(1)
    sign_in_and_wait(page, demo_without_alguna, "Sam")
    press_htmx(page, demo_without_alguna, version)
    # Both htmx and the page send the request, each with retries.
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now", timeout=30_000)
    expect(page).to_have_url(re.compile(r"/billing/\?customer=\d+$"))
