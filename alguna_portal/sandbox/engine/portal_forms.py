"""Forms of the hosted portal: validation of payment cards and of company details."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from .subscriptions import create_payment_method
from .types import JSON, InvalidForm

# The test numbers that payment providers document; they don't belong to real cards.
TEST_CARDS = {
    "4242 4242 4242 4242": "Visa",
    "4000 0566 5566 5556": "Visa",
    "5555 5555 5555 4444": "Mastercard",
    "3782 822463 10005": "American Express",
    "6011 1111 1111 1117": "Discover",
}
_BRANDS = {number.replace(" ", ""): brand for number, brand in TEST_CARDS.items()}

ADDRESS_FIELDS = ("line1", "line2", "city", "state", "postal_code", "country")
MAX_LENGTH = 255


def parse_card(form: Mapping[str, str], *, now: datetime) -> JSON:
    """Return the payment method for the form fields `number` and `expires`; raise InvalidForm."""
    errors: dict[str, str] = {}
    digits = re.sub(r"[\s-]", "", form.get("number", ""))
    if digits not in _BRANDS:
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
    card = {"brand": _BRANDS[digits], "last4": digits[-4:], "expires": f"{month:02}/{year}"}
    return {**create_payment_method(now), **card}


def get_company_details(customer: JSON) -> dict[str, str]:
    """Return the initial values of the form for company details."""
    address = customer.get("billing_address", {})
    contact = _get_primary_contact(customer["contacts"])
    return {
        "name": customer["name"],
        "email": contact["email"] if contact else "",
        **{name: address.get(name, "") for name in ADDRESS_FIELDS},
    }


def parse_company_details(form: Mapping[str, str], customer: JSON) -> JSON:
    """Return the customer's fields with the values of the form; raise InvalidForm."""
    values = {name: _clean(form.get(name, "")) for name in ("name", "email", *ADDRESS_FIELDS)}
    values["country"] = values["country"].upper()
    errors = {
        name: f"Enter at most {MAX_LENGTH} characters." for name, value in values.items() if len(value) > MAX_LENGTH
    }
    if not values["name"]:
        errors["name"] = "Enter the company's name."
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", values["email"]):
        errors["email"] = "Enter an e-mail address, for example billing@example.com."
    if not re.fullmatch("([A-Z]{3})?", values["country"]):
        errors["country"] = "Enter the country's three letters, for example USA."
    if errors:
        raise InvalidForm(errors)
    return {
        "name": values["name"],
        "contacts": _change_primary_email(customer["contacts"], values["email"]),
        "billing_address": {name: values[name] for name in ADDRESS_FIELDS if values[name]},
    }


def _get_primary_contact(contacts: list[JSON]) -> JSON | None:
    return next((contact for contact in contacts if contact["is_primary"]), contacts[0] if contacts else None)


def _change_primary_email(contacts: list[JSON], email: str) -> list[JSON]:
    """Return the contacts with another email address for the primary one, which is created if there is none."""
    primary = _get_primary_contact(contacts)
    if primary is None:
        return [{"id": f"cont_{secrets.token_hex(8)}", "email": email, "is_primary": True, "email_preferences": []}]
    return [{**contact, "email": email} if contact is primary else contact for contact in contacts]


def _clean(value: str) -> str:
    # One line without unprintable characters: not every database can store all of them.
    return "".join(character for character in " ".join(value.split()) if character.isprintable())
