"""Customers as Alguna has them: found, unknown, without their alias, or somebody else's."""

from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from alguna_portal.doctor import context, customers, probes
from alguna_portal.models import Customer
from tests.doctor.conftest import Account, examined, run


def many(account: Account, number: int) -> None:
    """Have customers here and there."""
    Customer.objects.bulk_create(
        Customer(alias=f"many-{each}", customer_id=account.add(f"many-{each}")) for each in range(number)
    )


def test_without_customers_there_is_nobody_to_look_up(well: Settings, account: Account) -> None:
    """A new deployment has none."""
    Customer.objects.all().delete()
    assert examined()["customers.known"]["found"] == "There are no customers here yet."
    assert len(account.requests) == 1


def test_a_customer_that_alguna_does_not_know_is_a_warning(well: Settings) -> None:
    """With the remedy for it: `alguna_provision` creates those alone that have no id."""
    never = Customer.objects.create(alias="never")
    said = examined()
    assert said["customers.unknown"] == {
        "examination": "customers",
        "name": "customers.unknown",
        "level": "warning",
        "found": f"1 customer (pk {never.pk}) unknown to Alguna: their portals do not open.",
        "remedy": "Run manage.py alguna_provision, or correct the aliases.",
    }
    assert "customers.gone" not in said
    assert said["customers.ids"]["found"].startswith("1 of 2 customers without an id")
    assert said["customers.known"]["found"] == "1 customer as Alguna has them; looked up: all."


def test_a_customer_that_alguna_no_longer_knows_is_another_warning(well: Settings) -> None:
    """It may be another account's, and its id keeps it from being created anew."""
    never = Customer.objects.create(alias="never", name="Never", currency="EUR")
    gone = Customer.objects.create(alias="gone", name="Gone", currency="EUR", customer_id="cust_gone")
    said = examined()
    assert said["customers.gone"] == {
        "examination": "customers",
        "name": "customers.gone",
        "level": "warning",
        "found": f"1 customer (pk {gone.pk}) unknown to Alguna, though with an id of Alguna's here: their portals do "
        "not open.",
        "remedy": "Check that this is the account they were created in. Only where a customer is gone there, empty its "
        "id here, then run manage.py alguna_provision.",
    }
    assert said["customers.unknown"]["found"].startswith(f"1 customer (pk {never.pk})")
    call_command("alguna_provision", verbosity=0)
    said = examined()
    assert "customers.unknown" not in said
    assert said["customers.gone"]["found"].startswith(f"1 customer (pk {gone.pk})")
    Customer.objects.filter(pk=gone.pk).update(customer_id=None)
    call_command("alguna_provision", verbosity=0)
    assert "customers.gone" not in examined()


def test_a_customer_that_is_created_on_the_first_click_is_a_note(well: Settings) -> None:
    """One that had an id is not what that is for."""
    well.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
    never = Customer.objects.create(alias="never")
    said = examined()
    assert said["customers.unopened"]["found"].startswith(f"1 customer (pk {never.pk}) not in Alguna yet")
    assert "customers.unknown" not in said
    gone = Customer.objects.create(alias="gone", customer_id="cust_gone")
    assert examined()["customers.gone"]["found"].startswith(f"1 customer (pk {gone.pk})")


def test_a_customer_without_its_alias_is_a_warning(well: Settings, account: Account) -> None:
    """Alguna knows its id, and a click asks by alias."""
    mute = Customer.objects.create(alias="mute", customer_id=account.add("another"))
    said = examined()
    assert said["customers.aliases"]["found"].startswith(f"1 customer (pk {mute.pk}) in Alguna by id")
    assert "customers.unknown" not in said


def test_an_alias_of_somebody_elses_is_an_error(well: Settings, account: Account) -> None:
    """Its sessions are refused."""
    account.add("taken")
    taken = Customer.objects.create(alias="taken", customer_id=account.add("another"))
    said = examined()
    assert said.level("customers.strangers") == "error"
    assert said["customers.strangers"]["found"].startswith(f"1 customer (pk {taken.pk}) whose alias")


def test_a_customer_whose_id_is_not_stored_is_looked_up_by_alias(well: Settings, account: Account) -> None:
    """It is there; only the id is missing."""
    account.add("adopted")
    Customer.objects.create(alias="adopted")
    said = examined()
    assert list(said.problems) == ["memberships.customers", "customers.ids"]
    assert said["customers.known"]["found"] == "2 customers as Alguna has them; looked up: all."


def test_the_newest_are_looked_up(well: Settings, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a sample has, one by one where that takes fewer requests; and it is said how many."""
    monkeypatch.setattr(customers, "SAMPLE", 2)
    many(account, 300)
    said = examined()
    assert said["customers.known"]["found"] == (
        "2 customers as Alguna has them; looked up: the newest 2 of 301; --all looks at all."
    )
    assert account.requests[1:] == ["GET /customers/lookup?alias=many-299", "GET /customers/lookup?alias=many-298"]


def test_all_are_looked_up_in_pages(well: Settings, account: Account) -> None:
    """A request for each hundred; who is on no page is asked for."""
    many(account, 100)
    lost = Customer.objects.create(alias="lost", customer_id="cust_lost")
    said = examined("--all")
    assert said["customers.known"]["found"] == "101 customers as Alguna has them; looked up: all."
    assert said["customers.gone"]["found"].startswith(f"1 customer (pk {lost.pk})")
    assert account.requests[1:] == [
        "GET /customers?limit=100&offset=0",
        "GET /customers?limit=100&offset=100",
        "GET /customers/lookup?alias=lost",
        "GET /customers/cust_lost",
    ]


def test_all_are_looked_up_however_long_it_takes(
    well: Settings, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, what there is no time for is not looked at, and that is said."""
    many(account, 3)
    monkeypatch.setattr(probes.Account, "pages", None)
    real = context.Visit.seconds

    def seconds(self: context.Visit, at_most: float = 5.0) -> float:
        if len(account.requests) > 1:
            self.until = 0.0
        return real(self, at_most)

    monkeypatch.setattr(context.Visit, "seconds", seconds)
    assert examined()["customers.known"]["found"] == "1 of 4 customers looked up; then there was no time left."
    account.requests.clear()
    assert examined("--all")["customers.known"]["found"] == "4 customers as Alguna has them; looked up: all."


def test_aliases_are_not_shown(well: Settings) -> None:
    """They may be addresses."""
    Customer.objects.create(alias="mia@acme.example")
    assert "acme.example" not in run()[1]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"data": "x", "pagination": 7},
        {"data": [7, {"id": 7, "aliases": ["a"]}, {"id": "c", "aliases": None}], "pagination": {"total_pages": "9"}},
    ],
)
def test_a_page_that_makes_no_sense_has_nobody_on_it(data: dict[str, Any]) -> None:
    """Those customers are asked for one by one."""
    page = probes._page(data)
    assert (page.ids, page.pages) == ({}, None)
