"""The earlier API, as Alguna's portal guide has it: `ALGUNA_PORTAL_API_VERSION = "legacy"`.

`POST /portal/customer-session/customer-portal`, camelCase both ways, no version header; the answer is a URL
alone. All that differs stands here, so that it can go in one piece. Pure.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from alguna_portal.exceptions import UnexpectedResponse
from alguna_portal.portal_settings import LEGACY_FIELDS, PortalSettings

from .responses import JSON, PortalSession

PATH = "/portal/customer-session/customer-portal"


def create_session_payload(customer_alias: str, settings: PortalSettings) -> JSON:
    """Write the body that asks for a portal session.

    What cannot be forbidden there is hidden: a viewer, who must not edit billing details, does not see them.
    """
    payload = settings.payload()
    billing = payload.get("billing_details_settings", {})
    if any(value is False for field, value in billing.items() if field.startswith("allow_")):
        payload["billing_details_settings"] = {"show_section": False}
    body: dict[str, Any] = {"accountAlias": customer_alias}
    for section, fields in payload.items():
        for field, value in fields.items():
            if (section, field) in LEGACY_FIELDS:
                body.setdefault(_to_camel_case(section), {})[_to_camel_case(field)] = value
    return body


def parse_portal_session(data: JSON, *, seconds: float) -> PortalSession:
    """Read a portal session from an answer that says nothing of its life, id or customer."""
    url = data.get("sessionUrl")
    if not isinstance(url, str) or not url:
        raise UnexpectedResponse("Alguna's portal session has no “sessionUrl”, or one that is not a string.")
    now = datetime.now(UTC)
    return PortalSession(id="", customer_id="", url=url, created_at=now, expires_at=now + timedelta(seconds=seconds))


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
