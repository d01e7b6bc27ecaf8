"""Amounts and dates as people read them, in English."""

from datetime import date

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
