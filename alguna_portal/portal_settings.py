"""What a portal session shows and allows: the API's three sections, read, merged and written.

The names are the API's own (https://alguna.com/docs, `POST /customer-portal-sessions`, and the official SDK).
Every field is `True`, `False` or unset; what is unset is left out on the wire, so the organization's
default in Alguna holds. Pure: no Django, no settings, no I/O.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

# The API version of the portal guide, and all the fields that it has.
LEGACY_API_VERSION = "legacy"
LEGACY_FIELDS = frozenset(
    {
        ("plan_overview_settings", "show_section"),
        ("plan_overview_settings", "allow_subscription_cancel"),
        ("invoice_list_settings", "show_section"),
        ("billing_details_settings", "show_section"),
    }
)


class InvalidPortalSettings(ValueError):
    """Portal settings that the API does not know; `problems` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(self.problems)


@dataclass(frozen=True, kw_only=True)
class PlanOverviewSettings:
    """The section with the subscription, its price and the next charge."""

    show_section: bool | None = None
    allow_subscription_cancel: bool | None = None
    allow_self_serve_change: bool | None = None


@dataclass(frozen=True, kw_only=True)
class InvoiceListSettings:
    """The section with the invoices and their PDFs."""

    show_section: bool | None = None


@dataclass(frozen=True, kw_only=True)
class BillingDetailsSettings:
    """The section with company details, payment methods and auto-pay."""

    show_section: bool | None = None
    allow_autopay_edit: bool | None = None
    allow_payment_method_edit: bool | None = None
    allow_account_edit: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PortalSettings:
    """The settings of one portal session."""

    plan_overview_settings: PlanOverviewSettings = field(default_factory=PlanOverviewSettings)
    invoice_list_settings: InvoiceListSettings = field(default_factory=InvoiceListSettings)
    billing_details_settings: BillingDetailsSettings = field(default_factory=BillingDetailsSettings)

    @classmethod
    def parse(cls, raw: object) -> "PortalSettings":
        """Read settings in the API's own keys; raise `InvalidPortalSettings` with every problem found."""
        settings, problems = cls.parse_leniently(raw)
        if problems:
            raise InvalidPortalSettings(problems)
        return settings

    @classmethod
    def parse_leniently(cls, raw: object) -> tuple["PortalSettings", list[str]]:
        """Read what can be read, and say what could not: for stored data that must not stop a click."""
        if raw == {}:
            return _NOTHING_SET, []
        if not isinstance(raw, Mapping):
            return cls(), [f"Portal settings are a mapping of sections, not {_kind(raw)}."]
        problems: list[str] = []
        sections: dict[str, Any] = {}
        for name, values in raw.items():
            if name not in _SECTIONS:
                problems.append(_unknown_section(name))
            elif not isinstance(values, Mapping):
                problems.append(f"“{name}” is a mapping of fields, not {_kind(values)}.")
            else:
                wrong = {key: _field_problem(name, key, value) for key, value in values.items()}
                problems += filter(None, wrong.values())
                sections[name] = _SECTIONS[name](**{key: values[key] for key in values if not wrong[key]})
        return cls(**sections), problems

    def merge(self, particular: "PortalSettings") -> "PortalSettings":
        """Lay more particular settings over these: what they set wins, what they leave unset stays."""
        if particular is _NOTHING_SET:
            return self
        merged = {name: replace(getattr(self, name), **set_fields) for name, set_fields in particular.payload().items()}
        return replace(self, **merged)

    def read_only(self) -> "PortalSettings":
        """Turn every power (`allow_*`) off; what is shown stays as it is."""
        off = {
            name: replace(getattr(self, name), **{key: False for key in keys if key.startswith("allow_")})
            for name, keys in _FIELDS.items()
        }
        return replace(self, **off)

    def payload(self) -> dict[str, dict[str, bool]]:
        """Write the settings as the API takes them: unset fields and empty sections are left out."""
        return {
            name: set_fields
            for name, section in vars(self).items()
            if (set_fields := {key: value for key, value in vars(section).items() if value is not None})
        }


def find_unsupported_fields(settings: PortalSettings, api_version: str) -> list[str]:
    """Return one sentence for each field that is set and that this version of the API doesn't have."""
    if api_version != LEGACY_API_VERSION:
        return []
    return [
        f"“{section}.{field}” is not in the earlier API that ALGUNA_PORTAL_API_VERSION asks for; leave it out."
        for section, fields in settings.payload().items()
        for field in fields
        if (section, field) not in LEGACY_FIELDS
    ]


# Most settings are empty, and each click reads several.
_NOTHING_SET = PortalSettings()
_SECTIONS: dict[str, type[Any]] = {
    "plan_overview_settings": PlanOverviewSettings,
    "invoice_list_settings": InvoiceListSettings,
    "billing_details_settings": BillingDetailsSettings,
}
_FIELDS = {name: [f.name for f in fields(section)] for name, section in _SECTIONS.items()}


def _field_problem(section: str, key: object, value: object) -> str:
    """Name what is wrong with one field, or return an empty string."""
    if key not in _FIELDS[section]:
        return f"“{section}” has no field {_shown(key)}. {_hint(key, _FIELDS[section])}"
    if not isinstance(value, bool):
        return f"“{section}.{key}” is true or false, not {_kind(value)}; leave it out for Alguna's default."
    return ""


def _unknown_section(name: object) -> str:
    return f"Portal settings have no section {_shown(name)}. {_hint(name, list(_SECTIONS))}"


def _hint(name: object, known: list[str]) -> str:
    """Suggest the right name: for a typo, the portal guide's camelCase, or a field in the wrong place."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower()
    homes = [section for section, keys in _FIELDS.items() if snake in keys]
    if homes and snake not in known:
        return f"It is a field of {_quoted(homes)}."
    if nearest := get_close_matches(snake, known, n=1):
        return f"Did you mean “{nearest[0]}”?"
    return f"There is {_quoted(known)}."


def _quoted(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _shown(name: object) -> str:
    """Show a foreign name on one line, and not all of a long one."""
    return f"“{''.join(letter for letter in str(name)[:60] if letter.isprintable())}”"


def _kind(value: object) -> str:
    """Say what a value is without showing it: it may be anything, a secret included."""
    names = {"NoneType": "null", "str": "a string", "int": "a number", "float": "a number"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
