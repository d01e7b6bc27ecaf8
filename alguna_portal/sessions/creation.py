"""A new session, made by Alguna, for a customer who may have to be made there first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from django.core.exceptions import ObjectDoesNotExist, ValidationError

from alguna_portal.api import get_client
from alguna_portal.api.responses import PortalSession
from alguna_portal.conf import conf
from alguna_portal.customers import provision
from alguna_portal.exceptions import CustomerUnknown
from alguna_portal.portal_settings import PortalSettings

if TYPE_CHECKING:
    from alguna_portal.models import Customer

# However long Alguna says a session lives, it is not kept for longer.
LONGEST_LIFE = timedelta(days=30)


def may_provision(customer: "Customer") -> bool:
    """Say whether a customer that Alguna does not know is to be created there.

    One whose id is known is there, in this account or another one, under another alias.
    """
    return conf.PROVISION_ON_OPEN and not customer.customer_id


def create_session(customer: "Customer", portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Make a session; where Alguna does not know the customer, and that is wanted, make the customer first."""
    until = monotonic() + within
    try:
        return _ask(customer, portal_settings, within=within)
    except CustomerUnknown as exc:
        if not may_provision(customer):
            raise
        try:
            provision(customer, within=until - monotonic())
        except ValidationError as invalid:
            # Names of fields, without their contents.
            fields = ", ".join(invalid.message_dict)
            raise CustomerUnknown(f"{exc} It could not be created there; check its {fields}.", status=404) from None
        except ObjectDoesNotExist:
            raise CustomerUnknown(f"{exc} Here it was deleted meanwhile.", status=404) from None
    return _ask(customer, portal_settings, within=until - monotonic())


def _ask(customer: "Customer", portal_settings: PortalSettings, *, within: float) -> PortalSession:
    """Ask Alguna for a session, and tell its times by our own clock."""
    client = get_client()
    asked_at = datetime.now(UTC)
    answer = client.create_portal_session(
        customer.alias, portal_settings, customer_id=customer.customer_id, within=within
    )
    # Alguna's two times are by one clock, ours by another. Only their difference can be trusted to be right.
    return replace(answer, created_at=asked_at, expires_at=asked_at + min(answer.life, LONGEST_LIFE))
