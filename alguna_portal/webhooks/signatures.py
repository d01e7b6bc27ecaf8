"""A delivery as it came, to a message: signed by Alguna, not too old, and readable. Pure, but for the clock."""

import builtins
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook, WebhookVerificationError

# --- from alguna_portal.webhooks.event

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


LARGEST_BODY = 256 * 1024  # bytes; Svix sends 350 KB at most, and events of Alguna's are a few
LONGEST = 255
EARLIEST, LATEST = 2000, 2099  # databases and time zones end somewhere
# By the header names of Svix, which delivers for Alguna, and of Standard Webhooks.
NAMES = ("svix", "webhook")


class InvalidMessage(Exception):
    """A delivery that is not one of Alguna's, or cannot be read; its text may be logged."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message of Alguna's. However often it is delivered, its `id` is the same."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any] = field(repr=False)


@sensitive_variables("secrets", "body", "content")
def parse_message(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Message:
    """Read a delivery that one of the secrets has signed within the last five minutes; else raise `InvalidMessage`.

    `headers` are by lower-case names.
    """
    signed = _signed(headers)
    _verify(signed, body, secrets)
    content = _content(body)
    ident, kind = signed["webhook-id"], content.get("type")
    for name, text in (("id", ident), ("type", kind)):
        if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= LONGEST:
            raise InvalidMessage(f"Its {name} is none.")
    if not isinstance(content.get("data"), dict):
        raise InvalidMessage("Its data is no JSON object.")
    return Message(id=ident, type=str(kind), timestamp=_time(content.get("timestamp")), data=content["data"])


def _signed(headers: Mapping[str, str]) -> dict[str, str]:
    """Find the three headers under either of their names, and give them those that the library knows."""
    for name in NAMES:
        found = {f"webhook-{part}": headers.get(f"{name}-{part}", "") for part in ("id", "timestamp", "signature")}
        if all(found.values()):
            return found
    raise InvalidMessage("It lacks the headers svix-id, svix-timestamp and svix-signature.")


@sensitive_variables("body", "secrets", "secret")
def _verify(signed: dict[str, str], body: bytes, secrets: Sequence[str]) -> None:
    said = ""
    for secret in secrets:
        try:
            Webhook(secret).verify(body, signed, json_parse=False)
        except WebhookVerificationError as exc:
            said = str(exc)
        except ValueError:
            said = "Its headers or its body cannot be read"
        else:
            return
    raise InvalidMessage(f"{said}.")


@sensitive_variables("body", "content")
def _content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_no_number)
        # What has half of a surrogate pair could not be stored.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # Not chained: a parser's error carries the whole body.
        raise InvalidMessage("It is no JSON.") from None
    if not isinstance(content, dict):
        raise InvalidMessage("It is no JSON object.")
    return content


def _no_number(name: str) -> None:
    raise ValueError(name)


def _time(raw: Any) -> datetime:
    try:
        time = datetime.fromisoformat(str(raw).upper())
        if time.tzinfo is None:
            raise InvalidMessage("Its timestamp has no time zone.")
        time = time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMessage("Its timestamp is no time as in RFC 3339.") from None
    if not EARLIEST <= time.year <= LATEST:
        raise InvalidMessage("Its timestamp is of another century.")
    return time
