"""Audit trail: record each attempt to open a portal in the database, the log and a signal.

Billing page, mailed links and code all use it. A failure here never prevents a user from opening the portal.
"""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import router

from .conf import conf
from .log_events import log_event
from .models import Customer, PortalAccess, PortalLink
from .portal_settings import PortalSettings
from .signals import portal_failed, portal_opened
from .transactions import savepoint

logger = logging.getLogger(__name__)

Outcome, Via = PortalAccess.Outcome, PortalAccess.Via


def record(
    outcome: str,
    *,
    user: AbstractBaseUser | AnonymousUser | None,
    via: str,
    customer: Customer | None = None,
    role: str = "",
    link: PortalLink | None = None,
    portal_settings: PortalSettings | None = None,
    session_id: str = "",
    error: str = "",
    seconds: float | None = None,
) -> None:
    """Record the outcome of an attempt to open a portal. `customer` and `role` may be unknown if it was denied."""
    if conf.AUDIT:
        _create_row(
            customer,
            user,
            outcome=outcome,
            via=via,
            role=role,
            link_id=link.pk if link else None,
            portal_settings=portal_settings.payload() if portal_settings else {},
            session_id=session_id,
            error=error,
        )
    facts = {"customer": customer, "user": user, "link": link, "via": via, "role": role, "seconds": seconds}
    if outcome in (Outcome.OPENED, Outcome.REUSED):
        reused = outcome == Outcome.REUSED
        # Checked first, because most sites don't log INFO and a click with a cached session should be fast.
        if logger.isEnabledFor(logging.INFO):
            message = "Customer %(customer)s: portal opened."
            log_event(logger.info, "portal_opened", message, **_to_keys(facts), reused=reused, seconds=seconds)
        portal_opened.send_robust(Customer, **facts, reused=reused)
        return
    if outcome == Outcome.DENIED:
        # Other failures are logged by the view, with their reasons.
        log_event(logger.info, "portal_denied", "User %(user)s: no portal to open.", **_to_keys(facts))
    portal_failed.send_robust(Customer, **facts, outcome=str(outcome), error=error)


def _to_keys(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the fields for the log, with primary keys instead of objects."""
    keys = {name: getattr(facts[name], "pk", None) for name in ("customer", "user", "link")}
    return keys | {"via": facts["via"], "role": facts["role"]}


def _create_row(customer: Customer | None, user: AbstractBaseUser | AnonymousUser | None, **columns: Any) -> None:
    """Add a row to the audit trail; if that fails, log an error."""
    user_key = getattr(user, "pk", None)
    customer_key = customer.pk if customer and not customer._state.adding else None
    try:
        using = router.db_for_write(PortalAccess)
        access = PortalAccess(
            # By key, because a foreign key doesn't accept a lazy user. A user of another model must not be recorded as
            # the user with the same key.
            user_id=user_key if isinstance(user, get_user_model()) else None,
            user_key="" if user_key is None else str(user_key)[:255],
            impersonated=getattr(user, "is_hijacked", False) is True,
            customer_id=customer_key,
            customer_alias=str(customer.alias)[:255] if customer else "",
            **columns,
        )
        with savepoint(using):
            access.save(using=using, force_insert=True)
    except Exception as exc:  # noqa: BLE001  (whatever it is, the user gets to the portal)
        # Without the exception's text, which may contain the row's values.
        message = "An access by user %(user)s to customer %(customer)s could not be recorded (%(error)s)."
        log_event(logger.error, "access_not_recorded", message, customer=customer_key, user=user_key, exc=exc)
