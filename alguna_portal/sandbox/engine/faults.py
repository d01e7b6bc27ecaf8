"""Bad days in words: one small grammar for the header of a request, the command and the admin page.

    latency=2.5                     a normal answer, 2.5 seconds late
    status=503                      any status from 400 to 599, with the API's error
    status=429; retry-after=7       the same with Retry-After
    gateway                         the gateway's 401, as for a wrong key
    html=502                        a page of HTML with that status; 200 is possible too
    drop                            the connection is closed without an answer, and nothing has run
    latency=3; drop; times=2        parts combine; `times` is for how many requests, else until cleared

Two parts are about portal sessions, and count no requests:

    session-seconds=60              how long new sessions live
    single-use=anywhere             `browser`, `anywhere` or `off`; visits.py says what they mean

Others are about the webhook messages that go out, and nothing of the API:

    webhook-loss=0.2                a message is never sent, with this probability
    webhook-duplicate=0.3           it is sent twice: half of the time at the same moment
    webhook-delay=5                 it is late by up to so many seconds
    webhook-reorder=0.5             it waits until a later one has overtaken it
    webhook-times=2                 for so many messages, else until cleared
    webhook-seed=7                  the same messages meet the same again; fates.py draws it

What this module makes of a text is a `Fault`; weather.py keeps one for everybody.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .types import Answer, ApiError, Dropped, Exclusive, State, json_answer

HEADER = "Alguna-Sandbox-Fault"
SINGLE_USE = ("off", "anywhere", "browser")

FAILURES = ("status", "gateway", "html", "drop")
FOR_SESSIONS = ("session-seconds", "single-use")
CHANCES = ("webhook-loss", "webhook-duplicate", "webhook-reorder")
_MISHAPS = (*CHANCES, "webhook-delay")
FOR_WEBHOOKS = (*_MISHAPS, "webhook-times", "webhook-seed")
_NOT_FOR_REQUESTS = (*FOR_SESSIONS, *FOR_WEBHOOKS)
# What a part says after its equals sign; the texts complete the sentence "… must be".
_NUMBERS: Mapping[str, tuple[Sequence[int], str]] = {
    "status": (range(400, 600), "a status from 400 to 599"),
    "html": ((200, *range(400, 600)), "200 or a status from 400 to 599"),
    "retry-after": (range(86_401), "whole seconds, at most 86400"),
    "times": (range(1, 1_000_001), "a whole number, at least 1"),
    "session-seconds": (range(31_536_001), "whole seconds, at most 31536000"),
    "webhook-times": (range(1, 1_000_001), "a whole number, at least 1"),
    "webhook-seed": (range(1_000_000_000), "a whole number of at most nine digits"),
}
_NEEDS = {
    "retry-after": ("status", "html"),
    "times": ("latency", *FAILURES),
    "webhook-times": _MISHAPS,
    "webhook-seed": _MISHAPS,
}
NAMES = ("latency", *FAILURES, "retry-after", "times", *_NOT_FOR_REQUESTS)

_DECIMAL = r"[0-9]{1,3}(\.[0-9]{1,3})?"


class UnreadableFault(ValueError):
    """A text outside the grammar; the message names the part."""


@dataclass(frozen=True)
class Fault:
    """A bad day, or none; `parts` are those of its text."""

    parts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join(f"{name}={value}" if value else name for name, value in self.parts.items())

    @property
    def latency(self) -> float:
        """Return by how many seconds the answer is late."""
        return float(self.parts.get("latency", 0))

    @property
    def times(self) -> int | None:
        """Return for how many requests it lasts, None where it lasts until it is cleared."""
        return int(self.parts["times"]) if "times" in self.parts else None

    @property
    def session_seconds(self) -> int | None:
        """Return how long a new session lives, None where that is not said."""
        return int(self.parts["session-seconds"]) if "session-seconds" in self.parts else None

    @property
    def single_use(self) -> str | None:
        """Return the reading of single use, None where none is chosen."""
        return self.parts.get("single-use")

    @property
    def is_for_webhooks(self) -> bool:
        """Tell whether it says anything of webhook messages."""
        return any(name in FOR_WEBHOOKS for name in self.parts)

    @property
    def webhook_delay(self) -> float:
        """Return by how many seconds a message is late at most."""
        return float(self.parts.get("webhook-delay", 0))

    @property
    def webhook_seed(self) -> str | None:
        """Return what the fates of messages are drawn by, None where nobody shall foresee them."""
        return self.parts.get("webhook-seed")

    def chance(self, name: str) -> float:
        """Return the probability that a part says, 0 where it is absent."""
        return float(self.parts.get(name, 0))

    def after_one(self) -> "Fault":
        """Return what is left of it when one more request has met it."""
        return self._counted("times", [name for name in self.parts if name in _NOT_FOR_REQUESTS])

    def after_one_message(self) -> "Fault":
        """Return what is left of it when one more webhook message has met it."""
        return self._counted("webhook-times", [name for name in self.parts if name not in FOR_WEBHOOKS])

    def _counted(self, counter: str, left: Sequence[str]) -> "Fault":
        """Count once; when the count runs out, only some parts are left."""
        if counter not in self.parts:
            return self
        if (count := int(self.parts[counter])) > 1:
            return Fault({**self.parts, counter: str(count - 1)})
        return Fault({name: self.parts[name] for name in left})

    def answer(self) -> Answer | None:
        """Return the answer that stands instead of the right one, None where the right one is given."""
        extra = {"Retry-After": self.parts["retry-after"]} if "retry-after" in self.parts else {}
        if "drop" in self.parts:
            return Dropped()
        if "gateway" in self.parts:
            return unauthenticated("The sandbox's weather: the gateway refuses every key.")
        if "html" in self.parts:
            status = int(self.parts["html"])
            page = f"<!doctype html>\n<title>{status}</title>\n<h1>{status}</h1>\n<p>The sandbox's weather.</p>\n"
            return Answer(status=status, headers={"Content-Type": "text/html", **extra}, body=page.encode())
        if "status" in self.parts:
            return ApiError(int(self.parts["status"]), "The sandbox's weather.", headers=extra).answer()
        return None


def unauthenticated(message: str) -> Answer:
    """Return the gateway's 401, which has a shape of its own."""
    return json_answer({"code": "unauthenticated", "message": message}, status=401)


