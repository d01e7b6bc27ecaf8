"""Types that all parts of the engine share: requests, responses, errors, state and plans."""

import json
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request; `path` is percent-decoded, relative to the API's URL, and starts with a slash."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def get_header(self, name: str) -> str | None:
        """Return the value of a header, regardless of the case of its name, or None if it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


@dataclass(frozen=True, kw_only=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_headers(self, **headers: str) -> "Response":
        """Return a copy with additional headers; underscores in the argument names become hyphens."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(status=self.status, headers={**self.headers, **added}, body=self.body)


@dataclass(frozen=True, kw_only=True)
class DroppedConnection(Response):
    """No response: the server closes the connection, or does what comes closest to that."""

    status: int = 0


def json_response(data: JSON, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    return Response(status=status, headers=all_headers, body=json.dumps(data).encode())


class ApiError(Exception):
    """An error response of the API. Only version and idempotency errors have a `title`."""

    def __init__(self, status: int, detail: str, *, title: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title
        self.headers = headers

    def to_response(self) -> Response:
        """Return the response in the API's error format."""
        data: JSON = {"detail": self.detail, "status": self.status}
        if self.title:
            data |= {"title": self.title, "type": "about:blank"}
        return json_response(data, status=self.status, headers=self.headers)


class InvalidForm(Exception):
    """A form of the hosted portal has invalid values; `errors` maps field names to messages for the user."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan; the amount is its monthly price in the currency's minor unit."""

    id: str
    name: str
    amount_cents: int


# New customers get the first plan. Customers can choose any of them in the hosted portal.
DEFAULT_PLANS = (
    Plan(id="plan_starter", name="Starter", amount_cents=4900),
    Plan(id="plan_growth", name="Growth", amount_cents=14900),
    Plan(id="plan_enterprise", name="Enterprise", amount_cents=49900),
)


def find_plan(plans: Sequence[Plan], plan_id: str) -> Plan | None:
    """Return the plan with an id, or None."""
    return next((plan for plan in plans if plan.id == plan_id), None)


# Collections of records by key. If the state is in a database, records are copies: assign a changed record back.
State = Mapping[str, MutableMapping[str, JSON]]
COLLECTIONS = ("aliases", "customers", "faults", "idempotency", "invoices", "sessions", "subscriptions")

# Returns a context manager that lets one writer at a time change the state, and saves all changes or none.
WriteLock = Callable[[], AbstractContextManager[object]]

_process_lock = threading.RLock()


def get_process_lock() -> AbstractContextManager[object]:
    """Return the write lock for a state in memory: one thread of this process at a time."""
    return _process_lock


def new_state() -> dict[str, MutableMapping[str, JSON]]:
    """Return an empty state in memory."""
    return {name: {} for name in COLLECTIONS}


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def format_timestamp(moment: datetime) -> str:
    """Format a time as Alguna does: RFC 3339 in UTC, with whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """An accepted request with everything that an endpoint needs.

    `ident` is the customer's id or alias in the path, or "". New customers are subscribed to `first_plan`.
    """

    state: State
    request: Request
    ident: str
    now: datetime
    portal_url: str
    session_lifetime: timedelta
    first_plan: Plan = DEFAULT_PLANS[0]


Endpoint = Callable[[ApiCall], Response]
