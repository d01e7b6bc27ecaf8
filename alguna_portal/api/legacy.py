"""The earlier Alguna API, as documented in its portal guide: `ALGUNA_PORTAL_API_VERSION = "legacy"`.

It has one endpoint, uses camelCase, has no version header and returns only a URL. Everything specific to it is in this
module, so that it can be removed in one step.
"""

from datetime import UTC, datetime, timedelta

from alguna_portal.portal_settings import LEGACY_FIELDS, PortalSettings

from .responses import JSON, PortalSession, get_text

PATH = "/portal/customer-session/customer-portal"


def create_session_payload(customer_alias: str, settings: PortalSettings) -> JSON:
    """Return the request body for a new portal session.

    This API can't forbid edits of billing details. If an edit isn't allowed, the whole section is hidden.
    """
    payload = settings.payload()
    billing = payload.get("billing_details_settings", {})
    if any(value is False for field, value in billing.items() if field.startswith("allow_")):
        payload["billing_details_settings"] = {"show_section": False}
    body: JSON = {"accountAlias": customer_alias}
    for section, fields in payload.items():
        for field, value in fields.items():
            if (section, field) in LEGACY_FIELDS:
                body.setdefault(_to_camel_case(section), {})[_to_camel_case(field)] = value
    return body


def parse_portal_session(data: JSON, *, seconds: float) -> PortalSession:
    """Return a new portal session. The response has no id, customer or times: it is assumed to last `seconds`."""
    url = get_text(data, "sessionUrl", of="portal session")
    now = datetime.now(UTC)
    return PortalSession(id="", customer_id="", url=url, created_at=now, expires_at=now + timedelta(seconds=seconds))


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
