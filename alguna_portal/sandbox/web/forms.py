"""The fields of the portal's forms as a page shows them; what they may hold is the pure modules' to say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from alguna_portal.sandbox.engine.cards import BRANDS


@dataclass(frozen=True, kw_only=True)
class Field:
    """One line to write in, with what it holds and what is wrong with it."""

    name: str
    label: str
    hint: str = ""
    autocomplete: str = "off"
    type: str = "text"
    inputmode: str = "text"
    required: bool = True
    value: str = ""
    error: str = ""

    @property
    def described_by(self) -> str:
        """Return the ids of what explains it."""
        parts = (f"{self.name}-error" if self.error else "", f"{self.name}-hint" if self.hint else "")
        return " ".join(filter(None, parts))


# No browser shall fill in a real card, and a number that was refused may be one: it is not shown again.
CARD = (
    Field(
        name="number",
        label="Card number",
        inputmode="numeric",
        hint="A test number: " + ", ".join(f"{number} ({brand})" for number, brand in BRANDS.items()) + ".",
    ),
    Field(name="expires", label="Expires", hint="Month and year, for example 08/29."),
)
COMPANY = (
    Field(name="name", label="Company name", autocomplete="organization"),
    Field(name="email", label="Billing e-mail address", autocomplete="email", type="email", inputmode="email"),
    Field(name="line1", label="Street and number", autocomplete="address-line1", required=False),
    Field(name="line2", label="Suite, floor or building", autocomplete="address-line2", required=False),
    Field(name="city", label="City", autocomplete="address-level2", required=False),
    Field(name="state", label="State or region", autocomplete="address-level1", required=False),
    Field(name="postal_code", label="Postal code", autocomplete="postal-code", required=False),
    Field(name="country", label="Country", hint="Three letters, for example USA or DEU.", required=False),
)


def filled(fields: Iterable[Field], values: Mapping[str, str], errors: Mapping[str, str]) -> list[Field]:
    """Return the fields with what they hold and what is wrong with them."""
    return [replace(field, value=values.get(field.name, ""), error=errors.get(field.name, "")) for field in fields]
