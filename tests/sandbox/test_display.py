"""Display values, brand colours and system checks of the sandbox."""

from typing import Any

import pytest
from django.core.checks import run_checks

from alguna_portal.sandbox.web.display import format_amount, format_date, get_text_color
from tests.sandbox.conftest import SandboxClient


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
def test_amount_has_the_decimal_places_of_its_currency(cents: int, currency: str, text: str) -> None:
    assert format_amount(cents, currency) == text


def test_date_has_no_leading_zero() -> None:
    assert format_date("2026-04-01") == "1 Apr 2026"


@pytest.mark.parametrize(
    ("text", "backgrounds"),
    [("#ffffff", ("#4f46e5", "#000000", "#dc2626")), ("#000000", ("#ffffff", "#facc15", "#22c55e"))],
)
def test_text_colour_has_the_higher_contrast(text: str, backgrounds: tuple[str, ...]) -> None:
    assert {get_text_color(background) for background in backgrounds} == {text}


def test_brand_stylesheet_has_the_colour_of_the_setting(sandbox: SandboxClient, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_BRAND_COLOR = "#FACC15"
    response = sandbox.client.get("/sandbox/brand.css")
    assert response["Content-Type"] == "text/css"
    assert response.content.decode() == ":root { --brand: #FACC15; --on-brand: #000000; }\n"


@pytest.mark.parametrize("color", ["red", "#fff", "#4f46e5; } body { display: none", "#4f46e5\n", None])
def test_invalid_colour_is_reported_and_replaced_by_the_default(
    sandbox: SandboxClient, settings: Any, color: object
) -> None:
    settings.ALGUNA_SANDBOX_BRAND_COLOR = color
    assert "--brand: #4f46e5;" in sandbox.client.get("/sandbox/brand.css").content.decode()
    assert "alguna_sandbox.E002" in {message.id for message in run_checks()}


def test_checks_find_nothing_in_development(settings: Any) -> None:
    settings.DEBUG = True
    assert not [message for message in run_checks() if str(message.id).startswith("alguna_sandbox")]


def test_check_fails_without_debug(settings: Any) -> None:
    settings.DEBUG = False
    assert "alguna_sandbox.E001" in {message.id for message in run_checks()}
