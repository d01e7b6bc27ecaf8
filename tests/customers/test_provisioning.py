"""Customers in Alguna: found by alias before anything is created, created once, and never changed."""

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
from tests.support.logs import logged

LOOKUP = f"{API}/customers/lookup"
CUSTOMERS = f"{API}/customers"


@pytest.fixture
def alguna(fresh_alguna: FakeAlguna) -> FakeAlguna:
    """An Alguna that knows nobody yet."""
    return fresh_alguna


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """An Alguna that answers as the test says."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def customer(db: None) -> Customer:
    """A customer whose data Alguna would accept."""
    return Customer.objects.create(alias="acme-1", name="Acme", currency="EUR", email="billing@acme.example")


@pytest.fixture
def told() -> Iterator[list[tuple[Customer, bool]]]:
    """What listeners are told: the customer, and whether it was created."""
    heard: list[tuple[Customer, bool]] = []

    def listen(sender: Any, customer: Customer, created: bool, **_: Any) -> None:
        heard.append((customer, created))

    customer_provisioned.connect(listen, sender=Customer)
    yield heard
    customer_provisioned.disconnect(listen, sender=Customer)


def asked(alguna: FakeAlguna) -> list[tuple[str, str]]:
    """What Alguna was asked."""
    return [(request.method, request.path) for request in alguna.requests]


def stored_id(customer: Customer) -> str | None:
    """The id in the database."""
    return Customer.objects.get(pk=customer.pk).customer_id


def test_a_customer_is_looked_up_then_created_and_its_id_stored(
    alguna: FakeAlguna, customer: Customer, told: list[tuple[Customer, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    """With name, currency, alias and the billing contact, which is all that is known."""
    caplog.set_level(logging.INFO)
    assert provision(customer) is Provisioned.CREATED
    assert asked(alguna) == [("GET", "/customers/lookup"), ("POST", "/customers")]
    assert alguna.requests[1].body == {
        "name": "Acme",
        "currency": "EUR",
        "aliases": ["acme-1"],
        "contacts": [{"email": "billing@acme.example", "is_primary": True}],
    }
    assert stored_id(customer) == customer.customer_id
    assert str(customer.customer_id).startswith("cust_")
    assert told == [(customer, True)]
    assert logged(caplog, "customer_provisioned") == [
        ("INFO", f"Customer {customer.pk}: created in Alguna.", {"customer": customer.pk, "how": "created"})
    ]
    assert "acme" not in caplog.text.lower()


def test_a_customer_that_is_there_is_adopted_and_not_touched(
    alguna: FakeAlguna, customer: Customer, told: list[tuple[Customer, bool]]
) -> None:
    """Nothing is sent that could replace what Alguna knows of it."""
    there = alguna.add_customer("acme-1", name="Acme, as sales has it")
    assert provision(customer) is Provisioned.ADOPTED
    assert asked(alguna) == [("GET", "/customers/lookup")]
    assert stored_id(customer) == there
    assert told == [(customer, False)]


def test_a_customer_whose_id_is_known_costs_no_call(
    alguna: FakeAlguna, customer: Customer, told: list[tuple[Customer, bool]]
) -> None:
    """Nor are its data looked at: they are in Alguna already."""
    customer.customer_id, customer.currency = "cust_1", "nonsense"
    assert provision(customer) is Provisioned.KNOWN
    assert (alguna.requests, told) == ([], [])


def test_an_id_that_was_stored_since_the_object_was_read_costs_no_call(alguna: FakeAlguna, customer: Customer) -> None:
    """The row is read again before anything is asked."""
    Customer.objects.update(customer_id="cust_1")
    assert provision(customer) is Provisioned.KNOWN
    assert customer.customer_id == "cust_1"
    assert alguna.requests == []


def test_without_an_address_no_contact_is_sent(alguna: FakeAlguna, customer: Customer) -> None:
    """An empty list would be one more thing that Alguna might mean something by."""
    customer.email = ""
    provision(customer)
    assert "contacts" not in alguna.requests[1].body


def test_a_customer_without_a_row_is_provided_for_too(
    alguna: FakeAlguna, told: list[tuple[Customer, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    """A host with organizations of its own gets the id on the object; no database is at hand here."""
    caplog.set_level(logging.INFO)
    customer = Customer(alias=7, name="Acme", currency="USD")
    assert provision(customer) is Provisioned.CREATED
    assert customer.customer_id
    assert alguna.requests[1].body["aliases"] == ["7"]
    assert told == [(customer, True)]
    assert logged(caplog, "customer_provisioned") == [
        ("INFO", "Customer (unsaved): created in Alguna.", {"customer": None, "how": "created"})
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
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
def test_data_that_alguna_would_refuse_are_refused_field_by_field_before_any_call(
    alguna: FakeAlguna, customer: Customer, change: dict[str, Any], wrong: dict[str, str]
) -> None:
    """Every field that is sent and no other; the texts do not quote what was entered."""
    for name, value in change.items():
        setattr(customer, name, value)
    with pytest.raises(ValidationError) as caught:
        provision(customer)
    messages = caught.value.message_dict
    assert set(messages) == set(wrong)
    for field, text in wrong.items():
        assert text in " ".join(messages[field])
    assert alguna.requests == []
    assert stored_id(customer) is None


def test_what_alguna_insists_on_is_said_in_its_own_words() -> None:
    """The model lets it be empty."""
    with pytest.raises(ValidationError) as caught:
        provision(Customer(alias="7"))
    said = ["Alguna has no customers without one."]
    assert caught.value.message_dict == {"name": said, "currency": said}


def test_an_alguna_that_fails_is_left_alone(alguna: FakeAlguna, customer: Customer) -> None:
    """As by clicks, which share the breaker."""
    alguna.fail(503, times=FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(AlgunaUnavailable):
            provision(customer)
    with pytest.raises(BreakerOpen):
        provision(customer)
    assert len(alguna.requests) == FAILURES


def test_the_same_data_go_under_the_same_key_and_others_under_another(alguna: FakeAlguna, customer: Customer) -> None:
    """A second attempt cannot create a second customer; a corrected one is not answered with the old refusal."""
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
def test_a_refusal_is_answered_by_looking_the_alias_up(
    http: responses.RequestsMock, customer: Customer, status: int
) -> None:
    """It is not documented which of the two a taken alias gets."""
    by_alias = responses.matchers.query_param_matcher({"alias": "acme-1"})
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404}, match=[by_alias])
    http.post(CUSTOMERS, status=status, json={"detail": "taken", "status": status})
    http.get(LOOKUP, json={"customer_id": "cust_9"}, match=[by_alias])
    assert provision(customer) is Provisioned.ADOPTED
    assert stored_id(customer) == "cust_9"


def test_a_creation_that_still_runs_elsewhere_is_waited_for(
    settings: Settings, http: responses.RequestsMock, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alguna says 409 with `Retry-After` to the second of two; then the alias is there."""
    monkeypatch.setattr("alguna_portal.api.retries.pause", lambda seconds: None)
    settings.ALGUNA_PORTAL_RETRIES = 1
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    for _ in range(2):
        http.post(CUSTOMERS, status=409, json={"detail": "runs", "status": 409}, headers={"Retry-After": "1"})
    http.get(LOOKUP, json={"customer_id": "cust_9"})
    assert provision(customer) is Provisioned.ADOPTED


