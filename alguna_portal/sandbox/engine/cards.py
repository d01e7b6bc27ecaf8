"""Payment cards: test numbers alone, of which the last four digits are kept."""

import re
from collections.abc import Mapping
from datetime import datetime

from .starter_account import new_payment_method
from .types import JSON, InvalidForm

# The test numbers that payment providers document; no bank ever gave them out.
BRANDS = {
    "4242 4242 4242 4242": "Visa",
    "4000 0566 5566 5556": "Visa",
    "5555 5555 5555 4444": "Mastercard",
    "3782 822463 10005": "American Express",
    "6011 1111 1111 1117": "Discover",
}
_BY_DIGITS = {number.replace(" ", ""): brand for number, brand in BRANDS.items()}


def read_card(form: Mapping[str, str], *, now: datetime) -> JSON:
    """Return the payment method that a form's `number` and `expires` describe; raise InvalidForm."""
    errors: dict[str, str] = {}
    digits = re.sub(r"[\s-]", "", form.get("number", ""))
    if digits not in _BY_DIGITS:
        errors["number"] = (
            "Enter one of the test numbers, for example 4242 4242 4242 4242. Real cards do not work here."
        )
    expiry = re.fullmatch(r"\s*(0?[1-9]|1[0-2])\s*/\s*(?:20)?([0-9]{2})\s*", form.get("expires", ""))
    if expiry is None:
        errors["expires"] = "Enter the month and the year as on the card, for example 08/29."
        raise InvalidForm(errors)
    month, year = int(expiry[1]), 2000 + int(expiry[2])
    if (year, month) < (now.year, now.month):
        errors["expires"] = "This date has passed. Enter one that is still to come."
    if errors:
        raise InvalidForm(errors)
    card = {"brand": _BY_DIGITS[digits], "last4": digits[-4:], "expires": f"{month:02}/{year}"}
    return {**new_payment_method(now), **card}
