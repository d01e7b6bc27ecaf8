"""Both readings of single use, in two browsers."""

from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client

from tests.sandbox.conftest import Door, link, text


def works(browser: Client, path: str) -> bool:
    """Tell whether the portal's own pages and forms work for a browser."""
    page = browser.get(path, follow=True)
    invoice = browser.get(link(page, r"/invoices/\w+"))
    around = browser.get(link(invoice, "(?:/billing|/hs/[^/]*)"))
    after = browser.post(link(around, "/auto-pay"), {"auto_pay": "off"}, follow=True)
    return "Auto-pay is off." in text(after)


def test_links_open_as_often_as_one_likes_by_default(door: Door) -> None:
    """And no cookie is set."""
    path = door.portal(door.customer())
    for browser in (Client(), Client()):
        assert browser.get(path).status_code == 200
        assert works(browser, path)
        assert "alguna_sandbox_browser" not in browser.cookies


def test_browser_opens_again_where_it_was_opened_first(door: Door, settings: Any) -> None:
    """Anybody else is told that the link is used, on every page."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = "browser"
    path = door.portal(door.customer())
    first, second = Client(), Client()
    assert works(first, path)
    assert works(first, path)
    for address in (path, f"{path}/billing", f"{path}/auto-pay"):
        refused = second.post(address) if address.endswith("auto-pay") else second.get(address)
        assert refused.status_code == 410
        assert "This link has been used" in text(refused)
    assert works(first, path)


def test_anywhere_opens_once_and_leads_on(door: Door, settings: Any) -> None:
    """The portal goes on working for who opened it; the link itself is dead even there."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    path = door.portal(door.customer())
    first, second = Client(), Client()
    landed = first.get(path, follow=True)
    assert landed.redirect_chain == [(f"{path}/billing", 302)]
    assert works(first, f"{path}/billing")
    assert first.get(path).status_code == 410
    assert second.get(path).status_code == 410
    assert second.get(f"{path}/billing").status_code == 410
    assert works(first, f"{path}/billing")


@pytest.mark.parametrize("reading", ["browser", "anywhere"])
def test_one_browser_opens_many_links(door: Door, settings: Any, reading: str) -> None:
    """Its cookie stays as it is, out of reach of scripts and of other paths."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = reading
    browser = Client()
    first, second = door.portal(door.customer()), door.portal(door.customer(name="Second"))
    browser.get(first)
    cookie = browser.cookies["alguna_sandbox_browser"]
    known = cookie.value
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/sandbox/", True, "Lax")
    assert "Second" in text(browser.get(second, follow=True))
    assert browser.cookies["alguna_sandbox_browser"].value == known
    assert browser.get(f"{first}/billing").status_code == 200


def test_asking_for_the_headers_opens_nothing(door: Door, settings: Any) -> None:
    """Nobody has seen the page."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    path = door.portal(door.customer())
    assert Client().head(path).status_code == 200
    assert Client().get(path).status_code == 302
    assert Client().head(path).status_code == 410


def test_the_weather_wins_over_the_setting(door: Door, settings: Any) -> None:
    """In both directions."""
    path = door.portal(door.customer())
    call_command("alguna_sandbox_faults", "single-use=anywhere", stdout=StringIO())
    assert Client().get(path).status_code == 302
    assert Client().get(path).status_code == 410
    settings.ALGUNA_SANDBOX_SINGLE_USE = "anywhere"
    call_command("alguna_sandbox_faults", "single-use=off", stdout=StringIO())
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("reading", ["off", "", None])
def test_off_is_a_reading_too(door: Door, settings: Any, reading: str | None) -> None:
    """As in the weather; and so is nothing at all."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = reading
    assert "alguna_sandbox.E003" not in {message.id for message in run_checks()}
    path = door.portal(door.customer())
    assert {Client().get(path).status_code for _ in "12"} == {200}
    call_command("alguna_sandbox_faults", "single-use=anywhere", stdout=StringIO())
    assert Client().get(path).status_code == 302


def test_a_reading_that_is_none_is_reported_and_passed_over(door: Door, settings: Any) -> None:
    """The check names it."""
    settings.ALGUNA_SANDBOX_SINGLE_USE = "once"
    assert "alguna_sandbox.E003" in {message.id for message in run_checks()}
    path = door.portal(door.customer())
    assert {Client().get(path).status_code for _ in "12"} == {200}
