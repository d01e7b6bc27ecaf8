"""Portal sessions: whose portal a token opens, until when, and what may be seen and done there."""

import hashlib
import secrets
from datetime import datetime

from .customers import by_alias
from .types import JSON, Answer, ApiError, Call, State, json_answer, timestamp
from .validation import Fields, decode

SECTIONS = {
    "plan_overview_settings": ("show_section", "allow_subscription_cancel", "allow_self_serve_change"),
    "invoice_list_settings": ("show_section",),
    "billing_details_settings": (
        "show_section",
        "allow_autopay_edit",
        "allow_payment_method_edit",
        "allow_account_edit",
    ),
}


def create(call: Call) -> Answer:
    """Answer POST /customer-portal-sessions."""
    fields = decode(call.request.body)
    # Strict on the top level too: a misspelt section would be dropped and the portal left wide open.
    fields.only({"customer_id", "customer_alias", *SECTIONS})
    settings = _settings(fields)
    customer = named_customer(call.state, fields, "customer_id", "customer_alias")
    return json_answer(make(call, customer, settings))


def make(call: Call, customer: JSON, settings: JSON) -> JSON:
    """Make a session; return what the dated API tells of it. The settings are in that API's names."""
    token = secrets.token_urlsafe(24)
    session: JSON = {
        "id": secrets.token_urlsafe(6),
        "customer_id": customer["id"],
        "created_at": timestamp(call.now),
        "expires_at": timestamp(call.now + call.session_life),
    }
    call.state["sessions"][_digest(token)] = {**session, "settings": settings}
    return {**session, "url": f"{call.portal_url}/hs/{token}"}


def named_customer(state: State, fields: Fields, id_field: str, alias_field: str) -> JSON:
    """Return the customer that a request names by id or else by alias; raise 422 or 404."""
    customer_id = fields.text_or_none(id_field)
    alias = fields.text_or_none(alias_field)
    if customer_id is not None:
        customer = state["customers"].get(customer_id)
    elif alias is not None:
        customer = by_alias(state, alias)
    else:
        raise ApiError(422, f"Either {id_field} or {alias_field} is required.")
    if customer is None:
        raise ApiError(404, "No such customer.")
    return customer


def by_token(state: State, token: str) -> JSON | None:
    """Return the session that a token opens, expired or not, None where there is none."""
    return state["sessions"].get(_digest(token))


def has_expired(session: JSON, *, now: datetime) -> bool:
    """Tell whether the session's time is over."""
    return now >= datetime.fromisoformat(session["expires_at"])


def opened_by(state: State, token: str) -> str | None:
    """Return the browser that opened a session's link, None where nobody did while that was counted."""
    opened: str | None = state["sessions"][_digest(token)].get("opened_by")
    return opened


def set_opened_by(state: State, token: str, browser: str) -> None:
    """Remember the browser that opened a session's link."""
    state["sessions"][_digest(token)] = {**state["sessions"][_digest(token)], "opened_by": browser}


def _digest(token: str) -> str:
    # The token alone opens a portal, so the state keeps only what proves it.
    return hashlib.sha256(token.encode()).hexdigest()


def _settings(fields: Fields) -> JSON:
    """Return the sections as they were sent: what is left out follows the organization's default."""
    settings: JSON = {}
    for section, names in SECTIONS.items():
        if fields.has(section):
            inner = fields.inner(section)
            inner.only(names)
            settings[section] = {name: inner.flag(name) for name in names if inner.has(name)}
    return settings
