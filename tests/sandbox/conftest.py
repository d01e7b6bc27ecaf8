"""Clients of the sandbox's tests: one calls the engine with its state in memory, the other one the sandbox's URLs."""

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
from tests.sandbox.webhook_receiver import SECRET, WebhookReceiver

HEADERS = {"Authorization": "Bearer sandbox.secret", "Alguna-Version": "2026-04-01"}
ACME = {"name": "Acme", "currency": "USD"}
START = datetime(2026, 4, 1, 10, tzinfo=UTC)
CARD = {"number": "5555 5555-5555 4444", "expires": "1/ 2099"}
COMPANY = {"name": "New Name", "email": "new@acme.test"}


@dataclass
class Clock:
    """A clock that only moves when a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class EngineClient:
    """A client of the engine. `failures` replace the next responses, `slept` records the simulated latency."""

    state: State = field(default_factory=new_state)
    clock: Clock = field(default_factory=Clock)
    failures: list[Response] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def create_engine(self) -> Engine:
        """Return an engine for the same state, like another process."""
        return Engine(
            state=self.state,
            api_key="sandbox.secret",
            portal_url="https://portal.test/sandbox",
            clock=self.clock,
            session_lifetime=timedelta(minutes=30),
            fault=lambda request: self.failures.pop() if self.failures else None,
            sleep=self.slept.append,
        )

    def request(self, method: str, path: str, data: object = None, **options: Any) -> Response:
        """Send a request; for the options, see `create_request`."""
        return self.create_engine().handle(create_request(method, path, data, **options))

    def create_customer(self, **fields: object) -> JSON:
        return get_json(self.request("POST", "/customers", {**ACME, **fields}))


def create_request(
    method: str,
    path: str,
    data: object = None,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] = HEADERS,
    key: str = "",
) -> Request:
    """Return a request; bytes are the body, other data is sent as JSON, and `key` is an idempotency key."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    all_headers = {**headers, "Idempotency-Key": key} if key else headers
    return Request(method=method, path=path, query=query or {}, headers=all_headers, body=body)


def get_json(response: Response, *, status: int = 200) -> JSON:
    """Check the status of a response; return its JSON."""
    assert response.status == status, response.body
    data: JSON = json.loads(response.body)
    return data


@dataclass
class SandboxClient:
    """A client of the sandbox's URLs; `client` is the browser."""

    client: Client

    def request(self, method: str, path: str, data: object = None, **headers: str) -> Any:
        """Send a request to the API."""
        return self.client.generic(
            method,
            f"/sandbox{path}",
            json.dumps(data),
            content_type="application/json",
            headers={**HEADERS, **headers},
        )

    def get_data(self, path: str) -> list[JSON]:
        """Return the entries of a list."""
        data: list[JSON] = json.loads(self.request("GET", path).content)["data"]
        return data

    def create_customer(self, **fields: object) -> JSON:
        data: JSON = json.loads(self.request("POST", "/customers", {**ACME, "name": "Acme Inc", **fields}).content)
        return data

    def create_portal(self, customer: JSON | None = None, **settings: Any) -> str:
        """Return the path of a new portal session, by default of a new customer."""
        customer = customer or self.create_customer()
        response = self.request("POST", "/customer-portal-sessions", {"customer_id": customer["id"], **settings})
        return str(json.loads(response.content)["url"]).removeprefix("http://testserver")


Page = Any  # The response of the test client has attributes that its class doesn't declare.


def get_text(response: Page) -> str:
    """Return the visible text of a page on one line."""
    body = re.split("<body[^>]*>", response.content.decode())[-1]
    return " ".join(strip_tags(body.replace("<", " <")).split())


def find_link(response: Page, ending: str) -> str:
    """Return the first URL on a page that ends with a pattern."""
    found = re.search(rf'(?:href|action)="([^"]*{ending})"', response.content.decode())
    assert found
    return found[1]


@pytest.fixture
def engine() -> EngineClient:
    return EngineClient()


@pytest.fixture
def sandbox(db: None, settings: Any, client: Client) -> SandboxClient:
    settings.DEBUG = True
    settings.ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0  # the tests exceed the default rate limit
    return SandboxClient(client)


@pytest.fixture
def receiver(settings: Any) -> Iterator[WebhookReceiver]:
    """A webhook receiver that the sandbox's settings name."""
    with WebhookReceiver() as receiver:
        settings.ALGUNA_SANDBOX_WEBHOOK_URL = receiver.url
        settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = SECRET
        yield receiver
        webhook_delivery.discard_messages()
        webhook_delivery.wait_until_delivered()


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks: Any) -> Any:
    """Return a context manager that runs on_commit callbacks at its end."""
    return lambda execute=True: django_capture_on_commit_callbacks(execute=execute)
