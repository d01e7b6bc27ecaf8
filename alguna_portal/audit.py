"""The audit trail: one row for each click, and none that fails ever stops the user who clicked."""

import logging
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import connections, router, transaction

from .answers import PortalSession
from .conf import conf
from .exceptions import AlgunaUnavailable
from .models import Customer, PortalAccess, PortalLink
from .portal_settings import PortalSettings

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

logger = logging.getLogger(__name__)

Outcome, Via = PortalAccess.Outcome, PortalAccess.Via


def record_opened(
    customer: Customer,
    session: PortalSession,
    portal_settings: PortalSettings,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    role: str,
    via: str,
    link: PortalLink | None,
    reused: bool,
) -> None:
    """Record that a portal was opened, with a new session or with one that was there."""
    if conf.AUDIT:
        _record(
            user,
            customer=customer,
            role=role,
            via=via,
            link=link,
            portal_settings=portal_settings.payload(),
            session_id=session.id[:255],
            outcome=Outcome.REUSED if reused else Outcome.OPENED,
        )


def record_failed(
    customer: Customer,
    failure: Exception,
    *,
    user: "AbstractBaseUser | AnonymousUser | None",
    role: str,
    via: str,
    link: PortalLink | None,
    portal_settings: PortalSettings | None,
) -> None:
    """Record that a portal could not be opened; without settings, where not even they could be read."""
    if conf.AUDIT:
        _record(
            user,
            customer=customer,
            role=role,
            via=via,
            link=link,
            portal_settings=portal_settings.payload() if portal_settings else {},
            outcome=Outcome.UNAVAILABLE if isinstance(failure, AlgunaUnavailable) else Outcome.FAILED,
            error=type(failure).__name__,
        )


def record_denied(
    user: "AbstractBaseUser | AnonymousUser | None",
    *,
    via: str,
    customer: Customer | None = None,
    role: str = "",
    link: PortalLink | None = None,
) -> None:
    """Record that a user, or a link, opens no portal, or not the one asked for; whose, where that is known."""
    if conf.AUDIT:
        _record(user, customer=customer, role=role, via=via, link=link, outcome=Outcome.DENIED)


def _record(
    user: "AbstractBaseUser | AnonymousUser | None",
    *,
    customer: Customer | None = None,
    link: PortalLink | None,
    **fields: Any,
) -> None:
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
            link_id=link.pk if link else None,
            customer_alias=str(customer.alias)[:255] if customer else "",
            **fields,
        )
        if connections[using].in_atomic_block:
            # A savepoint, so that a failure does not spoil the transaction of whoever called.
            with transaction.atomic(using=using):
                access.save(using=using, force_insert=True)
        else:
            access.save(using=using, force_insert=True)
    except Exception as exc:  # noqa: BLE001  (whatever it is, the user comes first)
        # Not its text, which may hold what was to be inserted.
        logger.error(  # noqa: TRY400
            "An access by user %s to customer %s could not be recorded (%s).",
            user_key or "(none)",
            customer_key or "(unsaved)",
            type(exc).__name__,
        )
