"""Any answer of Alguna's: from a status, headers and bytes to a JSON object, or to one exception of `exceptions`.

Pure functions, without I/O or settings. What an answer says is quoted in exceptions only after `quoting` took
addresses and URLs out, and Django's error reports do not show the variables that hold it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables

from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    CustomerMismatch,
    CustomerUnknown,
    UnexpectedResponse,
)
from alguna_portal.redaction import redact_text

# --- from alguna_portal.api.answers

JSON = dict[str, Any]

LONGEST_ID = 255


@dataclass(frozen=True, kw_only=True)
class ApiResponse:
    """What a successful answer says; `replayed`: it is the first answer to the same request, up to a day old."""

    data: JSON = field(repr=False)
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class PortalSession:
    """One session of a customer in the hosted portal. Its `url` is a credential and stays out of `repr`."""

    id: str
    customer_id: str
    url: str = field(repr=False)
    created_at: datetime
    expires_at: datetime

    @property
    def life(self) -> timedelta:
        """How long the session works, from its creation."""
        return self.expires_at - self.created_at


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What a plan follows from; `plan_id` is empty where Alguna names none."""

    customer_id: str
    status: str
    plan_id: str


@sensitive_variables("data")
def parse_portal_session(data: JSON) -> PortalSession:
    """Read a portal session from the API's answer, whose times are both by Alguna's clock."""
    session = PortalSession(
        id=_id(data, "id", of="portal session"),
        customer_id=_id(data, "customer_id", of="portal session"),
        url=_text(data, "url", of="portal session"),
        created_at=_time(data, "created_at"),
        expires_at=_time(data, "expires_at"),
    )
    if session.life <= timedelta(0):
        raise UnexpectedResponse("Alguna's portal session expires before it was created.")
    return session


@sensitive_variables("data")
def parse_customer_id(data: JSON) -> str:
    """Read the id of the customer that an alias belongs to."""
    return _id(data, "customer_id", of="customer")


@sensitive_variables("data")
def parse_created_customer(data: JSON, *, alias: str) -> str:
    """Read the id of a customer that was created with an alias."""
    if not has_alias(data, alias):
        raise CustomerMismatch("Alguna answered with a customer that does not have the alias it was to be given.")
    return _id(data, "id", of="customer")


@sensitive_variables("data")
def has_alias(data: JSON, alias: str) -> bool:
    """Say whether a customer has an alias; where the answer does not say, it is believed to."""
    parse_aliases = data.get("aliases")
    return not isinstance(parse_aliases, list) or alias in parse_aliases


@sensitive_variables("data")
def parse_aliases(data: JSON, *, customer_id: str) -> list[str]:
    """Read the aliases of a customer; raise `CustomerMismatch` where they are another's."""
    if _id(data, "id", of="customer") != customer_id:
        raise CustomerMismatch("Alguna answered with another customer than the one asked about.")
    found = data.get("aliases") or []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


@sensitive_variables("data", "listed", "each")
def parse_subscriptions(data: JSON, *, customer_id: str) -> list[Subscription]:
    """Read one page of a customer's subscriptions; raise `CustomerMismatch` where one is somebody else's."""
    listed = data.get("data")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise UnexpectedResponse("Alguna's list of subscriptions has no “data”, or one that is no list of objects.")
    found = [
        Subscription(
            customer_id=_id(each, "customer_id", of="subscription"),
            status=_text(each, "status", of="subscription"),
            # Alguna says null where there is none.
            plan_id=_id(each, "plan_id", of="subscription") if each.get("plan_id") else "",
        )
        for each in listed
    ]
    if any(each.customer_id != customer_id for each in found):
        raise CustomerMismatch("Alguna answered with subscriptions of another customer than the one asked about.")
    return found


