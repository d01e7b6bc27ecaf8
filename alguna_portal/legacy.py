"""The earlier API, as Alguna's portal guide has it: `ALGUNA_PORTAL_API_VERSION = "legacy"`.

`POST /portal/customer-session/customer-portal`, camelCase both ways, no version header; the answer is a URL
alone. All that differs stands here, so that it can go in one piece. Pure.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from .answers import JSON, PortalSession
from .exceptions import BadAnswer
from .portal_settings import PortalSettings

VERSION = "legacy"
PATH = "/portal/customer-session/customer-portal"

# Its names of our fields. Of all others, it knows nothing.
_NAMES = {
    ("plan_overview_settings", "show_section"): ("planOverviewSettings", "showSection"),
    ("plan_overview_settings", "allow_subscription_cancel"): ("planOverviewSettings", "allowSubscriptionCancel"),
    ("invoice_list_settings", "show_section"): ("invoiceListSettings", "showSection"),
    ("billing_details_settings", "show_section"): ("billingDetailsSettings", "showSection"),
}


def missing_fields(settings: PortalSettings) -> list[str]:
    """Say which of the fields that are set this API does not have."""
    return [
        f"“{section}.{field}” is not in the earlier API that ALGUNA_PORTAL_API_VERSION asks for; leave it out."
        for section, fields in settings.payload().items()
        for field in fields
        if (section, field) not in _NAMES
    ]


def session_request(customer_alias: str, settings: PortalSettings) -> JSON:
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
            if named := _NAMES.get((section, field)):
                body.setdefault(named[0], {})[named[1]] = value
    return body


def portal_session(data: JSON, *, seconds: float) -> PortalSession:
    """Read a portal session from an answer that says nothing of its life, id or customer."""
    url = data.get("sessionUrl")
    if not isinstance(url, str) or not url:
        raise BadAnswer("Alguna's portal session has no “sessionUrl”, or one that is not a string.")
    now = datetime.now(UTC)
    return PortalSession(id="", customer_id="", url=url, created_at=now, expires_at=now + timedelta(seconds=seconds))
