"""Alguna as the sandbox's tests meet it: by its engine on dicts, and by its HTTP door."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.types import JSON, Request, Response, State, new_state
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.receiving import SECRET, Receiver

HEADERS = {"Authorization": "Bearer sandbox.secret", "Alguna-Version": "2026-04-01"}
START = datetime(2026, 4, 1, 10, tzinfo=UTC)
CARD = {"number": "5555 5555-5555 4444", "expires": "1/ 2099"}
COMPANY = {"name": "New Name", "email": "new@acme.test"}


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass
class Alguna:
    """The engine, with calls as short as the tests would have them."""

    state: State = field(default_factory=new_state)
    clock: Clock = field(default_factory=Clock)
    outages: list[Response] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """Return an engine on the same state, as a new process would have it."""
        return Engine(
            state=self.state,
            api_key="sandbox.secret",
            portal_url="https://portal.test/sandbox",
            clock=self.clock,
            session_lifetime=timedelta(minutes=30),
            fault=lambda request: self.outages.pop() if self.outages else None,
            sleep=self.slept.append,
        )

    def ask(
        self,
        method: str,
        path: str,
        data: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
    ) -> Response:
        """Send one request; bytes go out as they are, anything else as JSON."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        sent = {**(HEADERS if headers is None else headers)}
        if key:
            sent["Idempotency-Key"] = key
        return self.engine.handle(Request(method=method, path=path, query=query or {}, headers=sent, body=body))

    def customer(self, **fields: object) -> JSON:
        """Create a customer."""
        answer = self.ask("POST", "/customers", {"name": "Acme", "currency": "USD", **fields})
        return read(answer, status=200)


def read(answer: Response, *, status: int) -> JSON:
    """Return an answer's JSON, having seen that its status is the expected one."""
    assert answer.status == status, answer.body
    data: JSON = json.loads(answer.body)
    return data


@dataclass
class Door:
    """The sandbox over HTTP, as a host has mounted it."""

    client: Client

    def ask(self, method: str, path: str, data: object = None, **headers: str) -> Any:
        """Send one API request to the mounted sandbox."""
        return self.client.generic(
            method,
            f"/sandbox{path}",
            json.dumps(data),
            content_type="application/json",
            headers={**HEADERS, **headers},
        )

    def customer(self, **fields: object) -> JSON:
        """Create a customer."""
        data: JSON = json.loads(
            self.ask("POST", "/customers", {"name": "Acme Inc", "currency": "USD", **fields}).content
        )
        return data

    def portal(self, customer: JSON, **settings: Any) -> str:
        """Return the path of a new portal session."""
        answer = self.ask("POST", "/customer-portal-sessions", {"customer_id": customer["id"], **settings})
        url = str(json.loads(answer.content)["url"])
        return url.removeprefix("http://testserver")


Page = Any  # the test client's response, which has more than any class says


def text(response: Page) -> str:
    """Return what a reader sees, on one line."""
    body = re.split("<body[^>]*>", response.content.decode())[-1]
    return " ".join(strip_tags(body.replace("<", " <")).split())


def link(response: Page, ending: str) -> str:
    """Return the first address on the page with that ending."""
    found = re.search(rf'(?:href|action)="([^"]*{ending})"', response.content.decode())
    assert found
    return found[1]


@pytest.fixture
def alguna() -> Alguna:
    return Alguna()


@pytest.fixture
def door(db: None, settings: Any, client: Client) -> Door:
    settings.DEBUG = True
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0  # tests are quicker than any client
    return Door(client)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver that the sandbox is set to tell; what has not arrived at the end is not sent any more."""
    with Receiver() as receiver:
        settings.ALGUNA_SANDBOX_WEBHOOK_URL = receiver.url
        settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = SECRET
        yield receiver
        webhook_delivery.discard_messages()
        webhook_delivery.wait_until_delivered()
