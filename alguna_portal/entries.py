"""A session as a cache keeps it: plain values, which every serializer and the next release can read."""

from datetime import datetime
from typing import Any

from .answers import PortalSession


def as_entry(session: PortalSession) -> dict[str, str]:
    """Write a session, its URL included: an entry is a credential."""
    return {
        "id": session.id,
        "customer_id": session.customer_id,
        "url": session.url,
        "created_at": session.created_at.isoformat(),
        "expires_at": session.expires_at.isoformat(),
    }


def from_entry(entry: Any) -> PortalSession | None:
    """Read a session, or return None for anything that is not one."""
    try:
        session = PortalSession(
            id=str(entry["id"]),
            customer_id=str(entry["customer_id"]),
            url=str(entry["url"]),
            created_at=datetime.fromisoformat(entry["created_at"]),
            expires_at=datetime.fromisoformat(entry["expires_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return session if session.created_at.tzinfo and session.expires_at.tzinfo else None
