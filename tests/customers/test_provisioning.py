"""`provision`: find a customer in Alguna by its alias, or create it once, and never change it."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import responses
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.db.models import QuerySet
from pytest_django import Settings

from alguna_portal.api.circuit_breaker import FAILURES
from alguna_portal.api.client import AlgunaClient
from alguna_portal.customers import Provisioned, provision
from alguna_portal.customers.provisioning import get_or_create_remote, store_customer_id
from alguna_portal.exceptions import (
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    BreakerOpen,
    CustomerMismatch,
    UnexpectedResponse,
)
from alguna_portal.models import Customer
from alguna_portal.signals import customer_provisioned
from alguna_portal.testing import FakeAlguna
from tests.conftest import API
from tests.support.logs import get_log_events

LOOKUP = f"{API}/customers/lookup"
CUSTOMERS = f"{API}/customers"
REPLAYED = {"Idempotent-Replayed": "true"}
NOT_FOUND = {"detail": "none", "status": 404}


Notified = list[tuple[Customer, bool]]


@pytest.fixture
def alguna(empty_fake: FakeAlguna) -> FakeAlguna:
    """An Alguna without customers."""
    return empty_fake


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """An Alguna whose responses the test sets."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def customer(db: None) -> Customer:
    """A customer that Alguna accepts."""
    return Customer.objects.create(alias="acme-1", name="Acme", currency="EUR", email="billing@acme.example")


@pytest.fixture
def notified() -> Iterator[Notified]:
    """The arguments of `customer_provisioned`: the customer, and if it was created."""
    received: Notified = []

    def listen(sender: Any, customer: Customer, created: bool, **_: Any) -> None:
        received.append((customer, created))

    customer_provisioned.connect(listen, sender=Customer)
    yield received
    customer_provisioned.disconnect(listen, sender=Customer)


