"""Responses of the Alguna API: status codes become exceptions, JSON becomes dataclasses.

All functions are pure: they do no I/O and read no settings. Exceptions quote a response only after `redact_text` has
removed addresses and URLs, and Django's error reports don't show the variables that contain it.
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

JSON = dict[str, Any]

LONGEST_ID = 255
LONGEST_WAIT = 24 * 60 * 60.0  # seconds; a longer Retry-After can't be meant


@dataclass(frozen=True, kw_only=True)
class ApiResponse:
    """A successful response. `replayed`: Alguna repeated its first response to this request, up to a day old."""

    data: JSON = field(repr=False)
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class PortalSession:
    """A session of one customer in the hosted portal. Its `url` is a credential and isn't shown by `repr`."""

    id: str
    customer_id: str
    url: str = field(repr=False)
    created_at: datetime
    expires_at: datetime

    @property
    def life(self) -> timedelta:
        """The lifetime of the session, from its creation to its expiry."""
        return self.expires_at - self.created_at


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A customer's subscription. `plan_id` is empty if Alguna returns none."""

    customer_id: str
    status: str
    plan_id: str


# Any response: status, headers and body


@sensitive_variables("body")
def parse_response(status: int, headers: Mapping[str, str], body: bytes, *, redact: Callable[[str], str] = str) -> JSON:
    """Return the JSON object of a successful response; raise the `AlgunaError` that fits any other response.

    `redact` removes secrets from the text that the exception quotes.
    """
    if not 200 <= status < 300:
        raise _create_exception(status, headers, _get_reason(body, redact))
    data = parse_json_object(body)
    if data is None:
        raise UnexpectedResponse(
            f"Alguna answered {status}, but not with a JSON object. Does ALGUNA_PORTAL_API_URL lead to its API, "
            "and not to a page or a proxy?",
            status=status,
        )
    return data


def is_replay(headers: Mapping[str, str]) -> bool:
    """Return whether Alguna repeats its first response to the same idempotency key, up to a day old."""
    # The headers of `requests` ignore case.
    return headers.get("Idempotent-Replayed", "").lower() == "true"


def _create_exception(status: int, headers: Mapping[str, str], reason: str) -> AlgunaError:
    """Create the exception for a response that isn't a success."""
    retry_after = _get_retry_after(headers)
    kind: type[AlgunaError]
    if status in {408, 429} or status >= 500:
        kind, remedy = AlgunaUnavailable, "Try again later."
    elif status == 409 and retry_after is not None:
        kind, remedy = AlgunaUnavailable, "The same request is still running."
    elif status == 401:
        kind = AuthenticationFailed
        remedy = (
            "Check ALGUNA_PORTAL_API_KEY, and that it belongs to the account behind ALGUNA_PORTAL_API_URL: "
            "the production and the sandbox API have keys of their own."
        )
    elif status == 403:
        kind, remedy = AuthenticationFailed, "The API key may not do this; check its rights."
    elif status == 404 and reason:
        kind = CustomerUnknown
        remedy = "No customer in this Alguna account has this alias; create it there, or correct the alias."
    elif 400 <= status < 500 and status != 404:
        kind, remedy = AlgunaRefused, "It will not accept this request as it is."
    else:
        # A 404 without a reason isn't the API's. Redirects aren't followed, since they would forward the key.
        kind, remedy = UnexpectedResponse, "Its API does not answer like this. Check ALGUNA_PORTAL_API_URL."
    text = f"Alguna answered {status}{f' (“{reason}”)' if reason else ''}. {remedy}"
    return kind(text, status=status, retry_after=retry_after if kind is AlgunaUnavailable else None)


def _get_reason(body: bytes, redact: Callable[[str], str]) -> str:
    """Return the redacted error message of the API (`detail`) or of its gateway (`message`), or an empty string."""
    data = parse_json_object(body) or {}
    text = next((data[key] for key in ("detail", "message") if isinstance(data.get(key), str)), "")
    return redact_text(redact(text))


