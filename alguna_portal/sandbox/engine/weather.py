"""The weather: a fault that all requests meet until it is over, kept in the state beside everything else.

Messages that go out meet their own parts of it. They are counted, so that a seed can tell one from the next.
"""

from . import faults
from .faults import Fault
from .types import Exclusive, State

TODAY = "today"


def current(state: State) -> Fault:
    """Return the weather; on a good day, a fault without parts."""
    record = state["weather"].get(TODAY)
    return faults.read(record["text"]) if record else Fault()


def change(state: State, fault: Fault) -> None:
    """Make this the weather, whatever it was before; a fault without parts clears the sky."""
    _put(state, fault, messages=0)


def meet(state: State, exclusive: Exclusive) -> Fault:
    """Return what one more request meets, and count it where the weather is for so many."""
    fault = current(state)
    if fault.times is None:
        return fault
    with exclusive():
        # Read again: another request may have met the last of it.
        fault = current(state)
        _put(state, fault.after_one(), messages=_messages(state))
    return fault


def meet_message(state: State) -> tuple[Fault, int]:
    """Return what one more message meets, and how many did before it. Whoever asks is the state's only writer."""
    fault, number = current(state), _messages(state)
    if fault.is_for_webhooks:
        _put(state, fault.after_one_message(), messages=number + 1)
    return fault, number


def _messages(state: State) -> int:
    return int((state["weather"].get(TODAY) or {}).get("messages", 0))


def _put(state: State, fault: Fault, *, messages: int) -> None:
    if fault.parts:
        state["weather"][TODAY] = {"text": str(fault), "messages": messages}
    else:
        state["weather"].pop(TODAY, None)
