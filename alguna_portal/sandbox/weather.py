"""The weather: a fault that all requests meet until it is over, kept in the state beside everything else."""

from . import faults
from .faults import Fault
from .messages import Exclusive, State

TODAY = "today"


def current(state: State) -> Fault:
    """Return the weather; on a good day, a fault without parts."""
    record = state["weather"].get(TODAY)
    return faults.read(record["text"]) if record else Fault()


def change(state: State, fault: Fault) -> None:
    """Make this the weather, whatever it was before; a fault without parts clears the sky."""
    if fault.parts:
        state["weather"][TODAY] = {"text": str(fault)}
    else:
        state["weather"].pop(TODAY, None)


def meet(state: State, exclusive: Exclusive) -> Fault:
    """Return what one more request meets, and count it where the weather is for so many."""
    fault = current(state)
    if fault.times is None:
        return fault
    with exclusive():
        # Read again: another request may have met the last of it.
        fault = current(state)
        change(state, fault.after_one())
    return fault
