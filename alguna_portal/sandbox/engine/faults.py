"""Simulated faults of the API, of portal sessions and of webhook delivery, and the text format that describes them.

The same format is used in the header of a request, in the command and on the admin page:

    latency=2.5                     a normal response, 2.5 seconds late
    status=503                      any status from 400 to 599, with the API's error format
    status=429; retry-after=7       the same with Retry-After
    gateway                         the gateway's 401, as for an invalid API key
    html=502                        an HTML page with that status; 200 is possible too
    drop                            the connection is closed without a response, and the request doesn't run
    latency=3; drop; times=2        parts can be combined; `times` limits the fault to that many requests

Two parts affect portal sessions and don't count requests:

    session-seconds=60              the lifetime of new sessions
    single-use=anywhere             `browser`, `anywhere` or `off`; see portal.py

The others affect outgoing webhook messages, and not the API:

    webhook-loss=0.2                the probability that a message is never sent
    webhook-duplicate=0.3           … that it is sent twice: half of the time at the same moment
    webhook-delay=5                 the maximum delay in seconds
    webhook-reorder=0.5             the probability that a message waits until a later one has overtaken it
    webhook-times=2                 limits these faults to that many messages
    webhook-seed=7                  makes the faults of each sequence of messages reproducible

`parse_fault` returns a `Fault`. The state contains the fault that applies to all requests until it is cleared.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .types import ApiError, DroppedConnection, Response, State, WriteLock, json_response

HEADER = "Alguna-Sandbox-Fault"
SINGLE_USE_MODES = ("off", "anywhere", "browser")

FAILURES = ("status", "gateway", "html", "drop")
SESSION_PARTS = ("session-seconds", "single-use")
PROBABILITIES = ("webhook-loss", "webhook-duplicate", "webhook-reorder")
_DELIVERY_FAULTS = (*PROBABILITIES, "webhook-delay")
WEBHOOK_PARTS = (*_DELIVERY_FAULTS, "webhook-times", "webhook-seed")
_NOT_FOR_REQUESTS = (*SESSION_PARTS, *WEBHOOK_PARTS)
PART_NAMES = ("latency", *FAILURES, "retry-after", "times", *_NOT_FOR_REQUESTS)
# The allowed values of a part, and the end of the sentence "… must be" for others.
_NUMBERS: Mapping[str, tuple[Sequence[int], str]] = {
    "status": (range(400, 600), "a status from 400 to 599"),
    "html": ((200, *range(400, 600)), "200 or a status from 400 to 599"),
    "retry-after": (range(86_401), "whole seconds, at most 86400"),
    "times": (range(1, 1_000_001), "a whole number, at least 1"),
    "session-seconds": (range(31_536_001), "whole seconds, at most 31536000"),
    "webhook-times": (range(1, 1_000_001), "a whole number, at least 1"),
    "webhook-seed": (range(1_000_000_000), "a whole number of at most nine digits"),
}
# Parts that need one of certain other parts.
_REQUIRED_PARTS = {
    "retry-after": ("status", "html"),
    "times": ("latency", *FAILURES),
    "webhook-times": _DELIVERY_FAULTS,
    "webhook-seed": _DELIVERY_FAULTS,
}
_DECIMAL = r"[0-9]{1,3}(\.[0-9]{1,3})?"

# The maximum time in seconds between a message and its duplicate.
MAX_DUPLICATE_DELAY = 1.0


class InvalidFault(ValueError):
    """A text isn't a valid description of a fault; the message names the invalid part."""


@dataclass(frozen=True)
class Fault:
    """A simulated fault; without parts, there is none."""

    parts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join(f"{name}={value}" if value else name for name, value in self.parts.items())

    @property
    def affects_webhooks(self) -> bool:
        """Return whether a part affects webhook messages."""
        return any(name in WEBHOOK_PARTS for name in self.parts)

    def get_number(self, name: str) -> float:
        """Return the value of a part, or 0 if it is absent."""
        return float(self.parts.get(name, 0))

    def after_request(self) -> "Fault":
        """Return the fault that remains after a request was affected."""
        return self._decrement("times", [name for name in self.parts if name in _NOT_FOR_REQUESTS])

    def after_message(self) -> "Fault":
        """Return the fault that remains after a webhook message was affected."""
        return self._decrement("webhook-times", [name for name in self.parts if name not in WEBHOOK_PARTS])

    def _decrement(self, counter: str, remaining: Sequence[str]) -> "Fault":
        """Decrement a counter; when it reaches 0, keep only some parts."""
        if counter not in self.parts:
            return self
        if (count := int(self.parts[counter])) > 1:
            return Fault({**self.parts, counter: str(count - 1)})
        return Fault({name: self.parts[name] for name in remaining})

    def to_response(self) -> Response | None:
        """Return the response that replaces the normal one, or None if the request runs normally."""
        extra = {"Retry-After": self.parts["retry-after"]} if "retry-after" in self.parts else {}
        if "drop" in self.parts:
            return DroppedConnection()
        if "gateway" in self.parts:
            return create_unauthenticated_response("The sandbox's simulated fault: the gateway refuses every key.")
        if "html" in self.parts:
            status = int(self.parts["html"])
            page = (
                f"<!doctype html>\n<title>{status}</title>\n<h1>{status}</h1>\n<p>The sandbox's simulated fault.</p>\n"
            )
            return Response(status=status, headers={"Content-Type": "text/html", **extra}, body=page.encode())
        if "status" in self.parts:
            return ApiError(int(self.parts["status"]), "The sandbox's simulated fault.", headers=extra).to_response()
        return None