@pytest.mark.parametrize(("status", "raised"), [(422, AlgunaRefused), (409, AlgunaRefused), (400, AlgunaRefused)])
def test_a_refusal_for_another_reason_is_raised_as_it_is(
    http: responses.RequestsMock, customer: Customer, status: int, raised: type[Exception]
) -> None:
    """What Alguna says against the data is what the user must read."""
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    http.post(CUSTOMERS, status=status, json={"detail": "currency is not enabled", "status": status})
    with pytest.raises(raised, match="currency is not enabled"):
        provision(customer)
    assert stored_id(customer) is None
    assert len(http.calls) == (2 if status == 400 else 3)


def test_a_customer_is_not_found_by_its_id(http: responses.RequestsMock, customer: Customer) -> None:
    """The lookup takes ids, too: an alias that is somebody's id must not bring that somebody."""
    customer.alias = "cust_of_another"
    customer.save()
    http.get(LOOKUP, json={"customer_id": "cust_of_another"})
    http.post(CUSTOMERS, json={"id": "cust_new", "aliases": ["cust_of_another"]})
    assert provision(customer) is Provisioned.CREATED
    assert stored_id(customer) == "cust_new"


def test_a_process_that_died_before_it_could_save_loses_nothing(alguna: FakeAlguna, customer: Customer) -> None:
    """The next one finds the customer that was created."""
    alguna.fail(404, detail="none")
    provision(customer)
    first = customer.customer_id
    Customer.objects.update(customer_id=None)
    again = Customer.objects.get()
    assert provision(again) is Provisioned.ADOPTED
    assert again.customer_id == first


