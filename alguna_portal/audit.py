"""What came of each click: a row in the audit trail, a line in the log, a signal; and none of them ever stops the user.

Here all ways to a portal meet: the Billing page, mailed links, and code.
"""

import logging
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import router

from .conf import conf
from .log_events import log_event
from .models import Customer, PortalAccess, PortalLink
from .portal_settings import PortalSettings
from .signals import portal_failed, portal_opened
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
    seconds: float | None = None,
) -> None:
    """Record what came of a click, or of a press behind a mailed link; of whose, as far as that is known."""
    if conf.AUDIT:
        _insert(
            customer,
            user,
            via=via,
            link_id=link.pk if link else None,
            role=role,
            portal_settings=portal_settings.payload() if portal_settings else {},
            session_id=session_id,
            outcome=outcome,
            error=error,
        )
    told = {"customer": customer, "user": user, "link": link, "via": via, "role": role, "seconds": seconds}
    if outcome in (Outcome.OPENED, Outcome.REUSED):
        reused = outcome == Outcome.REUSED
        # Most sites do not want to know, and a cached click is quick.
        if logger.isEnabledFor(logging.INFO):
            message = "Customer %(customer)s: portal opened."
            log_event(logger.info, "portal_opened", message, **_keys(told), reused=reused, seconds=seconds)
        portal_opened.send_robust(Customer, **told, reused=reused)
        return
    if outcome == Outcome.DENIED:
        # The other failures are logged with their reasons, where they are met.
        log_event(logger.info, "portal_denied", "User %(user)s: no portal to open.", **_keys(told))
    portal_failed.send_robust(Customer, **told, outcome=str(outcome), error=error)


def _keys(told: dict[str, Any]) -> dict[str, Any]:
    """Name rows by their keys, as the log does."""
    keys = {name: getattr(told[name], "pk", None) for name in ("customer", "user", "link")}
    return keys | {"via": told["via"], "role": told["role"]}


def _insert(customer: Customer | None, user: "AbstractBaseUser | AnonymousUser | None", **columns: Any) -> None:
    """Add a row to the trail; log an error where that fails."""
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
            **columns,
        )
        with savepoint(using):
            access.save(using=using, force_insert=True)
    except Exception as exc:  # noqa: BLE001  (whatever it is, the user comes first)
        # Not its text, which may hold what was to be inserted.
        message = "An access by user %(user)s to customer %(customer)s could not be recorded (%(error)s)."
        log_event(logger.error, "access_not_recorded", message, customer=customer_key, user=user_key, exc=exc)
