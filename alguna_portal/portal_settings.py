"""Portal settings: the sections and permissions of a portal session, parsed, merged and written as JSON.

The names are those of the API (https://alguna.com/docs, `POST /customer-portal-sessions`, and the official SDK). Each
field is `True`, `False` or unset. Unset fields aren't sent, so the organization's default in Alguna applies. This
module doesn't import Django.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

# The API version of the portal guide and all of its fields.
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
    """The API doesn't have these portal settings; `problems` contains a sentence for each."""

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
        """Parse settings in the API's own keys; raise `InvalidPortalSettings` with all problems."""
        settings, problems = cls.parse_leniently(raw)
        if problems:
            raise InvalidPortalSettings(problems)
        return settings

    @classmethod
    def parse_leniently(cls, raw: object) -> tuple["PortalSettings", list[str]]:
        """Parse the valid fields; return them and the problems of the others. For stored data, which must not raise."""
        if raw == {}:
            return _EMPTY, []
        if not isinstance(raw, Mapping):
            return cls(), [f"Portal settings are a mapping of sections, not {_describe_type(raw)}."]
        problems: list[str] = []
        sections: dict[str, Any] = {}
        for name, values in raw.items():
            if name not in _SECTIONS:
                hint = _get_hint(name, list(_SECTIONS))
                problems.append(f"Portal settings have no section {_quote(name)}. {hint}")
            elif not isinstance(values, Mapping):
                problems.append(f"“{name}” is a mapping of fields, not {_describe_type(values)}.")
            else:
                wrong = {key: _find_problem(name, key, value) for key, value in values.items()}
                problems += filter(None, wrong.values())
                sections[name] = _SECTIONS[name](**{key: values[key] for key in values if not wrong[key]})
        return cls(**sections), problems

    def merge(self, particular: "PortalSettings") -> "PortalSettings":
        """Return these settings, overridden by the fields that more particular settings set."""
        if particular is _EMPTY:
            return self
        merged = {name: replace(getattr(self, name), **set_fields) for name, set_fields in particular.payload().items()}
        return replace(self, **merged)

    def read_only(self) -> "PortalSettings":
        """Return these settings with every permission (`allow_*`) off."""
        off = {
            name: replace(getattr(self, name), **{key: False for key in keys if key.startswith("allow_")})
            for name, keys in _FIELDS.items()
        }
        return replace(self, **off)

    def payload(self) -> dict[str, dict[str, bool]]:
        """Return the settings as the API expects them, without unset fields and empty sections."""
        return {
            name: set_fields
            for name, section in vars(self).items()
            if (set_fields := {key: value for key, value in vars(section).items() if value is not None})
        }


def find_legacy_problems(settings: PortalSettings) -> list[str]:
    """Return one sentence for each field that is set and that the legacy API doesn't have."""
    return [
        f"“{section}.{field}” is not in the earlier API that ALGUNA_PORTAL_API_VERSION asks for; leave it out."
        for section, fields in settings.payload().items()
        for field in fields
        if (section, field) not in LEGACY_FIELDS
    ]


# Most settings are empty, and each click merges several.
_EMPTY = PortalSettings()
_SECTIONS: dict[str, Any] = {section.name: section.default_factory for section in fields(PortalSettings)}
_FIELDS = {name: [field.name for field in fields(section)] for name, section in _SECTIONS.items()}


def _find_problem(section: str, key: object, value: object) -> str:
    """Return why a field is invalid, or an empty string."""
    if key not in _FIELDS[section]:
        return f"“{section}” has no field {_quote(key)}. {_get_hint(key, _FIELDS[section])}"
    if not isinstance(value, bool):
        return f"“{section}.{key}” is true or false, not {_describe_type(value)}; leave it out for Alguna's default."
    return ""


def _get_hint(name: object, known: list[str]) -> str:
    """Suggest the correct name for a typo, the portal guide's camelCase, or a field in the wrong section."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower()
    sections = [section for section, keys in _FIELDS.items() if snake in keys]
    if sections and snake not in known:
        return f"It is a field of {', '.join(map(_quote, sections))}."
    if nearest := get_close_matches(snake, known, n=1):
        return f"Did you mean “{nearest[0]}”?"
    return f"There is {', '.join(map(_quote, known))}."


def _quote(name: object) -> str:
    """Quote an unknown name on one line and shorten it."""
    return f"“{''.join(letter for letter in str(name)[:60] if letter.isprintable())}”"


def _describe_type(value: object) -> str:
    """Describe the type of a value, which isn't shown because it may be secret."""
    names = {"NoneType": "null", "str": "a string", "int": "a number", "float": "a number"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
