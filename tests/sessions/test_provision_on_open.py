"""`PROVISION_ON_OPEN`: the first click creates a customer that Alguna doesn't know."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaUnavailable, CustomerUnknown
from alguna_portal.models import Customer, PortalAccess
from alguna_portal.sessions import open_session
from alguna_portal.testing import FakeAlguna

BILLING = reverse("alguna_portal:billing")
MANY = 8

pytestmark = pytest.mark.django_db


@pytest.fixture
def alguna(settings: Settings, empty_fake: FakeAlguna) -> FakeAlguna:
    """An Alguna without customers, with `PROVISION_ON_OPEN` on."""
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
    return empty_fake


@pytest.fixture
def client(manager: User, acme: Customer) -> Client:
    """The client of a manager whose customer can be created."""
    Customer.objects.update(currency="EUR")
    client = Client()
    client.force_login(manager)
    return client


def get_requests(alguna: FakeAlguna) -> list[str]:
    return [f"{request.method} {request.path}" for request in alguna.requests]


def test_the_first_click_creates_the_customer_and_the_session(
    alguna: FakeAlguna, client: Client, acme: Customer
) -> None:
    assert client.get(BILLING)["Location"] == alguna.sessions[0].url
    assert get_requests(alguna) == [
        "POST /customer-portal-sessions",
        "GET /customers/lookup",
        "POST /customers",
        "POST /customer-portal-sessions",
    ]
    acme.refresh_from_db()
    assert acme.customer_id == alguna.sessions[0].customer_id
    assert client.get(BILLING)["Location"] == alguna.sessions[0].url
    assert len(alguna.requests) == 4
    assert [each.outcome for each in PortalAccess.objects.order_by("pk")] == ["opened", "reused"]


def test_without_the_setting_no_customer_is_created(settings: Settings, alguna: FakeAlguna, client: Client) -> None:
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = False
    assert client.get(BILLING).status_code == 502
    assert get_requests(alguna) == ["POST /customer-portal-sessions"]


def test_a_customer_with_an_id_is_not_created(alguna: FakeAlguna, client: Client) -> None:
    """It exists under another alias, or in another account."""
    Customer.objects.update(customer_id="cust_1")
    assert client.get(BILLING).status_code == 502
    assert get_requests(alguna) == ["POST /customer-portal-sessions"]


@pytest.mark.parametrize(
    ("change", "named"), [({"currency": ""}, "currency"), ({"currency": "X", "name": ""}, "currency, name")]
)
def test_invalid_fields_are_logged_without_their_values(
    alguna: FakeAlguna, client: Client, caplog: pytest.LogCaptureFixture, change: dict[str, Any], named: str
) -> None:
    Customer.objects.update(**change, email="billing@acme.example")
    assert client.get(BILLING).status_code == 502
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("alguna_portal")]
    assert message.endswith(f" It could not be created there; check its {named}.")
    assert "billing@" not in caplog.text
    assert get_requests(alguna) == ["POST /customer-portal-sessions"]


def test_a_customer_deleted_meanwhile_is_an_error(
    alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def delete(customer: Customer, within: float) -> None:
        Customer.objects.get(pk=0)

    monkeypatch.setattr("alguna_portal.sessions.creation.provision", delete)
    assert client.get(BILLING).status_code == 502
    assert "Here it was deleted meanwhile." in caplog.text
    with pytest.raises(CustomerUnknown) as caught:
        open_session(Customer(alias="org-7", name="Seven", currency="USD"))
    assert caught.value.status == 404


def test_the_session_is_retried_once(alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alguna_portal.sessions.creation.provision", lambda customer, within: None)
    assert client.get(BILLING).status_code == 502
    assert get_requests(alguna) == ["POST /customer-portal-sessions"] * 2


def test_an_outage_while_creating_the_customer(alguna: FakeAlguna, client: Client, acme: Customer) -> None:
    alguna.fail(404, detail="none")
    alguna.fail(503)
    response = client.get(BILLING)
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    acme.refresh_from_db()
    assert acme.customer_id is None


def test_a_customer_without_a_row_is_created(alguna: FakeAlguna) -> None:
    for _ in range(2):
        open_session(Customer(alias="org-7", name="Seven", currency="USD"), fresh=True)
    assert get_requests(alguna).count("POST /customers") == 1


def test_concurrent_first_clicks_create_one_customer(settings: Settings, alguna: FakeAlguna) -> None:
    settings.ALGUNA_PORTAL_AUDIT = False
    settings.ALGUNA_PORTAL_RETRIES = 2
    barrier = Barrier(MANY)

    def click(number: int) -> str:
        barrier.wait()
        customer = Customer(alias="org-7", name="Seven", currency="USD")
        return open_session(customer, user=User(pk=number + 1)).customer_id

    with ThreadPoolExecutor(MANY) as pool:
        customer_ids = set(pool.map(click, range(MANY)))
    assert len(customer_ids) == 1
    created = {request.headers["Idempotency-Key"] for request in alguna.requests if request.path == "/customers"}
    assert len(created) == 1


def test_the_customers_creation_gets_the_remaining_time(
    settings: Settings, alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def provision(customer: Customer, within: float) -> None:
        given.append(within)

    monkeypatch.setattr("alguna_portal.sessions.creation.provision", provision)
    settings.ALGUNA_PORTAL_TIME_BUDGET = 8
    client.get(BILLING)
    assert 0 < given[0] <= 6


def test_no_time_left_for_the_second_attempt_is_an_outage(alguna: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr("alguna_portal.sessions.creation.monotonic", lambda: next(clock))
    monkeypatch.setattr("alguna_portal.sessions.creation.provision", lambda customer, within: None)
    with pytest.raises(AlgunaUnavailable, match="no time left"):
        open_session(Customer(alias="org-7", name="Seven", currency="USD"))


def test_open_session_raises_the_reason(alguna: FakeAlguna) -> None:
    with pytest.raises(CustomerUnknown, match="check its currency") as caught:
        open_session(Customer(alias="org-7", name="Seven"))
    assert caught.value.status == 404
