"""Webhook signature verification, and parsing of a delivery into an `Event`. Uses no database."""

import builtins
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook, WebhookVerificationError

from alguna_portal.api.responses import parse_time

LARGEST_BODY = 256 * 1024  # bytes; Svix sends at most 350 KB, and Alguna's events have a few
LONGEST = 255  # characters of an id or a type
EARLIEST, LATEST = 2000, 2099  # years that every database and time zone supports
# Prefixes of header names: of Svix, which delivers for Alguna, and of Standard Webhooks.
PREFIXES = ("svix", "webhook")

T = TypeVar("T")


class InvalidMessage(Exception):
    """The delivery isn't signed by Alguna or can't be parsed. The text may be logged."""


class PayloadError(ValueError):
    """The data of an event isn't as expected. The text contains the key, but no content."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A webhook event. It describes the state when it was sent; a later event may have arrived earlier.

    `id` is the same for each delivery of the message: use it as idempotency key for calls to other services, such as a
    payment provider. `data` has Alguna's own keys, in camelCase, and may contain personal data.
    """

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any] = field(repr=False, hash=False)

    def get(self, key: str, kind: builtins.type[T]) -> T:
        """Return a value of `data`; raise `PayloadError` if it's missing or has another type.

        `event.get("status", str)`, `event.get("createdAt", datetime)`, `event.get("amount", int)`.
        """
        value: Any = self.data.get(key)
        if kind is datetime:
            value = parse_time(value)
            if value is None or value.tzinfo is None:
                raise PayloadError(f"{self.type}: “{key}” is missing, or no time as in RFC 3339.")
        # In JSON, 10 is as valid a number as 10.5.
        if kind is float and type(value) is int:
            value = float(value)
        # In Python, True is an int.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PayloadError(f"{self.type}: “{key}” is missing, or no {kind.__name__}.")
        return value

    @property
    def customer_id(self) -> str:
        """Alguna's id of the event's customer, or "" if the event has none."""
        found = self.data.get("accountId")
        return found if isinstance(found, str) else ""


@sensitive_variables("secrets", "body", "content")
def parse_message(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Event:
    """Verify and parse a delivery: one of the secrets must have signed it within the last five minutes.

    The keys of `headers` are in lower case. Raise `InvalidMessage` if the delivery isn't valid.
    """
    signed = _get_signature_headers(headers)
    _verify(signed, body, secrets)
    content = _parse_content(body)
    message_id, event_type = signed["webhook-id"], content.get("type")
    for name, text in (("id", message_id), ("type", event_type)):
        if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= LONGEST:
            raise InvalidMessage(f"Its {name} is none.")
    if not isinstance(content.get("data"), dict):
        raise InvalidMessage("Its data is no JSON object.")
    timestamp = _parse_timestamp(content.get("timestamp"))
    return Event(id=message_id, type=str(event_type), timestamp=timestamp, data=content["data"])


def _get_signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the three headers with either prefix, by the names that standardwebhooks expects."""
    for name in PREFIXES:
        found = {f"webhook-{part}": headers.get(f"{name}-{part}", "") for part in ("id", "timestamp", "signature")}
        if all(found.values()):
            return found
    raise InvalidMessage("It lacks the headers svix-id, svix-timestamp and svix-signature.")


@sensitive_variables("body", "secrets", "secret")
def _verify(signed: dict[str, str], body: bytes, secrets: Sequence[str]) -> None:
    reason = ""
    for secret in secrets:
        try:
            Webhook(secret).verify(body, signed, json_parse=False)
        except WebhookVerificationError as exc:
            reason = str(exc)
        except ValueError:
            reason = "Its headers or its body cannot be read"
        else:
            return
    raise InvalidMessage(f"{reason}.")


@sensitive_variables("body", "content")
def _parse_content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_reject_constant)
        # A lone surrogate couldn't be stored.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # Not chained: the parser's exception contains the whole body.
        raise InvalidMessage("It is no JSON.") from None
    if not isinstance(content, dict):
        raise InvalidMessage("It is no JSON object.")
    return content


def _reject_constant(name: str) -> None:
    raise ValueError(name)


def _parse_timestamp(value: Any) -> datetime:
    time = parse_time(str(value))
    if time is not None and time.tzinfo is None:
        raise InvalidMessage("Its timestamp has no time zone.")
    try:
        time = time and time.astimezone(UTC)
    except OverflowError:
        time = None
    if time is None:
        raise InvalidMessage("Its timestamp is no time as in RFC 3339.")
    if not EARLIEST <= time.year <= LATEST:
        raise InvalidMessage("Its timestamp is of another century.")
    return time
