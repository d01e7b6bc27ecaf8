"""The lookup in Alguna on a customer's page, with its time limit and the circuit breaker."""

from uuid import uuid4

import pytest
import requests
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from alguna_portal.api.circuit_breaker import FAILURES, OPEN_SECONDS, CircuitBreaker
from alguna_portal.api.client import AlgunaClient
from alguna_portal.exceptions import BreakerOpen
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.support.admin import create_form_data, get_list_url, get_text, get_url, sign_in

ADD = get_list_url(Customer, "add")

pytestmark = pytest.mark.usefixtures("fake")


def open_circuit_breaker() -> None:
    """Let enough calls fail to open the circuit breaker."""
    for _ in range(FAILURES):
        breaker = CircuitBreaker()
        breaker.before_call()
        breaker.after_call(BreakerOpen("down"))


def get_state(client: Client, customer: Customer) -> str:
    """Return the HTML that the page shows for the customer in Alguna."""
    shown = get_text(client.get(get_url(customer)))
    assert shown.count("<label>In Alguna:</label>") == 1
    return shown.split("<label>In Alguna:</label>")[1].split('<div class="readonly">')[1].split("</div>")[0]


def test_a_customer_with_the_stored_id_is_found_with_one_request(
    admin_client: Client, fake: FakeAlguna, acme: Customer
) -> None:
    acme.customer_id = fake.add_customer("acme-1")
    acme.save()
    assert get_state(admin_client, acme) == f"Yes, as {acme.customer_id}"
    assert [(request.method, request.path) for request in fake.requests] == [("GET", "/customers/lookup")]


def test_a_customer_without_an_id_is_missing_in_alguna(admin_client: Client, acme: Customer) -> None:
    assert get_state(admin_client, acme) == "No"


def test_a_customer_whose_id_is_not_stored_is_found(admin_client: Client, fake: FakeAlguna, acme: Customer) -> None:
    there = fake.add_customer("acme-1")
    hint = "which is not stored here yet. “Create in Alguna” stores it."
    assert get_state(admin_client, acme) == f"Yes, as {there}, {hint}"


def test_another_id_is_a_warning(admin_client: Client, fake: FakeAlguna, acme: Customer) -> None:
    there = fake.add_customer("acme-1")
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_y<b>")
    warning = get_state(admin_client, acme)
    assert warning.startswith(f"<strong>Yes, but as {there}, while cust_y<b> is stored here: portal sessions are")
    assert "Move the alias in Alguna" in warning
    assert "cust_y<b>" not in admin_client.get(get_url(acme)).content.decode()


def test_a_stored_id_without_a_customer_in_alguna_is_a_warning(admin_client: Client, acme: Customer) -> None:
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_y")
    assert get_state(admin_client, acme) == (
        "<strong>No customer there has this alias, though cust_y is stored here. Add the alias to that customer in "
        "Alguna. Only where that customer is gone, empty the customer id here and create it anew.</strong>"
    )


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(503, "Alguna answered 503"), (401, "Alguna answered 401"), (requests.ConnectionError("gone"), "")],
)
def test_if_the_lookup_fails_the_state_is_unknown(
    admin_client: Client, fake: FakeAlguna, acme: Customer, failure: int | Exception, reason: str
) -> None:
    fake.fail(failure)
    assert get_state(admin_client, acme).startswith(f'<span class="quiet">Unknown: {reason}')


def test_without_an_api_key_the_state_is_unknown(admin_client: Client, acme: Customer, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    assert get_state(admin_client, acme).startswith('<span class="quiet">Unknown: ALGUNA_PORTAL_API_KEY is not set.')


def test_a_customer_being_added_is_not_looked_up(admin_client: Client, fake: FakeAlguna, db: None) -> None:
    for response in (admin_client.get(ADD), admin_client.post(ADD, create_form_data())):
        assert response.status_code == 200
        assert "In Alguna" not in get_text(response)
    assert fake.requests == []


def test_only_displayed_pages_look_up_the_saved_customer(
    admin_client: Client, fake: FakeAlguna, acme: Customer
) -> None:
    there = fake.add_customer("acme-1")
    assert admin_client.post(get_url(acme), create_form_data(alias="acme-1")).status_code == 302
    assert fake.requests == []
    refused = admin_client.post(get_url(acme), create_form_data(alias="elsewhere", currency="ZZZ"))
    assert f"Yes, as {there}, which is not stored here yet." in get_text(refused)
    assert len(fake.requests) == 1


def test_the_view_permission_shows_the_state(fake: FakeAlguna, acme: Customer, non_member: User) -> None:
    client = sign_in(non_member, "view_customer")
    assert get_state(client, acme) == "No"


def test_the_lookup_has_a_time_limit_of_two_seconds(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def find(self: object, alias: str, *, within: float | None = None) -> None:
        given.append(within)

    monkeypatch.setattr(AlgunaClient, "find_customer", find)
    assert get_state(admin_client, acme) == "No"
    assert given == [2]


def test_failed_lookups_do_not_open_the_circuit_breaker(admin_client: Client, fake: FakeAlguna, acme: Customer) -> None:
    for _ in range(FAILURES):
        fake.fail(503)
        get_state(admin_client, acme)
    CircuitBreaker().before_call()
    assert get_state(admin_client, acme) == "No"


def test_an_open_circuit_breaker_stops_the_lookup(admin_client: Client, fake: FakeAlguna, acme: Customer) -> None:
    open_circuit_breaker()
    assert "Alguna failed several times in a row" in get_state(admin_client, acme)
    assert fake.requests == []


def test_the_lookup_is_never_the_probe_of_the_circuit_breaker(
    admin_client: Client, fake: FakeAlguna, acme: Customer
) -> None:
    with time_machine.travel("2026-03-04T05:06:00Z", tick=False) as clock:
        open_circuit_breaker()
        clock.shift(OPEN_SECONDS + 1)
        fake.fail(503)
        for _ in range(2):
            assert "Alguna failed several times in a row" in get_state(admin_client, acme)
        assert fake.requests == []
        probe = CircuitBreaker()
        probe.before_call()
        probe.after_call(None)


def test_a_long_id_is_shown(admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    there = f"cust_{uuid4()}"
    monkeypatch.setattr(AlgunaClient, "find_customer", lambda self, alias, within: there)
    assert get_state(admin_client, acme).startswith(f"Yes, as {there}, which is not stored")


def test_an_id_that_is_an_email_address_is_not_shown(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AlgunaClient, "find_customer", lambda self, alias, within: "mia@acme.example")
    assert get_state(admin_client, acme).startswith("Yes, as […], which is not stored")
