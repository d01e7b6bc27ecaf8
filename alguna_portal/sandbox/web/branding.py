"""The organization's colours as a stylesheet."""

from datetime import date

# --- from alguna_portal.sandbox.web.display

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# How many digits the minor unit has, where it is not two (ISO 4217).
DIGITS = {"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3} | dict.fromkeys(
    ("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0
)


def amount(cents: int, currency: str) -> str:
    """Write an amount, given in the currency's minor unit, with the currency's sign or else its code."""
    digits = DIGITS.get(currency, 2)
    number = f"{cents / 10**digits:,.{digits}f}"
    sign = SIGNS.get(currency)
    return f"{sign}{number}" if sign else f"{number} {currency}"


def day(iso: str) -> str:
    """Write a date, given as `YYYY-MM-DD`."""
    moment = date.fromisoformat(iso)
    return f"{moment.day} {moment:%b %Y}"


def stylesheet(color: str) -> str:
    """Return the brand colour, given as `#rrggbb`, and the text colour to be read on it."""
    return f":root {{ --brand: {color}; --on-brand: {text_on(color)}; }}\n"


def text_on(color: str) -> str:
    """Return black or white, whichever stands out more on the colour (WCAG's relative luminance)."""
    red, green, blue = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    contrast_with_white = 1.05 / (luminance + 0.05)
    contrast_with_black = (luminance + 0.05) / 0.05
    return "#ffffff" if contrast_with_white >= contrast_with_black else "#000000"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
