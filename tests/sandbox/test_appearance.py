"""Amounts, dates, colours, settings and checks."""

from typing import Any

import pytest
from django.core.checks import run_checks

from alguna_portal.sandbox.web.display import format_amount, format_date, get_text_color
from tests.sandbox.conftest import Door


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (4900, "USD", "$49.00"),
        (123456789, "EUR", "€1,234,567.89"),
        (4900, "JPY", "¥4,900"),
        (4900, "CHF", "49.00 CHF"),
        (4900, "KWD", "4.900 KWD"),
        (0, "GBP", "£0.00"),
    ],
)
def test_an_amount_has_its_currencys_digits(cents: int, currency: str, text: str) -> None:
    """Yen have no cents, dinars a thousand fils."""
    assert format_amount(cents, currency) == text


def test_a_date_reads_like_a_date() -> None:
    """The day has no leading zero."""
    assert format_date("2026-04-01") == "1 Apr 2026"


@pytest.mark.parametrize(
    ("color", "text"),
    [
        ("#4f46e5", "#ffffff"),
        ("#000000", "#ffffff"),
        ("#ffffff", "#000000"),
        ("#facc15", "#000000"),
        ("#dc2626", "#ffffff"),
        ("#22c55e", "#000000"),
    ],
)
def test_text_on_the_brand_colour_can_be_read(color: str, text: str) -> None:
    """Black or white, by contrast."""
    assert get_text_color(color) == text


def test_the_brand_stylesheet_follows_the_setting(door: Door, settings: Any) -> None:
    """It is CSS and takes the colour of the moment."""
    settings.ALGUNA_SANDBOX_BRAND_COLOR = "#FACC15"
    response = door.client.get("/sandbox/brand.css")
    assert response["Content-Type"] == "text/css"
    assert response.content.decode() == ":root { --brand: #FACC15; --on-brand: #000000; }\n"


@pytest.mark.parametrize("color", ["red", "#fff", "#4f46e5; } body { display: none", "#4f46e5\n", None])
def test_what_is_no_colour_never_reaches_the_stylesheet(door: Door, settings: Any, color: object) -> None:
    """The default stands in, and a check says why."""
    settings.ALGUNA_SANDBOX_BRAND_COLOR = color
    assert "--brand: #4f46e5;" in door.client.get("/sandbox/brand.css").content.decode()
    assert "alguna_sandbox.E002" in {message.id for message in run_checks()}


def test_the_checks_are_silent_in_development(settings: Any) -> None:
    """Nothing to say with DEBUG on and a colour that is one."""
    settings.DEBUG = True
    assert not [message for message in run_checks() if str(message.id).startswith("alguna_sandbox")]


def test_outside_development_a_check_fails(settings: Any) -> None:
    """A deployment with the sandbox in it does not start."""
    settings.DEBUG = False
    assert "alguna_sandbox.E001" in {message.id for message in run_checks()}
