"""The lookup of customers in Alguna."""

from time import monotonic

import pytest
from django.core.management import call_command
from pytest_django import Settings

from alguna_portal.doctor import context, customers
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine.types import Request, Response, json_response
from tests.doctor.conftest import FakeApi, run_command, run_doctor


def add_customers(api: FakeApi, number: int) -> None:
    Customer.objects.bulk_create(
        Customer(alias=f"many-{each}", customer_id=api.add_customer(f"many-{each}")) for each in range(number)
    )


def test_empty_database_is_ok(healthy: Settings, api: FakeApi) -> None:
    Customer.objects.all().delete()
    assert run_doctor()["customers.known"]["found"] == "There are no customers here yet."
    assert len(api.requests) == 1


def test_unknown_customer_without_id_is_a_warning(healthy: Settings) -> None:
    new = Customer.objects.create(alias="new")
    report = run_doctor()
    assert report["customers.unknown"] == {
        "examination": "customers",
        "name": "customers.unknown",
        "level": "warning",
        "found": f"1 customer (pk {new.pk}) unknown to Alguna: their portals do not open.",
        "remedy": "Run manage.py alguna_provision, or correct the aliases.",
    }
    assert "customers.gone" not in report
    assert report["customers.ids"]["found"].startswith("1 of 2 customers without an id")
    assert report["customers.known"]["found"] == "1 customer as Alguna has them; looked up: all."


def test_unknown_customer_with_id_is_another_warning(healthy: Settings) -> None:
    """`alguna_provision` doesn't create it until its id is deleted."""
    new = Customer.objects.create(alias="new", name="New", currency="EUR")
    gone = Customer.objects.create(alias="gone", name="Gone", currency="EUR", customer_id="cust_gone")
    report = run_doctor()
    assert report["customers.gone"] == {
        "examination": "customers",
        "name": "customers.gone",
        "level": "warning",
        "found": f"1 customer (pk {gone.pk}) unknown to Alguna, though with an id of Alguna's here: their portals do "
        "not open.",
        "remedy": "Check that this is the account they were created in. Only where a customer is gone there, empty its "
        "id here, then run manage.py alguna_provision.",
    }
    assert report["customers.unknown"]["found"].startswith(f"1 customer (pk {new.pk})")
    call_command("alguna_provision", verbosity=0)
    report = run_doctor()
    assert "customers.unknown" not in report
    assert report["customers.gone"]["found"].startswith(f"1 customer (pk {gone.pk})")
    Customer.objects.filter(pk=gone.pk).update(customer_id=None)
    call_command("alguna_provision", verbosity=0)
    assert "customers.gone" not in run_doctor()


def test_unknown_customer_is_a_note_with_provision_on_open(healthy: Settings) -> None:
    """The first click creates customers without an id only."""
    healthy.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
    new = Customer.objects.create(alias="new")
    report = run_doctor()
    assert report["customers.unopened"]["found"].startswith(f"1 customer (pk {new.pk}) not in Alguna yet")
    assert "customers.unknown" not in report
    gone = Customer.objects.create(alias="gone", customer_id="cust_gone")
    assert run_doctor()["customers.gone"]["found"].startswith(f"1 customer (pk {gone.pk})")


@pytest.mark.parametrize(
    ("is_taken", "name", "level", "found"),
    [(False, "customers.aliases", "warning", "in Alguna by id"), (True, "customers.strangers", "error", "whose alias")],
)
def test_id_without_alias(healthy: Settings, api: FakeApi, is_taken: bool, name: str, level: str, found: str) -> None:
    """If another customer in Alguna has the alias, that is an error."""
    if is_taken:
        api.add_customer("acme-2")
    customer = Customer.objects.create(alias="acme-2", customer_id=api.add_customer("another"))
    report = run_doctor()
    assert report.get_level(name) == level
    assert report[name]["found"].startswith(f"1 customer (pk {customer.pk}) {found}")
    assert "customers.unknown" not in report


def test_customer_without_stored_id_is_found_by_alias(healthy: Settings, api: FakeApi) -> None:
    api.add_customer("adopted")
    Customer.objects.create(alias="adopted")
    report = run_doctor()
    assert list(report.problems) == ["memberships.customers", "customers.ids"]
    assert report["customers.known"]["found"] == "2 customers as Alguna has them; looked up: all."


def test_newest_customers_are_looked_up(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "SAMPLE_SIZE", 2)
    add_customers(api, 300)
    assert run_doctor()["customers.known"]["found"] == (
        "2 customers as Alguna has them; looked up: the newest 2 of 301; --all looks at all."
    )
    assert api.requests[1:] == ["GET /customers/lookup?alias=many-299", "GET /customers/lookup?alias=many-298"]


