"""Portal sessions: whose portal a token opens, until when, and what may be seen and done there."""

import hashlib
import secrets
from datetime import datetime

from .customers import by_alias
from .fields import Fields, decode
from .messages import JSON, Answer, ApiError, Call, State, json_answer, timestamp

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
    customer = _customer(call.state, fields)
    token = secrets.token_urlsafe(24)
    session: JSON = {
        "id": secrets.token_urlsafe(6),
        "customer_id": customer["id"],
        "created_at": timestamp(call.now),
        "expires_at": timestamp(call.now + call.session_life),
    }
    call.state["sessions"][_digest(token)] = {**session, "settings": settings}
    return json_answer({**session, "url": f"{call.portal_url}/hs/{token}"})


def by_token(state: State, token: str) -> JSON | None:
    """Return the session that a token opens, expired or not, None where there is none."""
    return state["sessions"].get(_digest(token))


def has_expired(session: JSON, *, now: datetime) -> bool:
    """Tell whether the session's time is over."""
    return now >= datetime.fromisoformat(session["expires_at"])


def _digest(token: str) -> str:
    # The token alone opens a portal, so the state keeps only what proves it.
    return hashlib.sha256(token.encode()).hexdigest()


def _customer(state: State, fields: Fields) -> JSON:
    customer_id = fields.text_or_none("customer_id")
    alias = fields.text_or_none("customer_alias")
    if customer_id is not None:
        customer = state["customers"].get(customer_id)
    elif alias is not None:
        customer = by_alias(state, alias)
    else:
        raise ApiError(422, "Either customer_id or customer_alias is required.")
    if customer is None:
        raise ApiError(404, "No such customer.")
    return customer


def _settings(fields: Fields) -> JSON:
    """Return the sections as they were sent: what is left out follows the organization's default."""
    settings: JSON = {}
    for section, names in SECTIONS.items():
        if fields.has(section):
            inner = fields.inner(section)
            inner.only(names)
            settings[section] = {name: inner.flag(name) for name in names if inner.has(name)}
    return settings
