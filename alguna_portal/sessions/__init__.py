"""Portal sessions: opening, creation and caching."""

from alguna_portal.api.responses import PortalSession

from .cache import forget
from .opening import aopen_session, open_session

__all__ = ["PortalSession", "aopen_session", "forget", "open_session"]