@sensitive_variables("data", "value")
def _text(data: JSON, key: str, *, of: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise UnexpectedResponse(f"Alguna's {of} has no “{key}”, or one that is not a string.")
    return value


@sensitive_variables("data", "value")
def _id(data: JSON, key: str, *, of: str) -> str:
    """Read an id, which will be stored, or stand in a log."""
    value = _text(data, key, of=of)
    if len(value) > LONGEST_ID or not value.isprintable() or value != value.strip():
        raise UnexpectedResponse(f"Alguna's {of} has a “{key}” that is too long for an id, or has no place in one.")
    return value


@sensitive_variables("data")
def _time(data: JSON, key: str) -> datetime:
    """Read a time as RFC 3339 writes it; without a zone it could mean anything, so it is refused."""
    try:
        time = datetime.fromisoformat(_text(data, key, of="portal session").upper())
    except ValueError:
        raise UnexpectedResponse(f"Alguna's portal session has a “{key}” that is not a time as in RFC 3339.") from None
    if time.tzinfo is None:
        raise UnexpectedResponse(f"Alguna's portal session has a “{key}” without a time zone.")
    return time


LONGEST_WAIT = 24 * 60 * 60.0  # seconds; a longer Retry-After is a fault, not advice


@sensitive_variables("body")
def parse_response(status: int, headers: Mapping[str, str], body: bytes, *, redact: Callable[[str], str] = str) -> JSON:
    """Return the JSON object of a successful answer; raise the exception that fits any other.

    `redact` takes out of what the exception quotes whatever only the caller knows to be secret.
    """
    if not 200 <= status < 300:
        raise _failure(status, headers, _reason(body, redact))
    data = _json_object(body)
    if data is None:
        raise UnexpectedResponse(
            f"Alguna answered {status}, but not with a JSON object. Does ALGUNA_PORTAL_API_URL lead to its API, "
            "and not to a page or a proxy?",
            status=status,
        )
    return data


def is_replay(headers: Mapping[str, str]) -> bool:
    """Say whether Alguna repeats what it answered to the same idempotency key before, up to a day ago."""
    # Of `requests`, whose headers know no case; so this costs nothing.
    return headers.get("Idempotent-Replayed", "").lower() == "true"


def _failure(status: int, headers: Mapping[str, str], said: str) -> AlgunaError:
    """Make the exception for an answer that is not a success."""
    answered = f"Alguna answered {status}{f' (“{said}”)' if said else ''}."
    retry_after = _retry_after(headers)
    if status in {408, 429} or status >= 500:
        return AlgunaUnavailable(f"{answered} Try again later.", status=status, retry_after=retry_after)
    if status == 409 and retry_after is not None:
        return AlgunaUnavailable(
            f"{answered} The same request is still running.", status=status, retry_after=retry_after
        )
    if status == 401:
        return AuthenticationFailed(
            f"{answered} Check ALGUNA_PORTAL_API_KEY, and that it belongs to the account behind "
            "ALGUNA_PORTAL_API_URL: the production and the sandbox API have keys of their own.",
            status=status,
        )
    if status == 403:
        return AuthenticationFailed(f"{answered} The API key may not do this; check its rights.", status=status)
    if status == 404 and said:
        return CustomerUnknown(
            f"{answered} No customer in this Alguna account has this alias; create it there, or correct the alias.",
            status=status,
        )
    if 400 <= status < 500 and status != 404:
        return AlgunaRefused(f"{answered} It will not accept this request as it is.", status=status)
    # A 404 that says nothing comes from whoever else stands at this address, and a redirect is not followed: it
    # would take the key elsewhere.
    return UnexpectedResponse(
        f"{answered} Its API does not answer like this. Check ALGUNA_PORTAL_API_URL.", status=status
    )


def _reason(body: bytes, redact: Callable[[str], str]) -> str:
    """Find what the API (`detail`) or the gateway before it (`message`) says went wrong."""
    data = _json_object(body) or {}
    text = next((data[key] for key in ("detail", "message") if isinstance(data.get(key), str)), "")
    return redact_text(redact(text))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in both its forms; return seconds from now, or None where there is none to use."""
    lowered = {name.lower(): value for name, value in headers.items()}
    raw = lowered.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,10}", raw):
        return min(float(raw), LONGEST_WAIT)
    until = _http_date(raw)
    if until is None:
        return None
    # By the clock that set the time, if it tells; ours may differ.
    wait = until - (_http_date(lowered.get("date", "")) or datetime.now(UTC))
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _json_object(body: bytes) -> JSON | None:
    """Read a JSON object, or return None. Without a chained cause: a parser's error carries the whole body."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