def update_during_lookup(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Let another process update the row while the customer is looked up."""
    find_customer = AlgunaClient.find_customer

    def find_after_update(*args: Any, **kwargs: Any) -> str | None:
        Customer.objects.update(**values)
        return find_customer(*args, **kwargs)

    monkeypatch.setattr(AlgunaClient, "find_customer", find_after_update)


def get_requests(alguna: FakeAlguna) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in alguna.requests]


def get_stored_id(customer: Customer) -> str | None:
    return Customer.objects.get(pk=customer.pk).customer_id


def test_a_customer_is_looked_up_then_created_and_its_id_stored(
    alguna: FakeAlguna, customer: Customer, notified: Notified, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert provision(customer) is Provisioned.CREATED
    assert get_requests(alguna) == [("GET", "/customers/lookup"), ("POST", "/customers")]
    assert alguna.requests[1].body == {
        "name": "Acme",
        "currency": "EUR",
        "aliases": ["acme-1"],
        "contacts": [{"email": "billing@acme.example", "is_primary": True}],
    }
    assert get_stored_id(customer) == customer.customer_id
    assert str(customer.customer_id).startswith("cust_")
    assert notified == [(customer, True)]
    assert get_log_events(caplog, "customer_provisioned") == [
        ("INFO", f"Customer {customer.pk}: created in Alguna.", {"customer": customer.pk, "how": "created"})
    ]
    assert "acme" not in caplog.text.lower()


def test_an_existing_customer_is_adopted_and_not_changed(
    alguna: FakeAlguna, customer: Customer, notified: Notified
) -> None:
    customer_id = alguna.add_customer("acme-1", name="Acme, as sales has it")
    assert provision(customer) is Provisioned.ADOPTED
    assert get_requests(alguna) == [("GET", "/customers/lookup")]
    assert get_stored_id(customer) == customer_id
    assert notified == [(customer, False)]


def test_a_customer_with_an_id_makes_no_call_and_is_not_validated(
    alguna: FakeAlguna, customer: Customer, notified: Notified
) -> None:
    customer.customer_id, customer.currency = "cust_1", "nonsense"
    assert provision(customer) is Provisioned.KNOWN
    assert (alguna.requests, notified) == ([], [])


def test_an_id_stored_after_the_object_was_read_makes_no_call(alguna: FakeAlguna, customer: Customer) -> None:
    Customer.objects.update(customer_id="cust_1")
    assert provision(customer) is Provisioned.KNOWN
    assert customer.customer_id == "cust_1"
    assert alguna.requests == []


def test_without_an_address_no_contact_is_sent(alguna: FakeAlguna, customer: Customer) -> None:
    customer.email = ""
    provision(customer)
    assert "contacts" not in alguna.requests[1].body


def test_a_customer_without_a_row_gets_an_id(
    alguna: FakeAlguna, notified: Notified, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    customer = Customer(alias=7, name="Acme", currency="USD")
    assert provision(customer) is Provisioned.CREATED
    assert customer.customer_id
    assert alguna.requests[1].body["aliases"] == ["7"]
    assert notified == [(customer, True)]
    assert get_log_events(caplog, "customer_provisioned") == [
        ("INFO", "Customer (unsaved): created in Alguna.", {"customer": None, "how": "created"})
    ]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"name": ""}, {"name": "Alguna has no customers without one."}),
        ({"name": "  "}, {"name": "Alguna has no customers without one."}),
        ({"currency": ""}, {"currency": "Alguna has no customers without one."}),
        ({"currency": "EURO"}, {"currency": "ISO 4217"}),
        ({"currency": "eur"}, {"currency": "ISO 4217"}),
        ({"currency": "QQQ"}, {"currency": "ISO 4217"}),
        ({"alias": "a" * 256}, {"alias": "at most 255 characters"}),
        ({"alias": ""}, {"alias": "cannot be blank"}),
        ({"alias": " a"}, {"alias": "no spaces at its ends"}),
        ({"email": "billing@"}, {"email": "valid email address"}),
        ({"name": "", "currency": "X", "email": "x"}, {"name": "", "currency": "ISO 4217", "email": "valid"}),
        ({"plan": "p" * 101, "name": "N" * 256}, {"name": "at most 255 characters"}),
    ],
)
def test_all_invalid_fields_are_reported_before_any_call(
    alguna: FakeAlguna, customer: Customer, change: dict[str, Any], errors: dict[str, str]
) -> None:
    for name, value in change.items():
        setattr(customer, name, value)
    with pytest.raises(ValidationError) as caught:
        provision(customer)
    messages = caught.value.message_dict
    assert set(messages) == set(errors)
    for field, text in errors.items():
        assert text in " ".join(messages[field])
    assert alguna.requests == []
    assert get_stored_id(customer) is None


def test_required_fields_have_their_own_message() -> None:
    """The model allows them to be empty."""
    with pytest.raises(ValidationError) as caught:
        provision(Customer(alias="7"))
    message = ["Alguna has no customers without one."]
    assert caught.value.message_dict == {"name": message, "currency": message}


def test_failures_open_the_circuit_breaker(alguna: FakeAlguna, customer: Customer) -> None:
    alguna.fail(503, times=FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(AlgunaUnavailable):
            provision(customer)
    with pytest.raises(BreakerOpen):
        provision(customer)
    assert len(alguna.requests) == FAILURES


def test_the_idempotency_key_depends_on_the_data(alguna: FakeAlguna, customer: Customer) -> None:
    keys = []
    for name in ("Acme", "Acme", "Acme Inc"):
        customer.name = name
        alguna.fail(404, detail="none")
        alguna.fail(503)
        with pytest.raises(AlgunaUnavailable):
            provision(customer)
        keys.append(alguna.requests[-1].headers["Idempotency-Key"])
    assert keys[0] == keys[1] != keys[2]
    assert all(len(key) <= 255 and "acme" not in key.lower() for key in keys)


@pytest.mark.parametrize("status", [409, 422])
def test_after_a_refusal_the_alias_is_looked_up_again(
    http: responses.RequestsMock, customer: Customer, status: int
) -> None:
    """Alguna doesn't document the status for an alias that is taken."""
    by_alias = responses.matchers.query_param_matcher({"alias": "acme-1"})
    http.get(LOOKUP, status=404, json=NOT_FOUND, match=[by_alias])
    http.post(CUSTOMERS, status=status, json={"detail": "taken", "status": status})
    http.get(LOOKUP, json={"customer_id": "cust_9"}, match=[by_alias])
    assert provision(customer) is Provisioned.ADOPTED
    assert get_stored_id(customer) == "cust_9"


def test_a_request_that_is_still_running_is_retried(
    settings: Settings, http: responses.RequestsMock, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alguna_portal.api.retries.pause", lambda seconds: None)
    settings.ALGUNA_PORTAL_RETRIES = 1
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    for _ in range(2):
        http.post(CUSTOMERS, status=409, json={"detail": "runs", "status": 409}, headers={"Retry-After": "1"})
    http.get(LOOKUP, json={"customer_id": "cust_9"})
    assert provision(customer) is Provisioned.ADOPTED


@pytest.mark.parametrize(("status", "raised"), [(422, AlgunaRefused), (409, AlgunaRefused), (400, AlgunaRefused)])
def test_other_refusals_are_raised(
    http: responses.RequestsMock, customer: Customer, status: int, raised: type[Exception]
) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, status=status, json={"detail": "currency is not enabled", "status": status})
    with pytest.raises(raised, match="currency is not enabled"):
        provision(customer)
    assert get_stored_id(customer) is None
    assert len(http.calls) == (2 if status == 400 else 3)


def test_an_alias_that_is_another_customers_id_does_not_match(http: responses.RequestsMock, customer: Customer) -> None:
    """Alguna's lookup accepts ids, too."""
    customer.alias = "cust_of_another"
    customer.save()
    http.get(LOOKUP, json={"customer_id": "cust_of_another"})
    http.post(CUSTOMERS, json={"id": "cust_new", "aliases": ["cust_of_another"]})
    assert provision(customer) is Provisioned.CREATED
    assert get_stored_id(customer) == "cust_new"


def test_a_customer_created_by_a_process_that_died_is_adopted(alguna: FakeAlguna, customer: Customer) -> None:
    alguna.fail(404, detail="none")
    provision(customer)
    first = customer.customer_id
    Customer.objects.update(customer_id=None)
    again = Customer.objects.get()
    assert provision(again) is Provisioned.ADOPTED
    assert again.customer_id == first


def test_a_lost_response_is_retried_with_the_same_key(
    alguna: FakeAlguna, customer: Customer, settings: Settings
) -> None:
    settings.ALGUNA_PORTAL_RETRIES = 2
    alguna.fail(404, detail="none")
    alguna.fail(requests.ConnectionError(), times=2)
    assert provision(customer) is Provisioned.CREATED
    assert len({request.headers["Idempotency-Key"] for request in alguna.requests if request.method == "POST"}) == 1


def get_idempotency_keys(http: responses.RequestsMock) -> list[str]:
    """Return the idempotency keys of the POST requests."""
    return [call.request.headers["Idempotency-Key"] for call in http.calls if call.request.method == "POST"]


def test_a_replayed_response_is_used_if_the_customer_still_exists(
    http: responses.RequestsMock, customer: Customer
) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, json={"id": "cust_1", "aliases": ["acme-1"]}, headers=REPLAYED)
    http.get(f"{CUSTOMERS}/cust_1", json={"id": "cust_1", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert get_stored_id(customer) == "cust_1"
    assert len(get_idempotency_keys(http)) == 1


@pytest.mark.parametrize("now", [(404, NOT_FOUND), (200, {"id": "cust_1", "aliases": []})])
def test_a_replayed_response_is_not_used_if_the_customer_was_deleted(
    http: responses.RequestsMock, customer: Customer, now: tuple[int, dict[str, Any]]
) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, json={"id": "cust_1", "aliases": ["acme-1"]}, headers=REPLAYED)
    http.get(f"{CUSTOMERS}/cust_1", status=now[0], json=now[1])
    http.post(CUSTOMERS, json={"id": "cust_2", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert get_stored_id(customer) == "cust_2"
    first, second = get_idempotency_keys(http)
    assert first != second


@pytest.mark.parametrize("status", [400, 422])
def test_a_replayed_refusal_is_retried_with_a_new_key(
    http: responses.RequestsMock, customer: Customer, status: int
) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, status=status, json={"detail": "not enabled", "status": status}, headers=REPLAYED)
    http.post(CUSTOMERS, json={"id": "cust_2", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert get_stored_id(customer) == "cust_2"


def test_if_the_second_lookup_fails_the_refusal_is_raised(http: responses.RequestsMock, customer: Customer) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, status=422, json={"detail": "currency is not enabled", "status": 422})
    http.get(LOOKUP, status=503)
    with pytest.raises(AlgunaRefused, match="currency is not enabled"):
        provision(customer)


def test_an_outdated_alias_is_rejected(alguna: FakeAlguna, customer: Customer) -> None:
    Customer.objects.update(alias="acme-one")
    with pytest.raises(ValidationError) as caught:
        provision(customer)
    assert caught.value.message_dict == {"alias": ["It was changed meanwhile. Read the customer again."]}
    assert alguna.requests == []


def test_an_alias_changed_during_the_call_gets_no_id(
    alguna: FakeAlguna, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_during_lookup(monkeypatch, alias="acme-one")
    with pytest.raises(CustomerMismatch) as caught:
        provision(customer)
    assert str(caught.value) == (
        f"Customer {customer.pk} got another alias while Alguna was asked about the old one. Try again, and look "
        "whether Alguna now has a customer with the old one that nobody needs."
    )
    assert get_stored_id(customer) is None


def test_an_alias_changed_just_before_the_update_gets_no_id(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = QuerySet.update

    def change_first(self: Any, **values: Any) -> int:
        update(Customer.objects.all(), alias="acme-one")
        return update(self, **values)

    monkeypatch.setattr(QuerySet, "update", change_first)
    with pytest.raises(CustomerMismatch, match="got another alias"):
        store_customer_id(customer, "cust_1", Provisioned.CREATED)
    assert get_stored_id(customer) is None


def test_another_row_with_the_same_alias_gets_no_id(customer: Customer) -> None:
    old = Customer.objects.get()
    customer.delete()
    new = Customer.objects.create(alias=old.alias, name="Acme again")
    with pytest.raises(Customer.DoesNotExist):
        store_customer_id(old, "cust_1", Provisioned.CREATED)
    assert get_stored_id(new) is None


def test_a_locked_row_is_waited_for(alguna: FakeAlguna, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [OperationalError("locked")] * 2
    get = QuerySet.get

    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if held:
            raise held.pop()
        return get(self, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "get", locked)
    slept: list[float] = []
    monkeypatch.setattr("alguna_portal.customers.provisioning.sleep", slept.append)
    assert provision(customer) is Provisioned.CREATED
    assert slept == [0.1, 0.1]
    held.append(OperationalError("locked"))
    customer.customer_id = None
    with pytest.raises(AlgunaUnavailable, match=f"Customer {customer.pk} is locked"):
        provision(customer, within=0)


@pytest.mark.parametrize(
    ("created", "error", "text"),
    [
        ({}, UnexpectedResponse, "no “id”"),
        ({"id": 7}, UnexpectedResponse, "no “id”"),
        ({"id": "c" * 256}, UnexpectedResponse, "too long"),
        ({"id": "cust\n1"}, UnexpectedResponse, "too long for an id, or"),
        ({"id": " cust_1"}, UnexpectedResponse, "too long for an id, or"),
        ({"id": "cust_9", "aliases": ["other"]}, CustomerMismatch, ""),
    ],
)
def test_after_an_unexpected_response_no_id_is_stored(
    http: responses.RequestsMock, customer: Customer, created: dict[str, Any], error: type[Exception], text: str
) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    http.post(CUSTOMERS, json=created)
    with pytest.raises(error, match=text or None):
        provision(customer)
    assert get_stored_id(customer) is None


@pytest.mark.parametrize(
    ("lookup", "error", "text"),
    [
        # It doesn't mean that the alias is free.
        ({"json": {"customer_id": None}}, UnexpectedResponse, "no “customer_id”"),
        # A wrong URL must not create customers.
        ({"status": 404, "body": "<html>not here</html>"}, UnexpectedResponse, "ALGUNA_PORTAL_API_URL"),
        ({"status": 401, "json": {"code": "unauthenticated", "message": "no"}}, AuthenticationFailed, ""),
    ],
)
def test_after_an_unexpected_lookup_no_customer_is_created(
    http: responses.RequestsMock, customer: Customer, lookup: dict[str, Any], error: type[Exception], text: str
) -> None:
    http.get(LOOKUP, **lookup)
    with pytest.raises(error, match=text or None):
        provision(customer)
    assert get_stored_id(customer) is None


def test_an_id_of_another_row_is_a_mismatch(alguna: FakeAlguna, customer: Customer) -> None:
    known = alguna.add_customer("acme-1")
    Customer.objects.create(alias="acme-old", customer_id=known)
    with pytest.raises(CustomerMismatch) as caught:
        provision(customer)
    assert str(caught.value) == (
        f"Alguna's customer “{known}” has the alias of customer {customer.pk}, but is known here as another one's. "
        "Remove the alias in Alguna from the customer that should not have it, or the customer here that stands twice."
    )
    assert get_stored_id(customer) is None


@pytest.mark.parametrize(("meanwhile", "outcome"), [("same", Provisioned.KNOWN), ("other", None)])
def test_an_id_stored_by_another_process_is_not_overwritten(
    alguna: FakeAlguna,
    customer: Customer,
    notified: Notified,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
    outcome: Any,
) -> None:
    if connection.features.has_select_for_update:
        pytest.skip("this database locks rows")
    known = alguna.add_customer("acme-1")
    stored = known if meanwhile == "same" else "cust_other"
    update_during_lookup(monkeypatch, customer_id=stored)
    if outcome:
        assert provision(customer) is outcome
        assert customer.customer_id == known
    else:
        with pytest.raises(CustomerMismatch) as caught:
            provision(customer)
        assert str(caught.value) == (
            f"Customer {customer.pk} got the id “cust_other” while Alguna said “{known}” of its alias. Look in Alguna "
            "which of the two is right."
        )
    assert get_stored_id(customer) == stored
    assert notified == []


def test_without_time_left_there_is_no_call(http: responses.RequestsMock, customer: Customer) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    with pytest.raises(AlgunaUnavailable, match="no time left"):
        provision(customer, within=0)
    assert len(http.calls) == 0


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([(404, NOT_FOUND, {}), (422, {"detail": "taken", "status": 422}, {}), (404, NOT_FOUND, {})], 3),
        (
            [
                (404, NOT_FOUND, {}),
                (200, {"id": "cust_1"}, REPLAYED),
                (404, NOT_FOUND, {}),
                (200, {"id": "cust_2"}, {}),
            ],
            4,
        ),
    ],
)
def test_each_call_gets_the_remaining_time(
    http: responses.RequestsMock, customer: Customer, answers: list[Any], calls: int
) -> None:
    urls = [LOOKUP, CUSTOMERS, LOOKUP] if calls == 3 else [LOOKUP, CUSTOMERS, f"{CUSTOMERS}/cust_1", CUSTOMERS]
    for url, (status, body, headers) in zip(urls, answers, strict=True):
        method = "POST" if url == CUSTOMERS else "GET"
        http.add(method, url, status=status, json=body, headers=headers)
    with suppress(AlgunaRefused):
        provision(customer, within=2)
    seconds = [call.request.req_kwargs["timeout"][1] for call in http.calls]  # type: ignore[attr-defined]
    assert len(seconds) == calls
    assert seconds == sorted(seconds, reverse=True)
    assert 0 < seconds[0] <= 2


def test_without_a_deadline_nothing_is_stored_and_each_call_has_the_budget(alguna: FakeAlguna) -> None:
    customer = Customer(alias="acme-1", name="Acme", currency="EUR")
    found, how = get_or_create_remote(customer, AlgunaClient.from_settings())
    assert (found.startswith("cust_"), how, customer.customer_id) == (True, Provisioned.CREATED, None)


def test_the_row_is_read_from_the_primary_database(settings: Settings, alguna: FakeAlguna, customer: Customer) -> None:
    stale = Customer.objects.get()
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ObjectDatabaseRouter"]
    assert provision(customer) is Provisioned.CREATED
    assert store_customer_id(stale, str(customer.customer_id), Provisioned.ADOPTED) is Provisioned.KNOWN
    settings.DATABASE_ROUTERS = []
    assert get_stored_id(customer) == customer.customer_id


@pytest.mark.parametrize("version", ["2026-04-01", "legacy"])
def test_the_legacy_api_is_not_used_for_customers(
    settings: Settings, alguna: FakeAlguna, customer: Customer, version: str
) -> None:
    settings.ALGUNA_PORTAL_API_VERSION = version
    assert provision(customer) is Provisioned.CREATED
    assert {request.headers["Alguna-Version"] for request in alguna.requests} == {"2026-04-01"}


def test_only_post_requests_have_an_idempotency_key(alguna: FakeAlguna, customer: Customer) -> None:
    provision(customer)
    assert ["Idempotency-Key" in request.headers for request in alguna.requests] == [False, True]


def test_aliases_are_quoted_in_urls(alguna: FakeAlguna, customer: Customer) -> None:
    alias = "a&b=c/ü?#%41+ 1@x"
    Customer.objects.update(alias=alias)
    customer_id = alguna.add_customer(alias)
    customer.refresh_from_db()
    assert provision(customer) is Provisioned.ADOPTED
    assert get_stored_id(customer) == customer_id


def test_no_transaction_is_held_open_on_sqlite(
    alguna: FakeAlguna, customer: Customer, django_assert_max_num_queries: Any
) -> None:
    """It would block all writes during the API calls."""
    if connection.features.has_select_for_update:
        pytest.skip("this database locks rows")
    depth: list[int] = []
    original = alguna.send

    def send(*args: Any, **kwargs: Any) -> requests.Response:
        depth.append(len(connection.savepoint_ids))
        return original(*args, **kwargs)

    before = len(connection.savepoint_ids)
    alguna.send = send  # type: ignore[method-assign]
    provision(customer)
    assert set(depth) == {before}


def test_exceptions_of_receivers_are_ignored(alguna: FakeAlguna, customer: Customer) -> None:
    def fall_over(**_: Any) -> None:
        raise RuntimeError

    customer_provisioned.connect(fall_over)
    try:
        assert provision(customer) is Provisioned.CREATED
    finally:
        customer_provisioned.disconnect(fall_over)
    assert get_stored_id(customer)


def test_exceptions_contain_no_address_and_no_api_key(http: responses.RequestsMock, customer: Customer) -> None:
    http.get(LOOKUP, status=404, json=NOT_FOUND)
    message = f"contact billing@acme.example is bad, key {'key_1.secret-of-the-tests'}"
    http.post(CUSTOMERS, status=400, body=json.dumps({"detail": message, "status": 400}))
    with pytest.raises(AlgunaRefused) as caught:
        provision(customer)
    assert "billing@acme" not in str(caught.value)
    assert "secret-of-the-tests" not in str(caught.value)
