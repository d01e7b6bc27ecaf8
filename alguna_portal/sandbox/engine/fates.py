"""What the weather makes of one webhook message: sent once and at once, or else late, twice, out of turn, or never."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from . import weather
from .types import State

LONGEST_GAP = 1.0


@dataclass(frozen=True, kw_only=True)
class Fate:
    """After how many seconds each copy of a message is due, and whether it lets the next one overtake it."""

    delays: Sequence[float] = (0.0,)
    held: bool = False


def of_next(state: State) -> Fate:
    """Return the fate of one more message, and count it. With a seed, the n-th message meets the same every time."""
    fault, number = weather.meet_message(state)
    if not fault.is_for_webhooks:
        return Fate()
    # Not the number alone, and not one generator for all: another process may send the next one.
    drawn = random.Random(f"{fault.webhook_seed} {number}" if fault.webhook_seed is not None else None)  # noqa: S311
    # Always all of them, in this order: so one part's probability does not change what another part does.
    lost, twice, late, held, together, gap = (drawn.random() for _ in range(6))
    if lost < fault.chance("webhook-loss"):
        return Fate(delays=())
    delay = late * fault.webhook_delay
    delays = [delay]
    if twice < fault.chance("webhook-duplicate"):
        delays.append(delay if together < 0.5 else delay + gap * LONGEST_GAP)
    return Fate(delays=delays, held=held < fault.chance("webhook-reorder"))