def read(text: str, *, for_one_request: bool = False) -> Fault:
    """Return the fault that a text describes; raise UnreadableFault naming the part that is wrong.

    What goes with one request cannot count requests, nor say anything of sessions or webhooks.
    """
    parts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name in parts:
            raise UnreadableFault(f"{name} is said twice.")
        _check(name, value, has_value=bool(equals))
        if for_one_request and name in ("times", *_NOT_FOR_REQUESTS):
            raise UnreadableFault(f"{name} cannot be said of one request.")
        parts[name] = value
    if not parts:
        raise UnreadableFault(f"The text is empty. It takes parts such as status=503 ({', '.join(NAMES)}).")
    failures = [name for name in parts if name in FAILURES]
    if len(failures) > 1:
        raise UnreadableFault(f"{failures[1]} does not go together with {failures[0]}.")
    for name, needed in _NEEDS.items():
        if name in parts and not any(other in parts for other in needed):
            raise UnreadableFault(f"{name} needs one of {', '.join(needed)} beside it.")
    return Fault(parts)


def _check(name: str, value: str, *, has_value: bool) -> None:
    if name not in NAMES:
        raise UnreadableFault(f"{name!r} is no part that is known (known: {', '.join(NAMES)}).")
    if name in ("gateway", "drop"):
        if has_value:
            raise UnreadableFault(f"{name} takes no value.")
    elif name in ("latency", "webhook-delay"):
        if not re.fullmatch(_DECIMAL, value) or float(value) > 600:
            raise UnreadableFault(f"{name} must be seconds such as 2.5, at most 600, not {value!r}.")
    elif name in CHANCES:
        if not re.fullmatch(_DECIMAL, value) or float(value) > 1:
            raise UnreadableFault(f"{name} must be a probability from 0 to 1 such as 0.3, not {value!r}.")
    elif name == "single-use":
        if value not in SINGLE_USE:
            raise UnreadableFault(f"single-use must be one of {', '.join(SINGLE_USE)}, not {value!r}.")
    else:
        allowed, wording = _NUMBERS[name]
        if not re.fullmatch("[0-9]{1,9}", value) or int(value) not in allowed:
            raise UnreadableFault(f"{name} must be {wording}, not {value!r}.")


# --- from alguna_portal.sandbox.engine.weather

TODAY = "today"


def current(state: State) -> Fault:
    """Return the weather; on a good day, a fault without parts."""
    record = state["weather"].get(TODAY)
    return read(record["text"]) if record else Fault()


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


# --- from alguna_portal.sandbox.engine.fates

LONGEST_GAP = 1.0


@dataclass(frozen=True, kw_only=True)
class Fate:
    """After how many seconds each copy of a message is due, and whether it lets the next one overtake it."""

    delays: Sequence[float] = (0.0,)
    held: bool = False


def of_next(state: State) -> Fate:
    """Return the fate of one more message, and count it. With a seed, the n-th message meets the same every time."""
    fault, number = meet_message(state)
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
