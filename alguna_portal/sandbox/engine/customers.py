"""Customers: the endpoints that create, read, update, list and look them up, and the records behind them."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .subscriptions import add_starter_records, create_payment_method
from .types import DEFAULT_PLANS, JSON, ApiCall, ApiError, Plan, Response, State, format_timestamp, json_response
from .validation import Fields, paginate, parse_body

MAX_ALIAS_LENGTH = 255
OPTIONAL_ADDRESS_FIELDS = ("line1", "line2", "city", "state", "postal_code")


def create_customer(call: ApiCall) -> Response:
    """Handle POST /customers."""
    return json_response(add_customer(call.state, parse_body(call.request.body), now=call.now, plan=call.first_plan))


def read_customer(call: ApiCall) -> Response:
    """Handle GET /customers/{id or alias}."""
    return json_response(get_customer(call.state, call.ident))


def update_customer(call: ApiCall) -> Response:
    """Handle PATCH /customers/{id or alias}."""
    customer = get_customer(call.state, call.ident)
    return json_response(_change_customer(call.state, customer, parse_body(call.request.body), now=call.now))


def list_customers(call: ApiCall) -> Response:
    """Handle GET /customers."""
    query = call.request.query
    if (alias := query.get("alias")) is not None:
        customer = find_by_alias(call.state, alias)
        found = [customer] if customer else []
    else:
        found = list(call.state["customers"].values())
    if (email := query.get("email")) is not None:
        wanted = email.casefold()
        found = [each for each in found if wanted in {contact["email"].casefold() for contact in each["contacts"]}]
    return paginate(found, query)


def look_up_customer(call: ApiCall) -> Response:
    """Handle GET /customers/lookup."""
    alias = call.request.query.get("alias")
    if not alias:
        raise ApiError(422, "alias is required.")
    # According to the official SDK, ids are looked up too.
    customer = call.state["customers"].get(alias) or find_by_alias(call.state, alias)
    if customer is None:
        raise ApiError(404, "No customer has this alias.")
    return json_response({"customer_id": customer["id"]})


def find_by_alias(state: State, alias: str) -> JSON | None:
    """Return the customer with an alias, or None."""
    owner = state["aliases"].get(alias)
    return state["customers"][owner["customer_id"]] if owner else None


def get_customer(state: State, ident: str) -> JSON:
    """Return the customer with an id or, if no id matches, an alias; raise ApiError 404."""
    customer = state["customers"].get(ident) or find_by_alias(state, ident)
    if customer is None:
        raise ApiError(404, "No such customer.")
    return customer


def add_customer(state: State, fields: Fields, *, now: datetime, plan: Plan = DEFAULT_PLANS[0]) -> JSON:
    """Create a customer with a subscription to a plan; if a field is invalid, raise ApiError and write nothing."""
    customer: JSON = {
        "id": f"cust_{secrets.token_hex(8)}",
        "created_at": format_timestamp(now),
        "updated_at": format_timestamp(now),
        **{name: parse(fields) for name, parse in _PARSERS.items() if name != "billing_address" or fields.has(name)},
        "payment_methods": [create_payment_method(now)],
        "auto_pay": True,
    }
    _replace_aliases(state, customer["id"], old=[], new=customer["aliases"])
    state["customers"][customer["id"]] = customer
    add_starter_records(state, customer, plan, now=now)
    return customer


def _change_customer(state: State, customer: JSON, fields: Fields, *, now: datetime) -> JSON:
    """Update the fields that were sent, replacing whole lists; if one is invalid, write nothing."""
    changes = {name: parse(fields) for name, parse in _PARSERS.items() if fields.has(name)}
    if "aliases" in changes:
        _replace_aliases(state, customer["id"], old=customer["aliases"], new=changes["aliases"])
    customer = {**customer, **changes, "updated_at": format_timestamp(now)}
    state["customers"][customer["id"]] = customer
    return customer


def _replace_aliases(state: State, customer_id: str, *, old: list[str], new: list[str]) -> None:
    """Replace a customer's aliases; if another customer has one of them, raise ApiError 409 and write nothing."""
    for alias in new:
        owner = state["aliases"].get(alias)
        if owner and owner["customer_id"] != customer_id:
            raise ApiError(409, "Another customer already has one of the aliases.")
    for alias in old:
        del state["aliases"][alias]
    for alias in new:
        state["aliases"][alias] = {"customer_id": customer_id}


def _parse_contacts(fields: Fields) -> list[JSON]:
    return [
        {
            "id": contact.get_optional_text("id") or f"cont_{secrets.token_hex(8)}",
            "email": contact.get_email("email"),
            "is_primary": contact.get_bool("is_primary"),
            "email_preferences": contact.get_texts("email_preferences", max_length=255),
            **_parse_optional_texts(contact, ("first_name", "last_name")),
        }
        for contact in fields.get_objects("contacts")
    ]


def _parse_address(fields: Fields) -> JSON:
    address = fields.get_object("billing_address")
    parsed = _parse_optional_texts(address, OPTIONAL_ADDRESS_FIELDS)
    if address.data.get("country") is not None:
        parsed["country"] = address.get_code("country", "ISO 3166-1 alpha-3")
    return parsed


def _parse_optional_texts(fields: Fields, names: tuple[str, ...]) -> JSON:
    return {name: value for name in names if (value := fields.get_optional_text(name)) is not None}


_PARSERS: Mapping[str, Callable[[Fields], Any]] = {
    "name": lambda fields: fields.get_text("name"),
    "currency": lambda fields: fields.get_code("currency", "ISO 4217"),
    "aliases": lambda fields: fields.get_texts("aliases", max_length=MAX_ALIAS_LENGTH),
    "contacts": _parse_contacts,
    "billing_address": _parse_address,
}
