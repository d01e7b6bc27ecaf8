"""Customers: creating, finding and changing them. An alias belongs to one customer at most."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from .subscriptions import new_payment_method, open_account
from .types import JSON, PLANS, Answer, ApiError, Call, Plan, State, json_answer, timestamp
from .validation import Fields, decode, page

LONGEST_ALIAS = 255


def by_alias(state: State, alias: str) -> JSON | None:
    """Return the customer that has the alias, None where nobody has it."""
    owner = state["aliases"].get(alias)
    return state["customers"][owner["customer_id"]] if owner else None


def by_ident(state: State, ident: str) -> JSON:
    """Return the customer whose id or, failing that, whose alias this is; raise 404."""
    customer = state["customers"].get(ident) or by_alias(state, ident)
    if customer is None:
        raise ApiError(404, "No such customer.")
    return customer


def add(state: State, fields: Fields, *, now: datetime, plan: Plan = PLANS[0]) -> JSON:
    """Create a customer with a subscription to the plan; nothing is written where a field is refused."""
    customer: JSON = {
        "id": f"cust_{secrets.token_hex(8)}",
        "name": fields.text("name"),
        "currency": fields.code("currency", "ISO 4217"),
        "created_at": timestamp(now),
        "updated_at": timestamp(now),
        "aliases": _aliases(fields),
        "contacts": _contacts(fields),
        "payment_methods": [new_payment_method(now)],
        "auto_pay": True,
    }
    if fields.has("billing_address"):
        customer["billing_address"] = _address(fields)
    _give_aliases(state, customer["id"], old=[], new=customer["aliases"])
    state["customers"][customer["id"]] = customer
    open_account(state, customer, plan, now=now)
    return customer


def change(state: State, customer: JSON, fields: Fields, *, now: datetime) -> JSON:
    """Change the fields that were sent, lists as a whole; nothing is written where one is refused."""
    changed: JSON = {"updated_at": timestamp(now)}
    if fields.has("name"):
        changed["name"] = fields.text("name")
    if fields.has("currency"):
        changed["currency"] = fields.code("currency", "ISO 4217")
    if fields.has("contacts"):
        changed["contacts"] = _contacts(fields)
    if fields.has("billing_address"):
        changed["billing_address"] = _address(fields)
    if fields.has("aliases"):
        changed["aliases"] = _aliases(fields)
        _give_aliases(state, customer["id"], old=customer["aliases"], new=changed["aliases"])
    customer = {**customer, **changed}
    state["customers"][customer["id"]] = customer
    return customer


def create(call: Call) -> Answer:
    """Answer POST /customers."""
    return json_answer(add(call.state, decode(call.request.body), now=call.now, plan=call.first_plan))


def read(call: Call) -> Answer:
    """Answer GET /customers/{id or alias}."""
    return json_answer(by_ident(call.state, call.ident))


def update(call: Call) -> Answer:
    """Answer PATCH /customers/{id or alias}."""
    customer = by_ident(call.state, call.ident)
    return json_answer(change(call.state, customer, decode(call.request.body), now=call.now))


def search(call: Call) -> Answer:
    """Answer GET /customers."""
    query = call.request.query
    found: Sequence[JSON]
    if (alias := query.get("alias")) is not None:
        owner = by_alias(call.state, alias)
        found = [owner] if owner else []
    else:
        found = list(call.state["customers"].values())
    if (email := query.get("email")) is not None:
        found = [customer for customer in found if _has_email(customer, email)]
    return page(found, query)


def lookup(call: Call) -> Answer:
    """Answer GET /customers/lookup."""
    alias = call.request.query.get("alias")
    if not alias:
        raise ApiError(422, "alias is required.")
    # An id is looked up too, says the official SDK.
    owner = call.state["customers"].get(alias) or by_alias(call.state, alias)
    if owner is None:
        raise ApiError(404, "No customer has this alias.")
    return json_answer({"customer_id": owner["id"]})


def _aliases(fields: Fields) -> list[str]:
    return fields.texts("aliases", longest=LONGEST_ALIAS)


def _give_aliases(state: State, customer_id: str, *, old: list[str], new: list[str]) -> None:
    """Make the new aliases the customer's; raise 409 before anything is written where one is taken."""
    for alias in new:
        owner = state["aliases"].get(alias)
        if owner and owner["customer_id"] != customer_id:
            raise ApiError(409, "Another customer already has one of the aliases.")
    for alias in old:
        del state["aliases"][alias]
    for alias in new:
        state["aliases"][alias] = {"customer_id": customer_id}


def _contacts(fields: Fields) -> list[JSON]:
    contacts: list[JSON] = []
    for contact in fields.inners("contacts"):
        entry: JSON = {
            "id": contact.text_or_none("id") or f"cont_{secrets.token_hex(8)}",
            "email": contact.email("email"),
            "is_primary": contact.flag("is_primary"),
            "email_preferences": contact.texts("email_preferences", longest=255),
        }
        for name in ("first_name", "last_name"):
            if (value := contact.text_or_none(name)) is not None:
                entry[name] = value
        contacts.append(entry)
    return contacts


def _address(fields: Fields) -> JSON:
    address = fields.inner("billing_address")
    parts: JSON = {}
    for name in ("line1", "line2", "city", "state", "postal_code"):
        if (value := address.text_or_none(name)) is not None:
            parts[name] = value
    if address.data.get("country") is not None:
        parts["country"] = address.code("country", "ISO 3166-1 alpha-3")
    return parts


def _has_email(customer: JSON, email: str) -> bool:
    wanted = email.casefold()
    return any(contact["email"].casefold() == wanted for contact in customer["contacts"])
