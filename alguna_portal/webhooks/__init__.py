"""What Alguna tells of its own accord: each message verified, handled once, and never believed about a plan.

    messages        headers and bytes to a message, or a refusal that says why
    event           what a message says, read by name and type
    registry        who wants to hear of which events: `@on("invoice.paid")`
    handling        each message handled by everybody, once

Alguna's order, and its content, are no state: whoever wants to know one asks Alguna, as `plan_sync` does.
"""

from .dispatch import on
from .signatures import Event, PayloadError

__all__ = ["Event", "PayloadError", "on"]
