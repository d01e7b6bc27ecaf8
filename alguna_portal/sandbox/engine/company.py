"""A company's own details as a person edits them: name, billing e-mail address, postal address."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from .subscriptions import new_payment_method
from .types import JSON, InvalidForm

# --- from alguna_portal.sandbox.engine.cards

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


ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")
LONGEST = 255


def details(customer: JSON) -> dict[str, str]:
    """Return what a form starts with."""
    address = customer.get("billing_address", {})
    contact = _primary(customer["contacts"])
    return {
        "name": customer["name"],
        "email": contact["email"] if contact else "",
        **{name: address.get(name, "") for name in ADDRESS},
    }


def read_details(form: Mapping[str, str], customer: JSON) -> JSON:
    """Return the customer's fields that a form changes; raise InvalidForm."""
    said = {name: _line(form.get(name, "")) for name in ("name", "email", *ADDRESS)}
    said["country"] = said["country"].upper()
    errors = {name: f"Enter at most {LONGEST} characters." for name, value in said.items() if len(value) > LONGEST}
    if not said["name"]:
        errors["name"] = "Enter the company's name."
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", said["email"]):
        errors["email"] = "Enter an e-mail address, for example billing@example.com."
    if not re.fullmatch("([A-Z]{3})?", said["country"]):
        errors["country"] = "Enter the country's three letters, for example USA."
    if errors:
        raise InvalidForm(errors)
    return {
        "name": said["name"],
        "contacts": _contacts(customer["contacts"], said["email"]),
        "billing_address": {name: said[name] for name in ADDRESS if said[name]},
    }


def _primary(contacts: list[JSON]) -> JSON | None:
    return next((contact for contact in contacts if contact["is_primary"]), contacts[0] if contacts else None)


def _contacts(contacts: list[JSON], email: str) -> list[JSON]:
    """Return the contacts with the primary one's address changed; the others stay as they are."""
    primary = _primary(contacts)
    if primary is None:
        return [{"id": f"cont_{secrets.token_hex(8)}", "email": email, "is_primary": True, "email_preferences": []}]
    return [{**contact, "email": email} if contact is primary else contact for contact in contacts]


def _line(value: str) -> str:
    # On one line, without what cannot be printed: no database takes all of it.
    return "".join(character for character in " ".join(value.split()) if character.isprintable())
