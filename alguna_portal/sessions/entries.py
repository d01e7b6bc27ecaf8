"""A session as a cache keeps it: plain values, which every serializer and the next release can read, or sealed.

`ENCRYPT_CACHE` may be wrong when an entry is written or read, and the error report must not show what it was about.
"""

from datetime import datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables

from alguna_portal.api.answers import PortalSession
from alguna_portal.conf import conf

from .encryption import seal, unseal


@sensitive_variables("plain")
def as_entry(session: PortalSession) -> dict[str, str]:
    """Write a session, its URL included: an entry is a credential, and with `ENCRYPT_CACHE` it is sealed."""
    is_sealed = conf.ENCRYPT_CACHE
    plain = {
        "id": session.id,
        "customer_id": session.customer_id,
        "url": session.url,
        "created_at": session.created_at.isoformat(),
        "expires_at": session.expires_at.isoformat(),
    }
    return {"sealed": seal(plain)} if is_sealed else plain


@sensitive_variables("entry", "plain")
def from_entry(entry: Any) -> PortalSession | None:
    """Read a session, or return None for anything that is not one, or not as `ENCRYPT_CACHE` has it written now."""
    try:
        plain = unseal(entry["sealed"]) if conf.ENCRYPT_CACHE else entry
        session = PortalSession(
            id=str(plain["id"]),
            customer_id=str(plain["customer_id"]),
            url=str(plain["url"]),
            created_at=datetime.fromisoformat(plain["created_at"]),
            expires_at=datetime.fromisoformat(plain["expires_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return session if session.created_at.tzinfo and session.expires_at.tzinfo else None