def test_an_answer_that_never_came_loses_nothing(alguna: FakeAlguna, customer: Customer, settings: Settings) -> None:
    """The connection breaks after Alguna has created the customer: the repetition gets the same one."""
    settings.ALGUNA_PORTAL_RETRIES = 2
    alguna.fail(404, detail="none")
    alguna.fail(requests.ConnectionError(), times=2)
    assert provision(customer) is Provisioned.CREATED
    assert len({request.headers["Idempotency-Key"] for request in alguna.requests if request.method == "POST"}) == 1


REPLAYED = {"Idempotent-Replayed": "true"}
NOBODY = {"detail": "none", "status": 404}


def posted(http: responses.RequestsMock) -> list[str]:
    """The idempotency keys of all creations."""
    return [call.request.headers["Idempotency-Key"] for call in http.calls if call.request.method == "POST"]


def test_a_repeated_answer_is_believed_if_it_is_still_true(http: responses.RequestsMock, customer: Customer) -> None:
    """Somebody else sent the same request a moment ago, and the lookup does not know of it yet."""
    http.get(LOOKUP, status=404, json=NOBODY)
    http.post(CUSTOMERS, json={"id": "cust_1", "aliases": ["acme-1"]}, headers=REPLAYED)
    http.get(f"{CUSTOMERS}/cust_1", json={"id": "cust_1", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert stored_id(customer) == "cust_1"
    assert len(posted(http)) == 1


@pytest.mark.parametrize("now", [(404, NOBODY), (200, {"id": "cust_1", "aliases": []})])
def test_a_customer_that_is_gone_by_now_is_created_anew(
    http: responses.RequestsMock, customer: Customer, now: tuple[int, dict[str, Any]]
) -> None:
    """Alguna repeats for a day that it created one, which has been deleted or has lost its alias since."""
    http.get(LOOKUP, status=404, json=NOBODY)
    http.post(CUSTOMERS, json={"id": "cust_1", "aliases": ["acme-1"]}, headers=REPLAYED)
    http.get(f"{CUSTOMERS}/cust_1", status=now[0], json=now[1])
    http.post(CUSTOMERS, json={"id": "cust_2", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert stored_id(customer) == "cust_2"
    first, second = posted(http)
    assert first != second


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_that_is_only_repeated_is_tried_anew(
    http: responses.RequestsMock, customer: Customer, status: int
) -> None:
    """What was refused an hour ago, a currency say, may have been allowed at Alguna since."""
    http.get(LOOKUP, status=404, json=NOBODY)
    http.post(CUSTOMERS, status=status, json={"detail": "not enabled", "status": status}, headers=REPLAYED)
    http.post(CUSTOMERS, json={"id": "cust_2", "aliases": ["acme-1"]})
    assert provision(customer) is Provisioned.CREATED
    assert stored_id(customer) == "cust_2"


def test_a_refusal_is_told_even_where_there_is_no_time_to_look(
    http: responses.RequestsMock, customer: Customer
) -> None:
    """It says what to mend; “try again later” would not be true."""
    http.get(LOOKUP, status=404, json=NOBODY)
    http.post(CUSTOMERS, status=422, json={"detail": "currency is not enabled", "status": 422})
    http.get(LOOKUP, status=503)
    with pytest.raises(AlgunaRefused, match="currency is not enabled"):
        provision(customer)


def test_an_alias_that_was_changed_before_is_not_provided_for(alguna: FakeAlguna, customer: Customer) -> None:
    """The object is old: its alias would get a customer that nobody needs."""
    Customer.objects.update(alias="acme-one")
    with pytest.raises(ValidationError) as caught:
        provision(customer)
    assert caught.value.message_dict == {"alias": ["It was changed meanwhile. Read the customer again."]}
    assert alguna.requests == []


def test_an_alias_that_is_changed_meanwhile_gets_no_id(
    alguna: FakeAlguna, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id belongs to the old one."""
    find_customer = AlgunaClient.find_customer

    def meanwhile_found(*args: Any, **kwargs: Any) -> str | None:
        Customer.objects.update(alias="acme-one")
        return find_customer(*args, **kwargs)

    monkeypatch.setattr(AlgunaClient, "find_customer", meanwhile_found)
    with pytest.raises(CustomerMismatch) as caught:
        provision(customer)
    assert str(caught.value) == (
        f"Customer {customer.pk} got another alias while Alguna was asked about the old one. Try again, and look "
        "whether Alguna now has a customer with the old one that nobody needs."
    )
    assert stored_id(customer) is None


def test_an_alias_that_is_changed_in_the_last_moment_gets_no_id(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the row and the writing: what writes looks as well."""
    update = QuerySet.update

    def change_first(self: Any, **values: Any) -> int:
        update(Customer.objects.all(), alias="acme-one")
        return update(self, **values)

    monkeypatch.setattr(QuerySet, "update", change_first)
    with pytest.raises(CustomerMismatch, match="got another alias"):
        store_customer_id(customer, "cust_1", Provisioned.CREATED)
    assert stored_id(customer) is None


def test_a_row_that_was_replaced_meanwhile_gets_no_id(customer: Customer) -> None:
    """It has the alias, and is another customer for all that is known."""
    old = Customer.objects.get()
    customer.delete()
    new = Customer.objects.create(alias=old.alias, name="Acme again")
    with pytest.raises(Customer.DoesNotExist):
        store_customer_id(old, "cust_1", Provisioned.CREATED)
    assert stored_id(new) is None


def test_a_lock_that_is_held_is_waited_for(
    alguna: FakeAlguna, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as the call has time, and then it is said."""
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
    ("answer", "says"),
    [
        ({}, "no “id”"),
        ({"id": 7}, "no “id”"),
        ({"id": "c" * 256}, "too long"),
        ({"id": "cust\n1"}, "too long for an id, or"),
        ({"id": " cust_1"}, "too long for an id, or"),
    ],
)
def test_a_created_customer_without_a_usable_id_is_a_bad_answer(
    http: responses.RequestsMock, customer: Customer, answer: dict[str, Any], says: str
) -> None:
    """Nothing is stored that is not an id."""
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    http.post(CUSTOMERS, json=answer)
    with pytest.raises(UnexpectedResponse, match=says):
        provision(customer)
    assert stored_id(customer) is None


def test_a_lookup_without_an_id_is_a_bad_answer(http: responses.RequestsMock, customer: Customer) -> None:
    """It does not mean that nobody has the alias; nothing is created on such an answer."""
    http.get(LOOKUP, json={"customer_id": None})
    with pytest.raises(UnexpectedResponse, match="no “customer_id”"):
        provision(customer)


def test_a_404_of_somebody_else_is_not_taken_for_an_unknown_customer(
    http: responses.RequestsMock, customer: Customer
) -> None:
    """A wrong address must not create customers."""
    http.get(LOOKUP, status=404, body="<html>not here</html>")
    with pytest.raises(UnexpectedResponse, match="ALGUNA_PORTAL_API_URL"):
        provision(customer)


def test_a_created_customer_with_other_aliases_is_a_stranger(http: responses.RequestsMock, customer: Customer) -> None:
    """Whoever that is, it is not the customer that was to be created."""
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    http.post(CUSTOMERS, json={"id": "cust_9", "aliases": ["other"]})
    with pytest.raises(CustomerMismatch):
        provision(customer)
    assert stored_id(customer) is None


def test_an_id_that_is_another_rows_is_refused(alguna: FakeAlguna, customer: Customer) -> None:
    """Two customers here must not share one in Alguna; the message says what to do, and the transaction goes on."""
    there = alguna.add_customer("acme-1")
    Customer.objects.create(alias="acme-old", customer_id=there)
    with pytest.raises(CustomerMismatch) as caught:
        provision(customer)
    assert str(caught.value) == (
        f"Alguna's customer “{there}” has the alias of customer {customer.pk}, but is known here as another one's. "
        "Remove the alias in Alguna from the customer that should not have it, or the customer here that stands twice."
    )
    assert stored_id(customer) is None


@pytest.mark.parametrize(("meanwhile", "outcome"), [("same", Provisioned.KNOWN), ("other", None)])
def test_what_another_process_stored_meanwhile_stands(
    alguna: FakeAlguna,
    customer: Customer,
    told: list[tuple[Customer, bool]],
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
    outcome: Any,
) -> None:
    """Where no row can be locked, the id is written only over none; a different one is an error."""
    if connection.features.has_select_for_update:
        pytest.skip("this database locks rows")
    there = alguna.add_customer("acme-1")
    stored = there if meanwhile == "same" else "cust_other"
    find_customer = AlgunaClient.find_customer

    def meanwhile_found(*args: Any, **kwargs: Any) -> str | None:
        Customer.objects.update(customer_id=stored)
        return find_customer(*args, **kwargs)

    monkeypatch.setattr(AlgunaClient, "find_customer", meanwhile_found)
    if outcome:
        assert provision(customer) is outcome
        assert customer.customer_id == there
    else:
        with pytest.raises(CustomerMismatch) as caught:
            provision(customer)
        assert str(caught.value) == (
            f"Customer {customer.pk} got the id “cust_other” while Alguna said “{there}” of its alias. Look in Alguna "
            "which of the two is right."
        )
    assert stored_id(customer) == stored
    assert told == []


def test_a_wrong_key_is_said_and_nothing_stored(http: responses.RequestsMock, customer: Customer) -> None:
    """As for every other call."""
    http.get(LOOKUP, status=401, json={"code": "unauthenticated", "message": "no"})
    with pytest.raises(AuthenticationFailed):
        provision(customer)
    assert stored_id(customer) is None


def test_all_calls_together_keep_to_the_budget(http: responses.RequestsMock, customer: Customer) -> None:
    """When the time is used up by the first, the second is not begun."""
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    with pytest.raises(AlgunaUnavailable, match="no time left"):
        provision(customer, within=0)
    assert len(http.calls) == 0


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([(404, NOBODY, {}), (422, {"detail": "taken", "status": 422}, {}), (404, NOBODY, {})], 3),
        ([(404, NOBODY, {}), (200, {"id": "cust_1"}, REPLAYED), (404, NOBODY, {}), (200, {"id": "cust_2"}, {})], 4),
    ],
)
def test_each_call_has_what_is_left_of_the_time(
    http: responses.RequestsMock, customer: Customer, answers: list[Any], calls: int
) -> None:
    """Which is less here than the time for a part of an answer; the last is not given more than the first."""
    urls = [LOOKUP, CUSTOMERS, LOOKUP] if calls == 3 else [LOOKUP, CUSTOMERS, f"{CUSTOMERS}/cust_1", CUSTOMERS]
    for url, (status, body, headers) in zip(urls, answers, strict=True):
        method = "POST" if url == CUSTOMERS else "GET"
        http.add(method, url, status=status, json=body, headers=headers)
    with suppress(AlgunaRefused):
        provision(customer, within=2)
    given = [call.request.req_kwargs["timeout"][1] for call in http.calls]  # type: ignore[attr-defined]
    assert len(given) == calls
    assert given == sorted(given, reverse=True)
    assert 0 < given[0] <= 2


def test_code_without_a_deadline_has_the_budget_for_each_call(alguna: FakeAlguna) -> None:
    """As the long commands have; and nothing is stored."""
    customer = Customer(alias="acme-1", name="Acme", currency="EUR")
    found, how = get_or_create_remote(customer, AlgunaClient.from_settings())
    assert (found.startswith("cust_"), how, customer.customer_id) == (True, Provisioned.CREATED, None)


def test_the_row_is_read_where_it_is_written(settings: Settings, alguna: FakeAlguna, customer: Customer) -> None:
    """A replica may not have it yet."""
    stale = Customer.objects.get()
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Elsewhere"]
    assert provision(customer) is Provisioned.CREATED
    assert store_customer_id(stale, str(customer.customer_id), Provisioned.ADOPTED) is Provisioned.KNOWN
    settings.DATABASE_ROUTERS = []
    assert stored_id(customer) == customer.customer_id


@pytest.mark.parametrize("version", ["2026-04-01", "legacy"])
def test_customers_are_of_the_dated_api_whichever_sessions_are_made_with(
    settings: Settings, alguna: FakeAlguna, customer: Customer, version: str
) -> None:
    """The earlier API has none."""
    settings.ALGUNA_PORTAL_API_VERSION = version
    assert provision(customer) is Provisioned.CREATED
    assert {request.headers["Alguna-Version"] for request in alguna.requests} == {"2026-04-01"}


def test_a_question_has_no_idempotency_key(alguna: FakeAlguna, customer: Customer) -> None:
    """Only what changes something has one."""
    provision(customer)
    assert ["Idempotency-Key" in request.headers for request in alguna.requests] == [False, True]


def test_an_alias_may_hold_anything_that_a_url_may_not(alguna: FakeAlguna, customer: Customer) -> None:
    """It is looked up as it is."""
    alias = "a&b=c/ü?#%41+ 1@x"
    Customer.objects.update(alias=alias)
    there = alguna.add_customer(alias)
    customer.refresh_from_db()
    assert provision(customer) is Provisioned.ADOPTED
    assert stored_id(customer) == there


def test_no_transaction_is_held_open_on_sqlite(
    alguna: FakeAlguna, customer: Customer, django_assert_max_num_queries: Any
) -> None:
    """Where no row can be locked, a transaction would keep everybody from writing while Alguna is asked."""
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


def test_a_listener_that_fails_stops_nobody(alguna: FakeAlguna, customer: Customer) -> None:
    """It is logged by Django, and the id is stored."""

    def fall_over(**_: Any) -> None:
        raise RuntimeError

    customer_provisioned.connect(fall_over)
    try:
        assert provision(customer) is Provisioned.CREATED
    finally:
        customer_provisioned.disconnect(fall_over)
    assert stored_id(customer)


def test_nothing_that_is_raised_shows_an_address_or_the_key(http: responses.RequestsMock, customer: Customer) -> None:
    """Even where Alguna quotes what it was sent."""
    http.get(LOOKUP, status=404, json={"detail": "none", "status": 404})
    said = f"contact billing@acme.example is bad, key {'key_1.secret-of-the-tests'}"
    http.post(CUSTOMERS, status=400, body=json.dumps({"detail": said, "status": 400}))
    with pytest.raises(AlgunaRefused) as caught:
        provision(customer)
    assert "billing@acme" not in str(caught.value)
    assert "secret-of-the-tests" not in str(caught.value)
