"""A mailed link in a browser: from the mail to the portal, under strict headers, and without leaving a trace."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser import keyboard
from tests.browser.conftest import Mail, Shell, under_policy, window
from tests.browser.keyboard import walk
from tests.browser.looking import look
from tests.browser.test_walk import stands_in_portal

# One worker serves the demo for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CHANGE = """
from alguna_portal.links import get_link_by_token
from alguna_portal.models import PortalLink
from django.utils import timezone
link = get_link_by_token({token!r})
{change}
print(link.uses)
"""
OVER = "PortalLink.objects.filter(pk=link.pk).update({field}=timezone.now())"


def token_of(address: str) -> str:
    """The part of a link that makes it one."""
    return address.rstrip("/").rpartition("/")[2]


@pytest.fixture
def uses(demo_shell: Shell) -> Callable[[str], int]:
    """How often a link was used."""

    def ask(address: str) -> int:
        return int(demo_shell(CHANGE.format(token=token_of(address), change="")))

    return ask


def elsewhere(address: str) -> str:
    """The same page on another origin than the portal's, as it is in earnest."""
    return address.replace("//localhost:", "//127.0.0.1:")


def press(page: Page) -> None:
    """Press the button of our page."""
    page.get_by_role("button", name="Open billing").click()


def test_a_press_lands_in_the_portal_under_a_strict_policy(page: Page, mailed: Mail) -> None:
    """A `form-action 'self'` stops forms that redirect elsewhere; ours does not, and breaks no other rule of it."""
    address = elsewhere(mailed())
    answer = page.goto(address)
    assert answer is not None
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    press(page)
    stands_in_portal(page, "Northlight Pottery")
    assert not page.url.startswith(elsewhere("http://localhost:"))


def test_the_link_leaves_in_no_referer(page: Page, mailed: Mail) -> None:
    """Neither to the portal nor to our own site's other addresses: their logs are not where it belongs."""
    address = elsewhere(mailed())
    site = address.partition("/billing/")[0]
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.goto(address)
    press(page)
    stands_in_portal(page, "Northlight Pottery")
    page.wait_for_load_state("load")
    assert page.evaluate("document.referrer") == ""
    left = [request for request in sent if not request.url.startswith(f"{site}/")]
    assert left
    assert len(sent) > len(left) + 1
    for request in sent:
        assert token_of(address) not in request.all_headers().get("referer", ""), request.url
    assert all(token_of(address) not in request.url for request in left)


def test_who_is_not_taken_on_goes_on_alone(page: Page, mailed: Mail) -> None:
    """Where a browser is told not to follow pages that go on by themselves, there is a link."""

    def answer(route: Route) -> None:
        response = route.fetch()
        headers = {name: value for name, value in response.headers.items() if name != "refresh"}
        route.fulfill(response=response, headers=headers)

    page.route("**/billing/link/**", answer)
    page.goto(mailed())
    press(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is opening")
    look(page, "link-opened")
    page.get_by_role("link", name="Go on to billing").click()
    stands_in_portal(page, "Northlight Pottery")


def test_the_press_is_no_request_from_nowhere(page: Page, mailed: Mail) -> None:
    """Under `no-referrer` its Origin would be null, and Django would take it for a forged one."""
    page.goto(elsewhere(mailed()))
    with page.expect_response(lambda response: response.request.method == "POST") as pressed:
        press(page)
    assert pressed.value.status == 200
    assert pressed.value.request.all_headers()["origin"].startswith("http://127.0.0.1:")


def test_a_scanner_uses_nothing_up(page: Page, mailed: Mail, uses: Callable[[str], int]) -> None:
    """It fetches the page, renders it, runs its scripts, waits, scrolls and moves the mouse over all of it."""
    address = mailed()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    for x in range(0, 1200, 100):
        page.mouse.move(x, x / 2)
    page.mouse.wheel(0, 500)
    page.get_by_role("button", name="Open billing").hover()
    page.wait_for_timeout(1500)
    page.reload()
    assert uses(address) == 0
    press(page)
    stands_in_portal(page, "Northlight Pottery")
    assert uses(address) == 1


def test_it_works_without_script(browser: Browser, mailed: Mail) -> None:
    """From the page to the portal."""
    with window(browser, java_script_enabled=False) as page:
        page.goto(mailed())
        press(page)
        stands_in_portal(page, "Northlight Pottery")


def test_a_viewers_link_leads_to_a_portal_without_buttons(page: Page, mailed: Mail) -> None:
    """Its page promises no more than that."""
    page.goto(mailed(role="viewer"))
    expect(page.get_by_role("main")).not_to_contain_text("update")
    press(page)
    stands_in_portal(page, "Northlight Pottery")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_an_expired_link_brings_a_new_one(page: Page, demo: str, mailed: Mail, demo_shell: Shell) -> None:
    """One press, and the new mail is in the mailbox; its link works. Years later there is nothing to press."""
    address = mailed("company-3", note="An old story.")
    demo_shell(CHANGE.format(token=token_of(address), change=OVER.format(field="expires_at")))
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    look(page, "link-over")
    walk(page)
    keyboard.press(page, page.get_by_role("button", name="Send me a new link"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    look(page, "link-renewed")
    page.goto(f"{demo}/demo/mail/")
    page.get_by_role("link", name="Harbour Ceramics").first.click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_text("An old story.")).to_have_count(0)
    mail.get_by_role("link", name="Open billing").click()
    assert token_of(page.url) != token_of(address)
    press(page)
    stands_in_portal(page, "Harbour Ceramics")
    demo_shell(CHANGE.format(token=token_of(address), change=OVER.format(field="renewable_until")))
    page.goto(address)
    expect(page.get_by_role("button")).to_have_count(0)
    look(page, "link-over-for-good")


def test_a_link_that_was_cut_off_says_what_may_be_wrong(page: Page, mailed: Mail) -> None:
    """As some mail programs do; one that is revoked looks the same."""
    under_policy(page, "**/billing/link/**")
    answer = page.goto(mailed()[:-9])
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")
    look(page, "link-unknown")
