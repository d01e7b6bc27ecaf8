"""The audit trail: one row for each click, and none that fails ever stops the user who clicked."""

import logging
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import router

from .conf import conf
from .models import Customer, PortalAccess, PortalLink
from .portal_settings import PortalSettings
from .transactions import savepoint

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

logger = logging.getLogger(__name__)

Outcome, Via = PortalAccess.Outcome, PortalAccess.Via


def record(
    outcome: str,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    via: str,
    customer: Customer | None = None,
    role: str = "",
    link: PortalLink | None = None,
    portal_settings: PortalSettings | None = None,
    session_id: str = "",
    error: str = "",
) -> None:
    """Record what came of a click, or of a press behind a mailed link; of whose, as far as that is known."""
    if not conf.AUDIT:
        return
    user_key = getattr(user, "pk", None)
    customer_key = customer.pk if customer and not customer._state.adding else None
    try:
        using = router.db_for_write(PortalAccess)
        access = PortalAccess(
            # By its key, since a lazy user is none that a foreign key takes; and one of another model is not to be put
            # down to whoever has the same key among the users.
            user_id=user_key if isinstance(user, get_user_model()) else None,
            user_key="" if user_key is None else str(user_key)[:255],
            impersonated=getattr(user, "is_hijacked", False) is True,
            customer_id=customer_key,
            customer_alias=str(customer.alias)[:255] if customer else "",
            via=via,
            link_id=link.pk if link else None,
            role=role,
            portal_settings=portal_settings.payload() if portal_settings else {},
            session_id=session_id[:255],
            outcome=outcome,
            error=error,
        )
        with savepoint(using):
            access.save(using=using, force_insert=True)
    except Exception as exc:  # noqa: BLE001  (whatever it is, the user comes first)
        # Not its text, which may hold what was to be inserted.
        logger.error(  # noqa: TRY400
            "An access by user %s to customer %s could not be recorded (%s).",
            user_key or "(none)",
            customer_key or "(unsaved)",
            type(exc).__name__,
        )
