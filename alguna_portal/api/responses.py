"""Any answer of Alguna's: from a status, headers and bytes to a JSON object, or to one exception of `exceptions`.

Pure functions, without I/O or settings. What an answer says is quoted in exceptions only after `quoting` took
addresses and URLs out, and Django's error reports do not show the variables that hold it.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from django.views.decorators.debug import sensitive_variables

from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    BadAnswer,
    CustomerUnknown,
)
from alguna_portal.redaction import quotable

from .answers import JSON

LONGEST_WAIT = 24 * 60 * 60.0  # seconds; a longer Retry-After is a fault, not advice


@sensitive_variables("body")
def decode(status: int, headers: Mapping[str, str], body: bytes, *, redact: Callable[[str], str] = str) -> JSON:
    """Return the JSON object of a successful answer; raise the exception that fits any other.

    `redact` takes out of what the exception quotes whatever only the caller knows to be secret.
    """
    if not 200 <= status < 300:
        raise _failure(status, headers, _reason(body, redact))
    data = _json_object(body)
    if data is None:
        raise BadAnswer(
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
    return BadAnswer(f"{answered} Its API does not answer like this. Check ALGUNA_PORTAL_API_URL.", status=status)


def _reason(body: bytes, redact: Callable[[str], str]) -> str:
    """Find what the API (`detail`) or the gateway before it (`message`) says went wrong."""
    data = _json_object(body) or {}
    text = next((data[key] for key in ("detail", "message") if isinstance(data.get(key), str)), "")
    return quotable(redact(text))


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
