"""What most tests need: a clean cache, people and customers, and somebody who plays Alguna."""

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


class Alguna:
    """Plays Alguna's portal sessions at the edge of `requests`, and remembers what it was asked."""

    def __init__(self, http: responses.RequestsMock) -> None:
        self.http = http
        self.life = timedelta(hours=1)
        self.clock_is_off_by = timedelta(0)
        self.customer_id = "cust_abc123"
        self.host = "portal.alguna.io"
        self.change: dict[str, Any] = {}
        self.failed: list[int | Exception] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.requests: list[requests.PreparedRequest] = []
        self._failures: list[tuple[int, dict[str, str], str] | Exception] = []
        self.serve(API)

    def serve(self, api: str) -> None:
        """Answer at another address, too."""
        self.http.add_callback("POST", f"{api}/customer-portal-sessions", callback=self._answer)

    def fail(self, status: int | Exception, body: str = "{}", **headers: str) -> None:
        """Answer the next request with a failure."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._failures.append(status if isinstance(status, Exception) else (status, named, body))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The requests' bodies, in order."""
        return [json.loads(request.body or b"") for request in self.requests]

    def url(self, number: int) -> str:
        """The URL of the session that request `number` made, from 1."""
        return f"https://{self.host}/hs/token{number}"

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.requests.append(request)
        self.meanwhile()
        # This thread stays, and what `meanwhile` opened in it would keep a test's database from being dropped.
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
def alguna() -> Iterator[Alguna]:
    """Alguna, answering as it should until told otherwise."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        yield Alguna(http)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    caches["default"].clear()


@pytest.fixture(autouse=True)
def _no_language() -> Iterator[None]:
    yield
    # What a middleware has activated stays so in its thread: here, for the next test.
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
    """A user who manages the billing of Acme."""
    user = User.objects.create_user("mia", "mia@acme.example")
    Membership.objects.create(user=user, customer=acme, role=Role.MANAGER)
    return user


@pytest.fixture
def viewer(acme: Customer) -> User:
    """A user who may look at the billing of Acme."""
    user = User.objects.create_user("vic", "vic@acme.example")
    Membership.objects.create(user=user, customer=acme, role=Role.VIEWER)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """A user who is a member of nothing."""
    return User.objects.create_user("sue", "sue@elsewhere.example")


@pytest.fixture
def customer(acme: Customer) -> Customer:
    """A customer that can be written to."""
    acme.email = "billing@acme.example"
    acme.save()
    return acme


@pytest.fixture
def link(customer: Customer) -> PortalLink:
    """A link that has been mailed."""
    return send_link(customer)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No patience: runs over all customers that have to wait hardly do."""
    monkeypatch.setattr(rate_limiter, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(rate_limiter, "LONGEST_PAUSE", 0.004)


@pytest.fixture
def fresh_alguna(settings: Settings) -> Iterator[FakeAlguna]:
    """An Alguna that knows nobody yet, as the users' own tests have it; through `settings`, as our plugin does it."""
    fake = FakeAlguna(knows_everyone=False)
    for name, value in fake.settings.items():
        setattr(settings, name, value)
    with fake.under_requests():
        yield fake
