"""Display values for the portal's pages and PDF invoices: amounts, dates and the brand stylesheet."""

from datetime import date

from alguna_portal.sandbox.engine.types import JSON

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# The number of decimal places (ISO 4217) if it isn't two.
DECIMAL_PLACES = {"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3} | dict.fromkeys(
    ("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0
)


def format_amount(cents: int, currency: str) -> str:
    """Format an amount in the currency's minor unit, with the currency's sign or code."""
    places = DECIMAL_PLACES.get(currency, 2)
    number = f"{cents / 10**places:,.{places}f}"
    sign = CURRENCY_SIGNS.get(currency)
    return f"{sign}{number}" if sign else f"{number} {currency}"


def format_date(iso: str) -> str:
    """Format a date given as `YYYY-MM-DD`."""
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%b %Y}"


def add_display_values(record: JSON) -> JSON:
    """Return a subscription or an invoice with formatted values.

    For each `…_cents` it has an additional `…_amount`, for each `…_on` a `…_date`, and each line has its `amount`.
    """
    currency = record["currency"]
    shown = dict(record)
    for name, value in record.items():
        if name.endswith("_cents") and value is not None:
            shown[f"{name.removesuffix('_cents')}_amount"] = format_amount(value, currency)
        if name.endswith("_on") and value is not None:
            shown[f"{name.removesuffix('_on')}_date"] = format_date(value)
    shown["lines"] = [
        {**line, "amount": format_amount(line["quantity"] * line["unit_cents"], currency)} for line in record["lines"]
    ]
    return shown


def create_stylesheet(color: str) -> str:
    """Return CSS variables for the brand colour, given as `#rrggbb`, and the colour of text on it."""
    return f":root {{ --brand: {color}; --on-brand: {get_text_color(color)}; }}\n"


def get_text_color(background: str) -> str:
    """Return black or white, whichever has more contrast with the background (WCAG's relative luminance)."""
    red, green, blue = (_linearize(int(background[start : start + 2], 16) / 255) for start in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    contrast_with_white = 1.05 / (luminance + 0.05)
    contrast_with_black = (luminance + 0.05) / 0.05
    return "#ffffff" if contrast_with_white >= contrast_with_black else "#000000"


def _linearize(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
