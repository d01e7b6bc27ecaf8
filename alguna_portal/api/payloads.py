"""Request bodies for the Alguna API, also shown in the admin."""

from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings

from . import legacy
from .responses import JSON


def create_session_payload(customer_alias: object, portal_settings: PortalSettings, api_version: str) -> JSON:
    """Return the request body for a new portal session.

    It contains the alias, since ids differ between Alguna accounts. The alias may be a number or a UUID; raise
    `ValueError` if it is empty.
    """
    if customer_alias in (None, ""):
        raise ValueError("A customer without an alias has no portal: set `alias` to your own id of the customer.")
    if api_version == LEGACY_API_VERSION:
        return legacy.create_session_payload(str(customer_alias), portal_settings)
    return {"customer_alias": str(customer_alias), **portal_settings.payload()}


def create_customer_payload(*, alias: str, name: str, currency: str, email: str) -> JSON:
    """Return the request body for a new customer. The email address, if any, becomes its primary contact."""
    body: JSON = {"name": name, "currency": currency, "aliases": [alias]}
    if email:
        body["contacts"] = [{"email": email, "is_primary": True}]
    return body