def test_all_customers_are_looked_up(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "SAMPLE_SIZE", 2)
    add_customers(api, 2)
    gone = Customer.objects.create(alias="gone", customer_id="cust_gone")
    report = run_doctor("--all")
    assert report["customers.known"]["found"] == "3 customers as Alguna has them; looked up: all."
    assert report["customers.gone"]["found"].startswith(f"1 customer (pk {gone.pk})")
    assert api.requests[1:] == [
        "GET /customers/lookup?alias=gone",
        "GET /customers/cust_gone",
        "GET /customers/lookup?alias=many-1",
        "GET /customers/lookup?alias=many-0",
        "GET /customers/lookup?alias=acme-1",
    ]


def test_only_all_has_no_time_limit(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    add_customers(api, 3)
    monkeypatch.setattr(context, "monotonic", lambda: monotonic() + (100 if len(api.requests) > 1 else 0))
    assert run_doctor()["customers.known"]["found"] == "1 of 4 customers looked up; then there was no time left."
    api.requests.clear()
    assert run_doctor("--all")["customers.known"]["found"] == "4 customers as Alguna has them; looked up: all."


def test_aliases_are_not_shown(healthy: Settings) -> None:
    """They may be email addresses."""
    Customer.objects.create(alias="mia@acme.example")
    assert "acme.example" not in run_command()[1]


@pytest.mark.parametrize(
    ("status", "calls", "reason"),
    [(503, 3, "Alguna failed (AlgunaUnavailable)"), (401, 1, "the key may not read them"), (400, 1, "AlgunaRefused")],
)
def test_lookup_stops_after_failures(healthy: Settings, api: FakeApi, status: int, calls: int, reason: str) -> None:
    """It stops after three failures in a row, or after one that every call would cause."""
    add_customers(api, 5)

    def respond(request: Request) -> Response | None:
        if request.path == "/customers":
            return json_response({"data": []})
        return json_response({"detail": "No."}, status=status)

    api.respond = respond
    report = run_doctor()
    assert report.get_level("customers.known") == "skipped"
    assert report["customers.known"]["found"].startswith("0 of 6 customers looked up; then ")
    assert reason in report["customers.known"]["found"]
    assert len(api.requests) == 1 + calls


def test_lookup_continues_after_one_failure(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits as long as Alguna requests, but at most two seconds."""
    pauses: list[float] = []
    monkeypatch.setattr(customers, "sleep", pauses.append)
    add_customers(api, 5)
    statuses = [503, 429, 0, 503, 503, 0]

    def respond(request: Request) -> Response | None:
        if "lookup" in request.path and (status := statuses.pop(0)):
            headers = {"Retry-After": "60"} if status == 429 else {}
            return json_response({"detail": "No."}, status=status, headers=headers)
        return None

    api.respond = respond
    Customer.objects.filter(alias__in=["many-0", "many-1"]).delete()
    Customer.objects.create(alias="x")
    Customer.objects.create(alias="y")
    report = run_doctor()
    assert pauses == [0.0, 2.0, 0.0, 0.0]
    assert report.get_level("customers.known") == "skipped"
    failed = Customer.objects.filter(alias__in=["x", "y", "many-2", "many-3"]).order_by("-pk")
    keys = ", ".join(str(each.pk) for each in failed)
    assert report["customers.known"]["found"] == (
        f"2 customers as Alguna has them; looked up: all but 4 customers (pk {keys}), since Alguna failed."
    )


@pytest.mark.parametrize(
    ("arguments", "sample_size", "found"),
    [
        (["--all"], 2, "3 customers as Alguna has them; looked up: all but {}."),
        ([], 4, "3 customers as Alguna has them; looked up: all but {}."),
        ([], 2, "1 customer as Alguna has them; looked up: the newest 2 of 4 but {}; --all looks at all."),
    ],
)
def test_failed_lookups_are_counted(
    healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sample_size: int, found: str
) -> None:
    add_customers(api, 3)
    monkeypatch.setattr(customers, "SAMPLE_SIZE", sample_size)

    def respond(request: Request) -> Response | None:
        return json_response({"detail": "No."}, status=503) if request.query.get("alias") == "many-2" else None

    api.respond = respond
    report = run_doctor(*arguments)
    failed = f"1 customer (pk {Customer.objects.get(alias='many-2').pk}), since Alguna failed"
    assert report["customers.known"]["found"] == found.format(failed)
    assert report.get_level("customers.known") == "skipped"
    assert report.status == 0