def _get_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return `Retry-After`, seconds or a date, as seconds from now; None if it is missing or invalid."""
    lowered = {name.lower(): value for name, value in headers.items()}
    raw = lowered.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,10}", raw):
        return min(float(raw), LONGEST_WAIT)
    until = _parse_http_date(raw)
    if until is None:
        return None
    # Our clock may differ from Alguna's, so its own `Date` counts if there is one.
    wait = until - (_parse_http_date(lowered.get("date", "")) or datetime.now(UTC))
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)


# The data of a successful response


@sensitive_variables()
def parse_portal_session(data: JSON) -> PortalSession:
    """Return a new portal session. Both of its times are Alguna's, so only their difference is reliable."""
    session = PortalSession(
        id=_get_id(data, "id", of="portal session"),
        customer_id=_get_id(data, "customer_id", of="portal session"),
        url=get_text(data, "url", of="portal session"),
        created_at=_get_time(data, "created_at"),
        expires_at=_get_time(data, "expires_at"),
    )
    if session.life <= timedelta(0):
        raise UnexpectedResponse("Alguna's portal session expires before it was created.")
    return session


@sensitive_variables()
def parse_customer_id(data: JSON) -> str:
    """Return the customer id from the lookup of an alias."""
    return _get_id(data, "customer_id", of="customer")


@sensitive_variables()
def parse_created_customer(data: JSON, *, alias: str) -> str:
    """Return the id of a new customer; raise `CustomerMismatch` if the customer doesn't have the alias."""
    if not has_alias(data, alias):
        raise CustomerMismatch("Alguna answered with a customer that does not have the alias it was to be given.")
    return _get_id(data, "id", of="customer")


@sensitive_variables()
def has_alias(data: JSON, alias: str) -> bool:
    """Return whether a customer has an alias; True if the response doesn't list aliases."""
    aliases = data.get("aliases")
    return not isinstance(aliases, list) or alias in aliases


@sensitive_variables()
def parse_aliases(data: JSON, *, customer_id: str) -> list[str]:
    """Return the aliases of a customer; raise `CustomerMismatch` if the response is about another customer."""
    if _get_id(data, "id", of="customer") != customer_id:
        raise CustomerMismatch("Alguna answered with another customer than the one asked about.")
    aliases = data.get("aliases") or []
    return [alias for alias in aliases if isinstance(alias, str)] if isinstance(aliases, list) else []


@sensitive_variables()
def parse_subscriptions(data: JSON, *, customer_id: str) -> list[Subscription]:
    """Return a page of a customer's subscriptions; raise `CustomerMismatch` if one belongs to another customer."""
    items = data.get("data")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnexpectedResponse("Alguna's list of subscriptions has no “data”, or one that is no list of objects.")
    subscriptions = [
        Subscription(
            customer_id=_get_id(item, "customer_id", of="subscription"),
            status=get_text(item, "status", of="subscription"),
            # Null if the subscription has no plan.
            plan_id=_get_id(item, "plan_id", of="subscription") if item.get("plan_id") else "",
        )
        for item in items
    ]
    if any(subscription.customer_id != customer_id for subscription in subscriptions):
        raise CustomerMismatch("Alguna answered with subscriptions of another customer than the one asked about.")
    return subscriptions


# Single values


def parse_json_object(body: bytes) -> JSON | None:
    """Return a JSON object, or None if the body isn't one. A parser's exception would contain the whole body."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def parse_time(value: object) -> datetime | None:
    """Parse a time as in RFC 3339, but maybe without time zone; return None if it isn't one."""
    try:
        return datetime.fromisoformat(value.upper()) if isinstance(value, str) else None
    except ValueError:
        return None


def _parse_http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


@sensitive_variables()
def get_text(data: JSON, key: str, *, of: str) -> str:
    """Return a text; raise `UnexpectedResponse` if the object, which is called `of`, has none."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise UnexpectedResponse(f"Alguna's {of} has no “{key}”, or one that is not a string.")
    return value


@sensitive_variables()
def _get_id(data: JSON, key: str, *, of: str) -> str:
    """Return an id that is safe to store and to log."""
    value = get_text(data, key, of=of)
    if len(value) > LONGEST_ID or not value.isprintable() or value != value.strip():
        raise UnexpectedResponse(f"Alguna's {of} has a “{key}” that is too long for an id, or has no place in one.")
    return value


@sensitive_variables()
def _get_time(data: JSON, key: str) -> datetime:
    time = parse_time(get_text(data, key, of="portal session"))
    if time is None or time.tzinfo is None:
        problem = "without a time zone" if time else "that is not a time as in RFC 3339"
        raise UnexpectedResponse(f"Alguna's portal session has a “{key}” {problem}.")
    return time
