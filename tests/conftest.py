"""Fixtures of all tests: an empty cache, users, customers and a fake of Alguna's API for portal sessions."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connections
from django.utils import translation
from pytest_django import Settings

from alguna_portal.bulk import rate_limiter
from alguna_portal.links import send_link
from alguna_portal.models import Customer, Membership, PortalLink
from alguna_portal.roles import Role
from alguna_portal.testing import FakeAlguna

API = "https://api.alguna.io"


class FakeApi:
    """Fake of the API for portal sessions, below `requests`. Records the requests.

    The attributes change the responses. `meanwhile` is called during each request; `failed` has the failures so far.
    """

    def __init__(self, http: responses.RequestsMock) -> None:
        self.http = http
        self.life = timedelta(hours=1)
        self.clock_is_off_by = timedelta(0)
        self.customer_id = "cust_abc123"
        self.host = "portal.alguna.io"
        self.change: dict[str, Any] = {}
        self.failed: list[int | Exception] = []
        self.on_request: Callable[[], object] = lambda: None
        self.requests: list[requests.PreparedRequest] = []
        self._failures: list[tuple[int, dict[str, str], str] | Exception] = []
        self.serve(API)

    def serve(self, api: str) -> None:
        """Respond at another API URL, too."""
        self.http.add_callback("POST", f"{api}/customer-portal-sessions", callback=self._respond)

    def fail(self, status: int | Exception, body: str = "{}", **headers: str) -> None:
        """Let the next request fail with a status or an exception. Keyword arguments are response headers."""
        with_hyphens = {name.replace("_", "-"): value for name, value in headers.items()}
        self._failures.append(status if isinstance(status, Exception) else (status, with_hyphens, body))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON bodies of the requests in order."""
        return [json.loads(request.body or b"") for request in self.requests]

    def url(self, number: int) -> str:
        """Return the URL of the session that a request created. Requests are numbered from 1."""
        return f"https://{self.host}/hs/token{number}"

    def _respond(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.requests.append(request)
        self.on_request()
        # The client keeps this thread alive. An open connection in it would prevent dropping the test database.
        connections.close_all()
        if self._failures:
            failure = self._failures.pop(0)
            self.failed.append(failure if isinstance(failure, Exception) else failure[0])
            if isinstance(failure, Exception):
                raise failure
            return failure
        created_at = datetime.now(UTC) + self.clock_is_off_by
        session = {
            "id": f"sess{len(self.requests)}",
            "customer_id": self.customer_id,
            "url": self.url(len(self.requests)),
            "created_at": created_at.isoformat(),
            "expires_at": (created_at + self.life).isoformat(),
        }
        return 200, {}, json.dumps(session | self.change)


@pytest.fixture
def alguna() -> Iterator[FakeApi]:
    """The fake API for portal sessions. By default, all requests succeed."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        yield FakeApi(http)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    caches["default"].clear()


@pytest.fixture(autouse=True)
def _no_language() -> Iterator[None]:
    yield
    # A language that a middleware activated would stay active in this thread for the next test.
    translation.deactivate()


@pytest.fixture
def acme(db: None) -> Customer:
    """A customer on the starter plan."""
    return Customer.objects.create(alias="acme-1", name="Acme", plan="starter")


@pytest.fixture
def umbrella(db: None) -> Customer:
    """A customer on the enterprise plan."""
    return Customer.objects.create(alias="umbrella-2", name="Umbrella", plan="enterprise")


@pytest.fixture
def manager(acme: Customer) -> User:
    """A manager of Acme."""
    user = User.objects.create_user("mia", "mia@acme.example")
    Membership.objects.create(user=user, customer=acme, role=Role.MANAGER)
    return user


@pytest.fixture
def viewer(acme: Customer) -> User:
    """A viewer of Acme."""
    user = User.objects.create_user("vic", "vic@acme.example")
    Membership.objects.create(user=user, customer=acme, role=Role.VIEWER)
    return user


@pytest.fixture
def non_member(db: None) -> User:
    """A user without a membership."""
    return User.objects.create_user("sue", "sue@elsewhere.example")


@pytest.fixture
def customer(acme: Customer) -> Customer:
    """Acme with an email address."""
    acme.email = "billing@acme.example"
    acme.save()
    return acme


@pytest.fixture
def link(customer: Customer) -> PortalLink:
    """A portal link that was sent to Acme."""
    return send_link(customer)


@pytest.fixture
def short_rate_limiter_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds instead of seconds for the pauses of the rate limiter."""
    monkeypatch.setattr(rate_limiter, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(rate_limiter, "LONGEST_PAUSE", 0.004)


@pytest.fixture
def empty_fake(settings: Settings) -> Iterator[FakeAlguna]:
    """The public fake of the test kit without customers, set up with `settings` like in the pytest plugin."""
    fake = FakeAlguna(knows_everyone=False)
    for name, value in fake.settings.items():
        setattr(settings, name, value)
    with fake.under_requests():
        yield fake
