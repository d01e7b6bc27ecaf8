"""Mailed links in a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser import keyboard
from tests.browser.accessibility import check_page
from tests.browser.conftest import Mail, Shell, under_policy, window
from tests.browser.keyboard import walk
from tests.browser.test_walk import expect_portal

# All browser tests share one demo, so they run in one worker.
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


def get_token(address: str) -> str:
    """Return the token in a link."""
    return address.rstrip("/").rpartition("/")[2]


@pytest.fixture
def uses(demo_shell: Shell) -> Callable[[str], int]:
    """Return the number of uses of a link."""

    def ask(address: str) -> int:
        return int(demo_shell(CHANGE.format(token=get_token(address), change="")))

    return ask


def to_other_origin(address: str) -> str:
    """Return the URL on another origin, like the portal's in production."""
    return address.replace("//localhost:", "//127.0.0.1:")


def press(page: Page) -> None:
    """Press the button of the link page."""
    page.get_by_role("button", name="Open billing").click()


def test_button_opens_the_portal_with_strict_csp(page: Page, mailed: Mail) -> None:
    """`form-action 'self'` would block a redirect to another origin."""
    address = to_other_origin(mailed())
    answer = page.goto(address)
    assert answer is not None
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    press(page)
    expect_portal(page, "Northlight Pottery")
    assert not page.url.startswith(to_other_origin("http://localhost:"))


def test_link_is_not_sent_as_referrer(page: Page, mailed: Mail) -> None:
    address = to_other_origin(mailed())
    site = address.partition("/billing/")[0]
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.goto(address)
    press(page)
    expect_portal(page, "Northlight Pottery")
    page.wait_for_load_state("load")
    assert page.evaluate("document.referrer") == ""
    left = [request for request in sent if not request.url.startswith(f"{site}/")]
    assert left
    assert len(sent) > len(left) + 1
    for request in sent:
        assert get_token(address) not in request.all_headers().get("referer", ""), request.url
    assert all(get_token(address) not in request.url for request in left)


def test_page_has_a_link_if_the_browser_does_not_redirect(page: Page, mailed: Mail) -> None:
    """For browsers that block automatic redirects."""

    def answer(route: Route) -> None:
        response = route.fetch()
        headers = {name: value for name, value in response.headers.items() if name != "refresh"}
        route.fulfill(response=response, headers=headers)

    page.route("**/billing/link/**", answer)
    page.goto(mailed())
    press(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Billing is opening")
    check_page(page, "link-opened")
    page.get_by_role("link", name="Go on to billing").click()
    expect_portal(page, "Northlight Pottery")


def test_form_sends_its_origin(page: Page, mailed: Mail) -> None:
    """With no-referrer, it would send "Origin: null", and Django would reject it."""
    page.goto(to_other_origin(mailed()))
    with page.expect_response(lambda response: response.request.method == "POST") as pressed:
        press(page)
    assert pressed.value.status == 200
    assert pressed.value.request.all_headers()["origin"].startswith("http://127.0.0.1:")


def test_scanner_does_not_use_the_link(page: Page, mailed: Mail, uses: Callable[[str], int]) -> None:
    """It renders the page, runs scripts, waits, scrolls and moves the mouse."""
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
    expect_portal(page, "Northlight Pottery")
    assert uses(address) == 1


def test_link_works_without_javascript(browser: Browser, mailed: Mail) -> None:
    with window(browser, java_script_enabled=False) as page:
        page.goto(mailed())
        press(page)
        expect_portal(page, "Northlight Pottery")


def test_link_of_a_viewer_opens_a_portal_without_buttons(page: Page, mailed: Mail) -> None:
    page.goto(mailed(role="viewer"))
    expect(page.get_by_role("main")).not_to_contain_text("update")
    press(page)
    expect_portal(page, "Northlight Pottery")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_expired_link_can_be_renewed(page: Page, demo: str, mailed: Mail, demo_shell: Shell) -> None:
    """The new email has a working link. After a long time, renewal isn't offered."""
    address = mailed("company-3", note="An old story.")
    demo_shell(CHANGE.format(token=get_token(address), change=OVER.format(field="expires_at")))
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    check_page(page, "link-over")
    walk(page)
    keyboard.press(page, page.get_by_role("button", name="Send me a new link"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    check_page(page, "link-renewed")
    page.goto(f"{demo}/demo/mail/")
    page.get_by_role("link", name="Harbour Ceramics").first.click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_text("An old story.")).to_have_count(0)
    mail.get_by_role("link", name="Open billing").click()
    assert get_token(page.url) != get_token(address)
    press(page)
    expect_portal(page, "Harbour Ceramics")
    demo_shell(CHANGE.format(token=get_token(address), change=OVER.format(field="renewable_until")))
    page.goto(address)
    expect(page.get_by_role("button")).to_have_count(0)
    check_page(page, "link-over-for-good")


def test_invalid_link_explains_possible_reasons(page: Page, mailed: Mail) -> None:
    """It may be cut off or revoked."""
    under_policy(page, "**/billing/link/**")
    answer = page.goto(mailed()[:-9])
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")
    check_page(page, "link-unknown")
