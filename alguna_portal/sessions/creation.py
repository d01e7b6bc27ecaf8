"""Session creation in Alguna. If Alguna doesn't know the customer, it can be created first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic

from django.core.exceptions import ObjectDoesNotExist, ValidationError

from alguna_portal.api import get_client
from alguna_portal.api.responses import PortalSession
from alguna_portal.customers.provisioning import may_provision, provision
from alguna_portal.exceptions import CustomerUnknown
from alguna_portal.models import Customer
from alguna_portal.portal_settings import PortalSettings

# The longest time for which a session is cached, whatever lifetime Alguna returns.
MAX_LIFETIME = timedelta(days=30)


def create_session(customer: Customer, portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Create a session within so many seconds; if needed, and `PROVISION_ON_OPEN` is on, create the customer first."""
    until = monotonic() + within
    try:
        return _create_session(customer, portal_settings, within=within)
    except CustomerUnknown as exc:
        if not may_provision(customer):
            raise
        try:
            provision(customer, within=until - monotonic())
        except ValidationError as invalid:
            # The names of the fields only, because their values may be personal.
            fields = ", ".join(invalid.message_dict)
            raise CustomerUnknown(f"{exc} It could not be created there; check its {fields}.", status=404) from None
        except ObjectDoesNotExist:
            raise CustomerUnknown(f"{exc} Here it was deleted meanwhile.", status=404) from None
    return _create_session(customer, portal_settings, within=until - monotonic())


def _create_session(customer: Customer, portal_settings: PortalSettings, *, within: float) -> PortalSession:
    client = get_client()
    requested_at = datetime.now(UTC)
    session = client.create_portal_session(
        customer.alias, portal_settings, customer_id=customer.customer_id, within=within
    )
    # Alguna's clock and ours may differ, so only the difference between Alguna's two times is used.
    lifetime = min(session.life, MAX_LIFETIME)
    return replace(session, created_at=requested_at, expires_at=requested_at + lifetime)
