"""A delivery as it came, to a message: signed by Alguna, not too old, and readable. Pure, but for the clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook, WebhookVerificationError

LARGEST_BODY = 256 * 1024  # bytes; Svix sends 350 KB at most, and events of Alguna's are a few
LONGEST = 255
EARLIEST, LATEST = 2000, 2099  # databases and time zones end somewhere
# By the header names of Svix, which delivers for Alguna, and of Standard Webhooks.
NAMES = ("svix", "webhook")


class BadMessage(Exception):
    """A delivery that is not one of Alguna's, or cannot be read; its text may be logged."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message of Alguna's. However often it is delivered, its `id` is the same."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any] = field(repr=False)


@sensitive_variables("secrets", "body", "content")
def read(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Message:
    """Read a delivery that one of the secrets has signed within the last five minutes; else raise `BadMessage`.

    `headers` are by lower-case names.
    """
    signed = _signed(headers)
    _verify(signed, body, secrets)
    content = _content(body)
    ident, kind = signed["webhook-id"], content.get("type")
    for name, text in (("id", ident), ("type", kind)):
        if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= LONGEST:
            raise BadMessage(f"Its {name} is none.")
    if not isinstance(content.get("data"), dict):
        raise BadMessage("Its data is no JSON object.")
    return Message(id=ident, type=str(kind), timestamp=_time(content.get("timestamp")), data=content["data"])


def _signed(headers: Mapping[str, str]) -> dict[str, str]:
    """Find the three headers under either of their names, and give them those that the library knows."""
    for name in NAMES:
        found = {f"webhook-{part}": headers.get(f"{name}-{part}", "") for part in ("id", "timestamp", "signature")}
        if all(found.values()):
            return found
    raise BadMessage("It lacks the headers svix-id, svix-timestamp and svix-signature.")


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
    raise BadMessage(f"{said}.")


@sensitive_variables("body", "content")
def _content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_no_number)
        # What has half of a surrogate pair could not be stored.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # Not chained: a parser's error carries the whole body.
        raise BadMessage("It is no JSON.") from None
    if not isinstance(content, dict):
        raise BadMessage("It is no JSON object.")
    return content


def _no_number(name: str) -> None:
    raise ValueError(name)


def _time(raw: Any) -> datetime:
    try:
        time = datetime.fromisoformat(str(raw).upper())
        if time.tzinfo is None:
            raise BadMessage("Its timestamp has no time zone.")
        time = time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadMessage("Its timestamp is no time as in RFC 3339.") from None
    if not EARLIEST <= time.year <= LATEST:
        raise BadMessage("Its timestamp is of another century.")
    return time
