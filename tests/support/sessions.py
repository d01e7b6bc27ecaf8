"""Helpers for tests of portal sessions."""

from collections.abc import Callable

from alguna_portal.sessions import PortalSession
from alguna_portal.sessions.cache import deserialize_session, serialize_session
from alguna_portal.sessions.single_flight import single_flight


def share_session(lock: str, create: Callable[[float], PortalSession], *, budget: float) -> PortalSession:
    """Call `single_flight` for a portal session."""
    return single_flight(lock, create, budget=budget, serialize=serialize_session, deserialize=deserialize_session)
