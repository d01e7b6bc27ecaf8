"""The batch of “Create in Alguna”: errors, time limits, message counts, and the queue with `USE_TASKS`."""

from typing import Any

import pytest
import requests
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from alguna_portal.admin import actions, create_in_alguna
from alguna_portal.customers import Provisioned, provision
from alguna_portal.customers.tasks import provision_customer
from alguna_portal.models import Customer
from alguna_portal.signals import customer_provisioned
from alguna_portal.testing import FakeAlguna
from tests.support.admin import (
    confirm,
    fail_at_call,
    get_history,
    get_list_url,
    get_messages,
    get_text,
    get_url,
    run_action,
    run_confirmed_action,
)
from tests.test_tasks import backend

LIST = get_list_url(Customer)
LEFT = "Try again later, or run “manage.py alguna_provision”."

pytestmark = pytest.mark.usefixtures("fake")


@pytest.mark.parametrize(
    ("failure", "begins"),
    [
        (503, "Shop 0: Alguna is unavailable. Alguna answered 503"),
        (requests.ConnectionError("gone"), "Shop 0: Alguna is unavailable."),
        (401, "Shop 0: failed. Alguna answered 401"),
    ],
)
def test_an_outage_or_rejected_key_stops_the_batch(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer], failure: int | Exception, begins: str
) -> None:
    fake.fail(failure)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert [level for level, _text in messages] == ["error", "warning"]
    assert messages[0][1].startswith(begins)
    assert messages[1][1] == f"2 customers were not tried. {LEFT}"
    assert not Customer.objects.exclude(customer_id=None).exists()


def test_a_rejected_customer_does_not_stop_the_batch(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer]
) -> None:
    fake.fail(400, detail="No, mia@acme.example.")
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert [level for level, _text in messages] == ["error", "success", "success"]
    assert messages[0][1].startswith("Shop 0: failed. Alguna answered 400")
    assert "mia@" not in messages[0][1]


def test_the_batch_and_its_last_call_have_a_time_limit(
    admin_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100, 100, 114.9, 115])
    given: list[float] = []

    def record(customer: Customer, *, within: float) -> Provisioned:
        given.append(within)
        return provision(customer)

    monkeypatch.setattr(actions, "monotonic", lambda: next(clock))
    monkeypatch.setattr(create_in_alguna, "provision", record)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert [text for _level, text in messages] == [
        "Shop 0: created in Alguna.",
        "Shop 1: created in Alguna.",
        f"1 customer was not tried. {LEFT}",
    ]
    assert given == [20, pytest.approx(5.1)]


def test_customers_deleted_or_created_during_the_batch_are_reported(
    admin_client: Client, shops: list[Customer]
) -> None:
    _first, second, third = shops

    def change_others(customer: Customer, **kwargs: object) -> None:
        second.delete()
        Customer.objects.filter(pk=third.pk).update(customer_id="cust_else", currency="")

    key = second.pk
    customer_provisioned.connect(change_others)
    try:
        messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    finally:
        customer_provisioned.disconnect(change_others)
    assert messages == [
        ("success", "Shop 0: created in Alguna."),
        ("warning", f"customer {key}: deleted meanwhile."),
        ("info", "Shop 2: known already."),
    ]


