"""Webhooks from Alguna: signature verification, storage, and dispatch of each event to its receivers.

An event only triggers work: Alguna's messages can arrive late, twice or out of order, so code that needs the current
state of a plan calls the API, as `customers.plan_sync` does.
"""

from .dispatch import on
from .signatures import Event, PayloadError

__all__ = ["Event", "PayloadError", "on"]
