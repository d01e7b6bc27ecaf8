"""Billing pressed in pages that scripts make: by `fetch` as docs/howto/frontends.md has it, and by htmx itself."""

import re
from pathlib import Path

import django_htmx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT
from tests.browser.test_walk import sign_in, stands_in_portal

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DOCS = (ROOT / "docs" / "howto" / "frontends.md").read_text()
(SCRIPT,) = re.findall(r"```js\n(.*?)```", DOCS, re.DOTALL)
(BUTTON,) = re.findall(r"```html\n(.*?)```", DOCS, re.DOTALL)
HTMX = Path(django_htmx.__file__).parent / "static" / "django_htmx"
# The styles that it would add by itself are inline.
CONFIG = '{"includeIndicatorStyles": false, "includeIndicatorCSS": false}'

Choices = list[dict[str, str]]


def open_billing(page: Page, customer: str = "") -> Choices | None:
    """Do what a script of the host's would."""
    found: Choices | None = page.evaluate(f"customer => {{ {SCRIPT}; return openBilling(customer) }}", customer)
    return found


def press_htmx(page: Page, address: str, version: int) -> None:
    """Put htmx and a button of its into the page, and press the button."""
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
    """Sign in, and stand on a page that will not go away."""
    sign_in(page, address, name)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.wait_for_load_state("load")


def test_a_script_opens_the_portal(page: Page, demo: str) -> None:
    """The script of the docs, as somebody with one company."""
    sign_in_and_wait(page, demo, "Sam")
    open_billing(page)
    stands_in_portal(page, "Riverbank Clay")


def test_a_script_leads_to_sign_in_and_lets_people_choose(page: Page, demo: str) -> None:
    """The script of the docs, as nobody, and as somebody with several companies."""
    page.goto(demo)
    open_billing(page)
    expect(page).to_have_url(re.compile(r"\?next=/billing/$"))
    sign_in_and_wait(page, demo, "Toni")
    choices = open_billing(page)
    assert choices is not None
    assert len(choices) > 1
    open_billing(page, choices[0]["customer"])
    stands_in_portal(page, choices[0]["name"])


@pytest.mark.parametrize("version", [2, 4])
def test_htmx_opens_the_portal(page: Page, demo: str, version: int) -> None:
    """In the whole page."""
    sign_in_and_wait(page, demo, "Sam")
    press_htmx(page, demo, version)
    stands_in_portal(page, "Riverbank Clay")


@pytest.mark.parametrize("version", [2, 4])
def test_htmx_leads_the_whole_page_to_sign_in_and_to_help(
    page: Page, demo: str, demo_without_alguna: str, version: int
) -> None:
    """Nothing of another page stands where the button was."""
    page.goto(demo)
    press_htmx(page, demo, version)
    expect(page).to_have_url(re.compile(r"\?next=/billing/$"))
    expect(page.get_by_role("main")).to_have_count(1)
    sign_in_and_wait(page, demo_without_alguna, "Sam")
    press_htmx(page, demo_without_alguna, version)
    # Tried twice, by htmx and by the page, each with its retries.
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is not available right now", timeout=30_000)
    expect(page).to_have_url(re.compile(r"/billing/\?customer=\d+$"))
