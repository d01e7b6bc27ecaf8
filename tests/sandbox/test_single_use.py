"""The modes of single-use links, with two browsers."""

from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client

from tests.sandbox.conftest import SandboxClient, find_link, get_text


def is_usable(browser: Client, path: str) -> bool:
    """Return whether the portal's pages and forms work in a browser."""
    page = browser.get(path, follow=True)
    invoice = browser.get(find_link(page, r"/invoices/\w+"))
    overview = browser.get(find_link(invoice, "(?:/billing|/hs/[^/]*)"))
    after = browser.post(find_link(overview, "/auto-pay"), {"auto_pay": "off"}, follow=True)
    return "Auto-pay is off." in get_text(after)


def test_links_are_reusable_by_default(sandbox: SandboxClient) -> None:
    """No cookie is set."""
    path = sandbox.create_portal()
    for browser in (Client(), Client()):
        assert browser.get(path).status_code == 200
        assert is_usable(browser, path)
        assert "alguna_sandbox_browser" not in browser.cookies


def test_mode_browser_allows_only_the_first_browser(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_SINGLE_USE = "browser"
    path = sandbox.create_portal()
    first, second = Client(), Client()
    assert is_usable(first, path)
    assert is_usable(first, path)
    for address in (path, f"{path}/billing", f"{path}/auto-pay"):
        response = second.post(address) if address.endswith("auto-pay") else second.get(address)
        assert response.status_code == 410
        assert "This link has been used" in get_text(response)
    assert is_usable(first, path)


def test_mode_anywhere_allows_one_opening(sandbox: SandboxClient, settings: Any) -> None:
    """The portal's other pages work in the browser that opened the link."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    path = sandbox.create_portal()
    first, second = Client(), Client()
    response = first.get(path, follow=True)
    assert response.redirect_chain == [(f"{path}/billing", 302)]
    assert is_usable(first, f"{path}/billing")
    assert first.get(path).status_code == 410
    assert second.get(path).status_code == 410
    assert second.get(f"{path}/billing").status_code == 410
    assert is_usable(first, f"{path}/billing")


@pytest.mark.parametrize("mode", ["browser", "anywhere"])
def test_browser_can_open_several_links(sandbox: SandboxClient, settings: Any, mode: str) -> None:
    """Its cookie remains, is HttpOnly and is limited to the sandbox's path."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = mode
    browser = Client()
    first, second = sandbox.create_portal(), sandbox.create_portal(sandbox.create_customer(name="Second"))
    browser.get(first)
    cookie = browser.cookies["alguna_sandbox_browser"]
    known = cookie.value
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/sandbox/", True, "Lax")
    assert "Second" in get_text(browser.get(second, follow=True))
    assert browser.cookies["alguna_sandbox_browser"].value == known
    assert browser.get(f"{first}/billing").status_code == 200


def test_head_request_does_not_use_the_link(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    path = sandbox.create_portal()
    assert Client().head(path).status_code == 200
    assert Client().get(path).status_code == 302
    assert Client().head(path).status_code == 410


def test_simulated_mode_has_priority_over_the_setting(sandbox: SandboxClient, settings: Any) -> None:
    path = sandbox.create_portal()
    call_command("alguna_sandbox_faults", "single-use=anywhere", stdout=StringIO())
    assert Client().get(path).status_code == 302
    assert Client().get(path).status_code == 410
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    call_command("alguna_sandbox_faults", "single-use=off", stdout=StringIO())
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize(("mode", "is_valid"), [("off", True), ("", True), (None, True), ("once", False)])
def test_links_are_reusable_if_the_mode_is_off_or_invalid(
    sandbox: SandboxClient, settings: Any, mode: str | None, is_valid: bool
) -> None:
    """Simulated faults can still set the mode."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = mode
    assert ("alguna_sandbox.E003" not in {message.id for message in run_checks()}) == is_valid
    path = sandbox.create_portal()
    assert {Client().get(path).status_code for _ in "12"} == {200}
    call_command("alguna_sandbox_faults", "single-use=anywhere", stdout=StringIO())
    assert Client().get(path).status_code == 302