def test_an_id_stored_just_before_the_call_is_reported_as_known(
    admin_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def store_first(customer: Customer, *, within: float) -> Provisioned:
        Customer.objects.filter(pk=customer.pk).update(customer_id=f"cust_{customer.pk}")
        return provision(customer, within=within)

    monkeypatch.setattr(create_in_alguna, "provision", store_first)
    messages = run_confirmed_action(admin_client, "create_in_alguna", shops[0])
    assert messages == [("info", "Shop 0: known already.")]


def test_a_customer_that_becomes_invalid_is_refused(
    admin_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ValidationError({"alias": ["It was changed meanwhile."]})
    fail_at_call(monkeypatch, create_in_alguna, "provision", 1, error)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops[:2])
    assert messages == [
        ("error", "Shop 0: refused. It was changed meanwhile."),
        ("success", "Shop 1: created in Alguna."),
    ]


def test_a_database_error_is_reported_by_name_and_does_not_stop_the_batch(
    admin_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("deadlock: (mia@acme.example)")
    fail_at_call(monkeypatch, create_in_alguna, "provision", 2, error)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert messages == [
        ("success", "Shop 0: created in Alguna."),
        ("error", "Shop 1: the database failed (OperationalError). Try again."),
        ("success", "Shop 2: created in Alguna."),
    ]


def test_an_unexpected_error_does_not_hide_created_customers(
    failing_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_call(monkeypatch, create_in_alguna, "provision", 2, RuntimeError("oops"))
    page = run_action(failing_client, "create_in_alguna", *shops)
    assert confirm(failing_client, page).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [
        ("success", "Shop 0: created in Alguna."),
        ("warning", f"2 customers were not tried. {LEFT}"),
    ]


def test_many_customers_are_counted_by_outcome(admin_client: Client, shops: list[Customer]) -> None:
    rows = [Customer(alias=f"old-{number}", name="Old", customer_id=f"cust_{number}") for number in range(15)]
    rows += [Customer(alias=f"bad-{number}", name="Zero") for number in range(3)]
    Customer.objects.bulk_create(rows)
    twenty = Customer.objects.exclude(alias="shop-0")
    assert len(run_confirmed_action(admin_client, "create_in_alguna", *twenty)) == 20
    Customer.objects.exclude(name="Old").update(customer_id=None)
    assert run_confirmed_action(admin_client, "create_in_alguna", *Customer.objects.all()) == [
        ("success", "2 customers: found in Alguna and adopted."),
        ("success", "1 customer: created in Alguna."),
        ("error", "3 customers: refused. Currency: Alguna has no customers without one."),
        ("info", "15 customers: known already."),
    ]


def test_many_different_reasons_are_limited(admin_client: Client, fake: FakeAlguna, db: None) -> None:
    rows = [Customer(alias=f"shop-{number:02}", name="Shop", currency="EUR") for number in range(24)]
    Customer.objects.bulk_create(rows)
    for number in range(23):
        fake.fail(400, detail=f"Reason {number}.")
    messages = run_confirmed_action(admin_client, "create_in_alguna", *Customer.objects.all())
    assert messages[0] == ("success", "1 customer: created in Alguna.")
    assert messages[-1] == ("error", "4 customers: refused or failed, for yet other reasons.")
    assert len(messages) == 21


def test_five_hundred_customers_are_created_in_one_request(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setattr(actions, "monotonic", lambda: 0)
    rows = [Customer(alias=f"shop-{number}", name="Shop", currency="EUR") for number in range(500)]
    Customer.objects.bulk_create(rows)
    shown = confirm(admin_client, run_action(admin_client, "create_in_alguna", rows[0], select_across=1))
    assert get_messages(shown) == [("success", "500 customers: created in Alguna.")]
    assert "500 customers: created in Alguna." in get_text(shown)


@pytest.mark.django_db(transaction=True)
def test_valid_customers_are_queued_and_the_others_are_reported_at_once(
    admin_client: Client, queued: Any, fake: FakeAlguna, shops: list[Customer], acme: Customer
) -> None:
    Customer.objects.create(alias="known", name="Known", customer_id="cust_1")
    messages = run_confirmed_action(admin_client, "create_in_alguna", *Customer.objects.all())
    assert messages == [
        ("success", "3 customers queued: workers create them in Alguna."),
        ("error", "Acme: refused. Currency: Alguna has no customers without one."),
        ("info", "1 customer: known already."),
    ]
    assert [list(result.args) for result in queued.results] == [[shop.pk] for shop in shops]
    assert fake.requests == []
    assert get_history() == {(str(shop.pk), "Queued to be created in Alguna.") for shop in shops}


@pytest.mark.django_db(transaction=True)
def test_a_worker_creates_the_customer_queued_on_its_change_page(
    admin_client: Client, queued: Any, shops: list[Customer]
) -> None:
    admin_client.post(get_url(shops[0], "create_in_alguna"), {"confirmed": "Yes"})
    assert get_messages(admin_client.get(get_url(shops[0]))) == [
        ("success", "1 customer queued: a worker creates it in Alguna.")
    ]
    (result,) = queued.results
    provision_customer.call(*result.args)
    shops[0].refresh_from_db()
    assert shops[0].customer_id


def test_if_nothing_is_queued_no_success_is_reported(admin_client: Client, queued: Any, acme: Customer) -> None:
    messages = run_confirmed_action(admin_client, "create_in_alguna", acme)
    assert [level for level, _text in messages] == ["error"]
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_failing_queue_stops_the_batch_and_is_reported_by_name(
    admin_client: Client, queued: Any, monkeypatch: pytest.MonkeyPatch, shops: list[Customer]
) -> None:
    fail_at_call(monkeypatch, type(queued), "enqueue", 2, ConnectionRefusedError("redis://:secret@queue.example"))
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert messages == [
        ("success", "1 customer queued: a worker creates it in Alguna."),
        ("error", "Shop 1: could not be queued (ConnectionRefusedError)."),
        ("warning", "1 customer was not tried. Try again later, or run “manage.py alguna_provision”."),
    ]


def test_in_a_transaction_tasks_are_enqueued_on_commit(
    admin_client: Client,
    queued: Any,
    shops: list[Customer],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        run_confirmed_action(admin_client, "create_in_alguna", *shops)
        assert queued.results == []
    assert len(callbacks) == 3
    assert [list(result.args) for result in queued.results] == [[shop.pk] for shop in shops]


def test_a_queue_that_fails_on_commit_is_logged_by_name(
    admin_client: Client,
    queued: Any,
    shops: list[Customer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def fail(self: Any, task: Any, args: Any, kwargs: Any) -> None:
        raise ConnectionRefusedError("redis://:secret@queue.example")

    monkeypatch.setattr(type(queued), "enqueue", fail)
    with django_capture_on_commit_callbacks(execute=True):
        run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("alguna_portal")] == [
        f"Customer {shop.pk} could not be enqueued (ConnectionRefusedError)." for shop in shops
    ]


def test_use_tasks_without_a_tasks_framework_is_reported(
    admin_client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, shops: list[Customer]
) -> None:
    monkeypatch.setattr("alguna_portal.conf.types.find_spec", lambda module: None)
    settings.ALGUNA_PORTAL_USE_TASKS = True
    ((level, text),) = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert (level, "needs django.tasks or django_tasks" in text) == ("error", True)


def test_without_use_tasks_customers_are_created_at_once(
    admin_client: Client, settings: Settings, shops: list[Customer]
) -> None:
    settings.TASKS = backend("dummy")
    run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert not Customer.objects.filter(customer_id=None).exists()
