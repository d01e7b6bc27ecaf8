"""What the parts of the sandbox say to each other: requests, answers, problems and the shape of the state."""

import json
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# --- from alguna_portal.sandbox.engine.plans


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan; the amount is in the currency's minor unit, a month."""

    id: str
    name: str
    amount_cents: int


# What the hosted portal lets a customer choose from, where nothing else is set. New customers get the first.
PLANS = (
    Plan(id="plan_starter", name="Starter", amount_cents=4900),
    Plan(id="plan_growth", name="Growth", amount_cents=14900),
    Plan(id="plan_enterprise", name="Enterprise", amount_cents=49900),
)


def by_id(plans: Sequence[Plan], plan_id: str) -> Plan | None:
    """Return the plan that has the id, None where none has."""
    return next((plan for plan in plans if plan.id == plan_id), None)


JSON = dict[str, Any]
# A record read from the state must be assigned back once it is changed: in one of the two doors it is a copy.
State = Mapping[str, MutableMapping[str, JSON]]

# What is done within happens as a whole, and nobody else's in between.
Exclusive = Callable[[], AbstractContextManager[object]]

COLLECTIONS = ("aliases", "customers", "idempotency", "invoices", "sessions", "subscriptions", "weather")

_lock = threading.RLock()


def one_at_a_time() -> AbstractContextManager[object]:
    """Let one thread of this process in: enough for a state that lives in dicts."""
    return _lock


def new_state() -> dict[str, MutableMapping[str, JSON]]:
    """Return an empty state that lives in dicts."""
    return {name: {} for name in COLLECTIONS}


def timestamp(moment: datetime) -> str:
    """Write a moment as Alguna does: RFC 3339, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request; `path` starts with a slash, below the mount, and is percent-decoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return a header whatever the case of its name, None where it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_headers(self, **headers: str) -> "Answer":
        """Return the same answer with more headers; underscores in their names stand for hyphens."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(status=self.status, headers={**self.headers, **more}, body=self.body)


@dataclass(frozen=True, kw_only=True)
class Dropped(Answer):
    """No answer at all: the connection is closed, or whatever comes closest to that at a door."""

    status: int = 0


def json_answer(data: JSON, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer whose body is JSON."""
    content = {"Content-Type": "application/json", **(headers or {})}
    return Answer(status=status, headers=content, body=json.dumps(data).encode())


class ApiError(Exception):
    """A request that Alguna refuses; `title` is given for version and idempotency errors alone."""

    def __init__(self, status: int, detail: str, *, title: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title
        self.headers = headers

    def answer(self) -> Answer:
        """Return the problem as Alguna words it on the wire."""
        data: JSON = {"detail": self.detail, "status": self.status}
        if self.title:
            data |= {"title": self.title, "type": "about:blank"}
        return json_answer(data, status=self.status, headers=self.headers)


class InvalidForm(Exception):
    """What a person wrote cannot be taken; `errors` says why, by field, to that person."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class Call:
    """One accepted request with all that an endpoint may use; `ident` is what the path names, if it does.

    A new customer is subscribed to `first_plan`.
    """

    state: State
    request: Request
    ident: str
    now: datetime
    portal_url: str
    session_life: timedelta
    first_plan: Plan = PLANS[0]


Endpoint = Callable[[Call], Answer]
