"""What a message says, for those who listen."""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


class PayloadError(ValueError):
    """What an event says is not what was expected of it; the text names the key and no content."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. What it says was true when it was sent; another one, sent later, may have come before it.

    `id` is the message's, the same each time it is delivered: what a receiver does elsewhere, as at a payment
    provider, can be done once by it. `data` has Alguna's own keys, in camelCase, and may hold personal data.
    """

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any] = field(repr=False, hash=False)

    def get(self, key: str, kind: builtins.type[T]) -> T:
        """Return a value of `data` that is there and of a type, `datetime` for times; else raise `PayloadError`.

        `event.get("status", str)`, `event.get("createdAt", datetime)`, `event.get("amount", int)`.
        """
        value: Any = self.data.get(key)
        if kind is datetime:
            value = self._time(key, value)
        # In JSON, 10 is as good a number as 10.5.
        if kind is float and type(value) is int:
            value = float(value)
        # In Python, True is a number, too.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PayloadError(f"{self.type}: “{key}” is missing, or no {kind.__name__}.")
        return value

    @property
    def customer_id(self) -> str:
        """Alguna's id of the customer that it is about, empty where the event names none."""
        found = self.data.get("accountId")
        return found if isinstance(found, str) else ""

    def _time(self, key: str, value: Any) -> datetime:
        try:
            time = datetime.fromisoformat(value.upper()) if isinstance(value, str) else None
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise PayloadError(f"{self.type}: “{key}” is missing, or no time as in RFC 3339.")
        return time
