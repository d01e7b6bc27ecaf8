"""Many customers created in the admin at once: in bounded time, with few messages, and no more calls than help."""

import pytest
import requests
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.test import Client

from alguna_portal.admin import actions, create_in_alguna
from alguna_portal.customers import Provisioned, provision
from alguna_portal.models import Customer
from alguna_portal.signals import customer_provisioned
from alguna_portal.testing import FakeAlguna
from tests.support.admin import confirm, get_list_url, get_messages, get_text, run_action, run_confirmed_action

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
    admin_client: Client, fake: FakeAlguna, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100, 100, 114.9, 115])
    given: list[float] = []

    def recorded(customer: Customer, *, within: float) -> Provisioned:
        given.append(within)
        return provision(customer)

    monkeypatch.setattr(actions, "monotonic", lambda: next(clock))
    monkeypatch.setattr(create_in_alguna, "provision", recorded)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert [text for _level, text in messages] == [
        "Shop 0: created in Alguna.",
        "Shop 1: created in Alguna.",
        f"1 customer was not tried. {LEFT}",
    ]
    assert given == [20, pytest.approx(5.1)]


def test_customers_deleted_or_created_during_the_batch_are_reported(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer]
) -> None:
    _first, second, third = shops

    def meanwhile(customer: Customer, **kwargs: object) -> None:
        second.delete()
        Customer.objects.filter(pk=third.pk).update(customer_id="cust_else", currency="")

    key = second.pk
    customer_provisioned.connect(meanwhile)
    try:
        messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    finally:
        customer_provisioned.disconnect(meanwhile)
    assert messages == [
        ("success", "Shop 0: created in Alguna."),
        ("warning", f"customer {key}: deleted meanwhile."),
        ("info", "Shop 2: known already."),
    ]


def test_an_id_stored_just_before_the_call_is_reported_as_known(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(customer: Customer, *, within: float) -> Provisioned:
        Customer.objects.filter(pk=customer.pk).update(customer_id=f"cust_{customer.pk}")
        return provision(customer, within=within)

    monkeypatch.setattr(create_in_alguna, "provision", late)
    messages = run_confirmed_action(admin_client, "create_in_alguna", shops[0])
    assert messages == [("info", "Shop 0: known already.")]


def test_a_customer_that_becomes_invalid_is_refused(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(customer: Customer, *, within: float) -> Provisioned:
        if customer.alias == "shop-0":
            raise ValidationError({"alias": ["It was changed meanwhile."]})
        return provision(customer, within=within)

    monkeypatch.setattr(create_in_alguna, "provision", late)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops[:2])
    assert messages == [
        ("error", "Shop 0: refused. It was changed meanwhile."),
        ("success", "Shop 1: created in Alguna."),
    ]


def test_a_database_error_is_reported_by_name_and_does_not_stop_the_batch(
    admin_client: Client, fake: FakeAlguna, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(customer: Customer, *, within: float) -> Provisioned:
        if customer.alias == "shop-1":
            raise OperationalError("deadlock: (mia@acme.example)")
        return provision(customer, within=within)

    monkeypatch.setattr(create_in_alguna, "provision", failing)
    messages = run_confirmed_action(admin_client, "create_in_alguna", *shops)
    assert messages == [
        ("success", "Shop 0: created in Alguna."),
        ("error", "Shop 1: the database failed (OperationalError). Try again."),
        ("success", "Shop 2: created in Alguna."),
    ]


def test_an_unexpected_error_does_not_hide_created_customers(
    failing_client: Client, fake: FakeAlguna, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(customer: Customer, *, within: float) -> Provisioned:
        if customer.alias == "shop-1":
            raise RuntimeError("oops")
        return provision(customer, within=within)

    monkeypatch.setattr(create_in_alguna, "provision", failing)
    page = run_action(failing_client, "create_in_alguna", *shops)
    assert confirm(failing_client, page).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [
        ("success", "Shop 0: created in Alguna."),
        ("warning", f"2 customers were not tried. {LEFT}"),
    ]


def test_many_customers_are_counted_by_outcome(admin_client: Client, fake: FakeAlguna, shops: list[Customer]) -> None:
    rows = [Customer(alias=f"old-{number}", name="Old", customer_id=f"cust_{number}") for number in range(15)]
    rows += [Customer(alias=f"bad-{number}", name="Zero") for number in range(3)]
    Customer.objects.bulk_create(rows)
    assert (
        len(
            get_messages(
                confirm(
                    admin_client,
                    run_action(admin_client, "create_in_alguna", *Customer.objects.exclude(alias="shop-0")),
                )
            )
        )
        == 20
    )
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
    admin_client: Client, fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setattr(actions, "monotonic", lambda: 0)
    rows = [Customer(alias=f"shop-{number}", name="Shop", currency="EUR") for number in range(500)]
    Customer.objects.bulk_create(rows)
    shown = confirm(admin_client, run_action(admin_client, "create_in_alguna", rows[0], select_across=1))
    assert get_messages(shown) == [("success", "500 customers: created in Alguna.")]
    assert "500 customers: created in Alguna." in get_text(shown)
