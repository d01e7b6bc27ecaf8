"""“Create in Alguna” where a tasks framework is set up: left to workers, and what is wrong is messages at once."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from alguna_portal.customers.tasks import provision_customer
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.support.admin import get_history, get_messages, get_url, run_confirmed_action
from tests.test_tasks import backend

pytestmark = pytest.mark.usefixtures("fake")


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
    history = get_history()
    assert history == {(str(shop.pk), "Queued to be created in Alguna.") for shop in shops}


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
    assert [level for level, _said in messages] == ["error"]
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_failing_queue_stops_the_batch_and_is_reported_by_name(
    admin_client: Client, queued: Any, monkeypatch: pytest.MonkeyPatch, shops: list[Customer]
) -> None:
    enqueue = type(queued).enqueue
    left = iter([True])

    def failing(self: Any, task: Any, args: Any, kwargs: Any) -> Any:
        if next(left, False):
            return enqueue(self, task, args, kwargs)
        raise ConnectionRefusedError("redis://:secret@queue.example")

    monkeypatch.setattr(type(queued), "enqueue", failing)
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
    def failing(self: Any, task: Any, args: Any, kwargs: Any) -> None:
        raise ConnectionRefusedError("redis://:secret@queue.example")

    monkeypatch.setattr(type(queued), "enqueue", failing)
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
