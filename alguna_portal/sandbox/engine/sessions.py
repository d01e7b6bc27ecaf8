"""Portal sessions: the endpoints of the current and the legacy API that create them, and their records.

The legacy API is the one in Alguna's portal guide: camelCase names, no version header, and only a URL in the
response. Its sessions are stored like those of the current API and open the same portal.
"""

import hashlib
import secrets
from collections.abc import Mapping

from .customers import find_by_alias
from .types import JSON, ApiCall, ApiError, Response, State, format_timestamp, json_response
from .validation import Fields, parse_body

LEGACY_PATH = "/portal/customer-session/customer-portal"

# Each section's name in the request → its name in the state, and the same for its settings.
Sections = Mapping[str, tuple[str, Mapping[str, str]]]
SECTIONS: Sections = {
    section: (section, {name: name for name in names})
    for section, names in {
        "plan_overview_settings": ("show_section", "allow_subscription_cancel", "allow_self_serve_change"),
        "invoice_list_settings": ("show_section",),
        "billing_details_settings": (
            "show_section",
            "allow_autopay_edit",
            "allow_payment_method_edit",
            "allow_account_edit",
        ),
    }.items()
}
LEGACY_SECTIONS: Sections = {
    "planOverviewSettings": (
        "plan_overview_settings",
        {"showSection": "show_section", "allowSubscriptionCancel": "allow_subscription_cancel"},
    ),
    "invoiceListSettings": ("invoice_list_settings", {"showSection": "show_section"}),
    "billingDetailsSettings": ("billing_details_settings", {"showSection": "show_section"}),
}


def create_session(call: ApiCall) -> Response:
    """Handle POST /customer-portal-sessions."""
    return json_response(_add_session(call, "customer_id", "customer_alias", SECTIONS))


def create_legacy_session(call: ApiCall) -> Response:
    """Handle POST /portal/customer-session/customer-portal."""
    return json_response({"sessionUrl": _add_session(call, "accountId", "accountAlias", LEGACY_SECTIONS)["url"]})


def find_session(state: State, token: str) -> JSON | None:
    """Return the session with a token, even if it has expired, or None."""
    return state["sessions"].get(_hash(token))


def set_opened_by(state: State, token: str, browser: str) -> None:
    """Record the browser that opened a session's link."""
    state["sessions"][_hash(token)] = {**state["sessions"][_hash(token)], "opened_by": browser}


def _add_session(call: ApiCall, id_field: str, alias_field: str, sections: Sections) -> JSON:
    """Create the session that a request describes; return it as in the current API."""
    fields = parse_body(call.request.body)
    # If a misspelt section were ignored, the portal would show and allow everything.
    fields.reject_unknown({id_field, alias_field, *sections})
    settings = _parse_settings(fields, sections)
    customer = _get_customer(call.state, fields, id_field, alias_field)
    token = secrets.token_urlsafe(24)
    session: JSON = {
        "id": secrets.token_urlsafe(6),
        "customer_id": customer["id"],
        "created_at": format_timestamp(call.now),
        "expires_at": format_timestamp(call.now + call.session_lifetime),
    }
    call.state["sessions"][_hash(token)] = {**session, "settings": settings}
    return {**session, "url": f"{call.portal_url}/hs/{token}"}


def _parse_settings(fields: Fields, sections: Sections) -> JSON:
    """Return only the settings that were sent: the organization's defaults apply to the others."""
    settings: JSON = {}
    for section, (stored_section, names) in sections.items():
        if fields.has(section):
            section_fields = fields.get_object(section)
            section_fields.reject_unknown(names)
            settings[stored_section] = {
                stored_name: section_fields.get_bool(name)
                for name, stored_name in names.items()
                if section_fields.has(name)
            }
    return settings


def _get_customer(state: State, fields: Fields, id_field: str, alias_field: str) -> JSON:
    customer_id = fields.get_optional_text(id_field)
    alias = fields.get_optional_text(alias_field)
    if customer_id is not None:
        customer = state["customers"].get(customer_id)
    elif alias is not None:
        customer = find_by_alias(state, alias)
    else:
        raise ApiError(422, f"Either {id_field} or {alias_field} is required.")
    if customer is None:
        raise ApiError(404, "No such customer.")
    return customer


def _hash(token: str) -> str:
    # The token alone opens a portal, so the state only contains its hash.
    return hashlib.sha256(token.encode()).hexdigest()
