"""`PROVISION_ON_OPEN`: a customer that Alguna does not know is created on the first click, if that is wanted."""

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
def alguna(settings: Settings, fresh_alguna: FakeAlguna) -> FakeAlguna:
    """An Alguna that knows nobody yet, and a host that wants its customers created."""
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
    return fresh_alguna


@pytest.fixture
def client(manager: User, acme: Customer) -> Client:
    """The browser of a manager of a customer that is complete."""
    Customer.objects.update(currency="EUR")
    client = Client()
    client.force_login(manager)
    return client


def asked(alguna: FakeAlguna) -> list[str]:
    """What Alguna was asked."""
    return [f"{request.method} {request.path}" for request in alguna.requests]


def test_the_first_click_creates_the_customer_and_opens(alguna: FakeAlguna, client: Client, acme: Customer) -> None:
    """The second finds it there, and the session, too."""
    assert client.get(BILLING)["Location"] == alguna.sessions[0].url
    assert asked(alguna) == [
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


def test_unless_it_is_wanted_nothing_is_created(settings: Settings, alguna: FakeAlguna, client: Client) -> None:
    """Off, as by default, an unknown customer is an error that says so."""
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = False
    assert client.get(BILLING).status_code == 502
    assert asked(alguna) == ["POST /customer-portal-sessions"]


def test_a_customer_whose_id_is_known_is_not_created_again(alguna: FakeAlguna, client: Client) -> None:
    """It is in Alguna, but under another alias, or in another account."""
    Customer.objects.update(customer_id="cust_1")
    assert client.get(BILLING).status_code == 502
    assert asked(alguna) == ["POST /customer-portal-sessions"]


@pytest.mark.parametrize(
    ("change", "named"), [({"currency": ""}, "currency"), ({"currency": "X", "name": ""}, "currency, name")]
)
def test_a_customer_that_cannot_be_created_says_which_fields_are_wrong(
    alguna: FakeAlguna, client: Client, caplog: pytest.LogCaptureFixture, change: dict[str, Any], named: str
) -> None:
    """The user sees the page for what is not set up, the log what to mend, and neither what was entered."""
    Customer.objects.update(**change, email="billing@acme.example")
    assert client.get(BILLING).status_code == 502
    (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("alguna_portal")]
    assert said.endswith(f" It could not be created there; check its {named}.")
    assert "billing@" not in caplog.text
    assert asked(alguna) == ["POST /customer-portal-sessions"]


def test_a_customer_that_is_deleted_meanwhile_is_an_error_that_says_so(
    alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As any customer that is not there."""

    def delete(customer: Customer, within: float) -> None:
        Customer.objects.get(pk=0)

    monkeypatch.setattr("alguna_portal.sessions.creation.provision", delete)
    assert client.get(BILLING).status_code == 502
    assert "Here it was deleted meanwhile." in caplog.text
    with pytest.raises(CustomerUnknown) as caught:
        open_session(Customer(alias="org-7", name="Seven", currency="USD"))
    assert caught.value.status == 404


def test_a_customer_that_stays_unknown_is_tried_once(
    alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No click goes round in circles."""
    monkeypatch.setattr("alguna_portal.sessions.creation.provision", lambda customer, within: None)
    assert client.get(BILLING).status_code == 502
    assert asked(alguna) == ["POST /customer-portal-sessions"] * 2


def test_an_outage_on_the_way_is_an_outage(alguna: FakeAlguna, client: Client, acme: Customer) -> None:
    """And leaves nothing half-done."""
    alguna.fail(404, detail="none")
    alguna.fail(503)
    response = client.get(BILLING)
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    acme.refresh_from_db()
    assert acme.customer_id is None


def test_a_customer_without_a_row_is_created_too(alguna: FakeAlguna) -> None:
    """For hosts that keep their own organizations; the second click has nothing to create."""
    for _ in range(2):
        open_session(Customer(alias="org-7", name="Seven", currency="USD"), fresh=True)
    assert asked(alguna).count("POST /customers") == 1


def test_first_clicks_at_once_create_one_customer(settings: Settings, alguna: FakeAlguna) -> None:
    """Each user has a session of their own, and so a flight of their own; the customer is still one."""
    settings.ALGUNA_PORTAL_AUDIT = False
    settings.ALGUNA_PORTAL_RETRIES = 2
    barrier = Barrier(MANY)

    def click(number: int) -> str:
        barrier.wait()
        customer = Customer(alias="org-7", name="Seven", currency="USD")
        return open_session(customer, user=User(pk=number + 1)).customer_id

    with ThreadPoolExecutor(MANY) as pool:
        owners = set(pool.map(click, range(MANY)))
    assert len(owners) == 1
    created = {request.headers["Idempotency-Key"] for request in alguna.requests if request.path == "/customers"}
    assert len(created) == 1


def test_all_of_it_keeps_to_the_budget(
    settings: Settings, alguna: FakeAlguna, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the click's time is what the customer's creation is given, and then the second attempt."""
    given: list[float] = []

    def provision(customer: Customer, within: float) -> None:
        given.append(within)

    monkeypatch.setattr("alguna_portal.sessions.creation.provision", provision)
    settings.ALGUNA_PORTAL_TIME_BUDGET = 8
    client.get(BILLING)
    assert 0 < given[0] <= 6


def test_no_time_left_for_the_second_attempt_is_an_outage(alguna: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user is asked to try again; then the customer is there."""
    clock = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr("alguna_portal.sessions.creation.monotonic", lambda: next(clock))
    monkeypatch.setattr("alguna_portal.sessions.creation.provision", lambda customer, within: None)
    with pytest.raises(AlgunaUnavailable, match="no time left"):
        open_session(Customer(alias="org-7", name="Seven", currency="USD"))


def test_code_gets_the_reason(alguna: FakeAlguna) -> None:
    """As an exception that it knows already."""
    with pytest.raises(CustomerUnknown, match="check its currency") as caught:
        open_session(Customer(alias="org-7", name="Seven"))
    assert caught.value.status == 404