def create_unauthenticated_response(message: str) -> Response:
    """Return the gateway's 401, which has its own error format."""
    return json_response({"code": "unauthenticated", "message": message}, status=401)


def parse_fault(text: str, *, for_one_request: bool = False) -> Fault:
    """Return the fault that a text describes; raise InvalidFault.

    A fault for one request can't count requests or affect sessions or webhooks.
    """
    parts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name in parts:
            raise InvalidFault(f"{name} is said twice.")
        _validate_part(name, value, has_value=bool(equals))
        if for_one_request and name in ("times", *_NOT_FOR_REQUESTS):
            raise InvalidFault(f"{name} cannot be said of one request.")
        parts[name] = value
    if not parts:
        raise InvalidFault(f"The text is empty. It takes parts such as status=503 ({', '.join(PART_NAMES)}).")
    failures = [name for name in parts if name in FAILURES]
    if len(failures) > 1:
        raise InvalidFault(f"{failures[1]} does not go together with {failures[0]}.")
    for name, required in _REQUIRED_PARTS.items():
        if name in parts and not any(other in parts for other in required):
            raise InvalidFault(f"{name} needs one of {', '.join(required)} beside it.")
    return Fault(parts)


def _validate_part(name: str, value: str, *, has_value: bool) -> None:
    if name not in PART_NAMES:
        raise InvalidFault(f"{name!r} is no part that is known (known: {', '.join(PART_NAMES)}).")
    if name in ("gateway", "drop"):
        if has_value:
            raise InvalidFault(f"{name} takes no value.")
    elif name in ("latency", "webhook-delay"):
        if not re.fullmatch(_DECIMAL, value) or float(value) > 600:
            raise InvalidFault(f"{name} must be seconds such as 2.5, at most 600, not {value!r}.")
    elif name in PROBABILITIES:
        if not re.fullmatch(_DECIMAL, value) or float(value) > 1:
            raise InvalidFault(f"{name} must be a probability from 0 to 1 such as 0.3, not {value!r}.")
    elif name == "single-use":
        if value not in SINGLE_USE_MODES:
            raise InvalidFault(f"single-use must be one of {', '.join(SINGLE_USE_MODES)}, not {value!r}.")
    else:
        allowed, description = _NUMBERS[name]
        if not re.fullmatch("[0-9]{1,9}", value) or int(value) not in allowed:
            raise InvalidFault(f"{name} must be {description}, not {value!r}.")


# The current fault in the state

_KEY = "current"


def get_fault(state: State) -> Fault:
    """Return the current fault; without one, a fault without parts."""
    record = state["faults"].get(_KEY)
    return parse_fault(record["text"]) if record else Fault()


def set_fault(state: State, fault: Fault) -> None:
    """Replace the current fault; a fault without parts clears it."""
    _store_fault(state, fault, message_count=0)


def take_fault(state: State, write_lock: WriteLock) -> Fault:
    """Return the fault for a request and, if it has a limit, count the request."""
    fault = get_fault(state)
    if "times" not in fault.parts:
        return fault
    with write_lock():
        # Another request may have been the last one in the meantime.
        fault = get_fault(state)
        _store_fault(state, fault.after_request(), message_count=_get_message_count(state))
    return fault


def _get_message_count(state: State) -> int:
    return int((state["faults"].get(_KEY) or {}).get("messages", 0))


def _store_fault(state: State, fault: Fault, *, message_count: int) -> None:
    if fault.parts:
        state["faults"][_KEY] = {"text": str(fault), "messages": message_count}
    else:
        state["faults"].pop(_KEY, None)


# Faults of webhook delivery


@dataclass(frozen=True, kw_only=True)
class DeliveryFault:
    """The delay of each copy of a message in seconds, and whether the message waits for a later one to overtake it."""

    delays: Sequence[float] = (0.0,)
    is_held: bool = False


def take_delivery_fault(state: State) -> DeliveryFault:
    """Draw the fault of a webhook message, and count the message. Call this within the write lock.

    With a seed, the result only depends on the seed and on the number of earlier messages.
    """
    fault, number = get_fault(state), _get_message_count(state)
    if not fault.affects_webhooks:
        return DeliveryFault()
    _store_fault(state, fault.after_message(), message_count=number + 1)
    # The generator depends on the number, because another process may send the next message.
    seed = fault.parts.get("webhook-seed")
    generator = random.Random(f"{seed} {number}" if seed is not None else None)  # noqa: S311
    # Always draw all values in the same order, so that one part's probability doesn't affect the other parts.
    lost, duplicated, delayed, held, simultaneous, gap = (generator.random() for _ in range(6))
    if lost < fault.get_number("webhook-loss"):
        return DeliveryFault(delays=())
    delay = delayed * fault.get_number("webhook-delay")
    delays = [delay]
    if duplicated < fault.get_number("webhook-duplicate"):
        delays.append(delay if simultaneous < 0.5 else delay + gap * MAX_DUPLICATE_DELAY)
    return DeliveryFault(delays=delays, is_held=held < fault.get_number("webhook-reorder"))
