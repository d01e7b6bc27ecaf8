"""What Alguna is sent, in the words of the API in use. Pure, and without HTTP: the admin shows it, too."""

from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings

from . import legacy
from .responses import JSON


def create_session_payload(customer_alias: object, portal_settings: PortalSettings, api_version: str) -> JSON:
    """Write the body that asks for a portal session. By alias: an id would tie us to one Alguna account.

    An alias may be given as a number or a UUID; raise `ValueError` for an empty one.
    """
    if customer_alias in (None, ""):
        raise ValueError("A customer without an alias has no portal: set `alias` to your own id of the customer.")
    if api_version == LEGACY_API_VERSION:
        return legacy.create_session_payload(str(customer_alias), portal_settings)
    return {"customer_alias": str(customer_alias), **portal_settings.payload()}


def create_customer_payload(*, alias: str, name: str, currency: str, email: str) -> JSON:
    """Write the body that creates a customer; the e-mail address, where there is one, is its primary contact's."""
    body: JSON = {"name": name, "currency": currency, "aliases": [alias]}
    if email:
        body["contacts"] = [{"email": email, "is_primary": True}]
    return body
