"""`manage.py alguna_sync`, with the fake of Alguna."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from io import StringIO
from itertools import islice
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, OperationalError
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.bulk.runner import keyset
from alguna_portal.bulk.summary import Summary
from alguna_portal.customers import plan_sync
from alguna_portal.customers.plan_sync import FetchedPlan, Synced
from alguna_portal.management.commands import alguna_sync
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna, fake_alguna
from tests.support import commands
from tests.support.commands import raise_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("short_rate_limiter_pauses")]

run = partial(commands.run_command, "alguna_sync")

PLAN_IDS = {"plan_starter": "starter", "plan_growth": "growth", "plan_enterprise": "enterprise"}
LABELS = ("changed", "unchanged", "not mapped", "with nothing to learn", "overtaken", "failed", "not tried")


@pytest.fixture(autouse=True)
def fake(settings: Settings) -> Iterator[FakeAlguna]:
    """Alguna without customers; three plans are in `PLAN_IDS`."""
    settings.ALGUNA_PORTAL_PLAN_IDS = PLAN_IDS
    with fake_alguna(knows_everyone=False) as fake:
        yield fake


def create_customers(
    fake: FakeAlguna, number: int = 1, *, plan_id: str = "plan_starter", **fields: Any
) -> list[Customer]:
    """Create so many customers in the database and in Alguna, with a subscription to a plan."""
    start = Customer.objects.count()
    rows = []
    for each in range(start, start + number):
        alias = f"alias-{each}"
        customer_id = fake.add_customer(alias)
        if plan_id != "plan_starter":
            fake.change_plan(alias, plan_id)
        rows.append(Customer(**{"alias": alias, "customer_id": customer_id, "plan": "starter"} | fields))
    return Customer.objects.bulk_create(rows)


def get_plans() -> list[str]:
    return list(Customer.objects.order_by("pk").values_list("plan", flat=True))


def get_first_line(output: tuple[str, int]) -> str:
    return output[0].splitlines()[0]


def counts(total: int, **numbers: int) -> str:
    """Return the first line of the output for the numbers that aren't zero, such as `not_mapped=1`."""
    found = [f"{numbers.pop(label.replace(' ', '_'), 0)} {label}" for label in LABELS]
    assert not numbers
    return f"Of {total} customers: {', '.join(found)}."


def get_rows() -> list[Any]:
    return list(Customer.objects.order_by("pk").values())


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The keys of the customers whose plans are fetched, in order."""
    keys: list[int] = []
    fetch = plan_sync.fetch_plan

    def record(customer: Customer, client: Any) -> FetchedPlan:
        keys.append(customer.pk)
        return fetch(customer, client)

    monkeypatch.setattr(plan_sync, "fetch_plan", record)
    return keys


def test_plans_are_set_to_algunas(fake: FakeAlguna) -> None:
    """Customers without an id are found by alias."""
    create_customers(fake, 3)
    create_customers(fake, 2, plan_id="plan_growth")
    (unknown,) = create_customers(fake, plan_id="plan_enterprise", customer_id=None)
    assert run("--verbosity", "1") == (counts(6, changed=3, unchanged=3) + "\n", 0)
    assert get_plans() == ["starter"] * 3 + ["growth"] * 2 + ["enterprise"]
    unknown.refresh_from_db()
    assert unknown.plan_id == "plan_enterprise"
    assert unknown.plan_synced_at is not None
    assert get_first_line(run()) == counts(6, unchanged=6)


def test_without_subscriptions_the_plan_stays_and_after_the_last_one_it_is_empty(fake: FakeAlguna) -> None:
    Customer.objects.create(alias="elsewhere", plan="growth")
    create_customers(fake)
    fake.cancel("alias-1")
    output, status = run()
    assert output == counts(2, changed=1, with_nothing_to_learn=1) + "\n"
    assert (get_plans(), status) == (["growth", ""], 0)


def test_unmapped_plans_are_listed(fake: FakeAlguna) -> None:
    three = create_customers(fake, 3, plan_id="plan_new")
    (one,) = create_customers(fake, plan_id="plan_gone")
    output, status = run("--workers", "1")
    assert output.splitlines() == [
        counts(4, not_mapped=4),
        f"     3  not mapped: plan_new (pk {', '.join(str(each.pk) for each in three)})",
        f"     1  not mapped: plan_gone (pk {one.pk})",
        "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again.",
    ]
    assert (status, get_plans()) == (0, ["starter"] * 4)
    assert set(Customer.objects.values_list("plan_id", flat=True)) == {"plan_new", "plan_gone"}


def test_many_unmapped_plans_share_a_line(fake: FakeAlguna) -> None:
    for number in range(32):
        create_customers(fake, plan_id=f"plan_of_{number}")
    output, _status = run("--workers", "1")
    assert len(output.splitlines()) == 1 + 30 + 1 + 1
    assert "     2  others (pk " in output


def test_a_dry_run_lists_changes_and_stores_nothing(fake: FakeAlguna) -> None:
    create_customers(fake, 2)
    growing = create_customers(fake, 6, plan_id="plan_growth")
    create_customers(fake, plan_id="plan_new")
    (over,) = create_customers(fake)
    fake.cancel(over.alias)
    (begun,) = create_customers(fake, plan="")
    Customer.objects.create(alias="elsewhere", plan="growth")
    before = get_rows()
    # With several workers, the order of the responses and of the examples is random.
    output, status = run("--dry-run", "--workers", "1")
    assert output.splitlines() == [
        "Of 12 customers: 8 would change, 2 unchanged, 1 not mapped, 1 with nothing to learn, 0 failed, 0 not tried.",
        f"     6  from “starter” to “growth” (pk {', '.join(str(each.pk) for each in growing[:5])}, …)",
        f"     1  not mapped: plan_new (pk {growing[-1].pk + 1})",
        f"     1  from “starter” to no plan (pk {over.pk})",
        f"     1  from no plan to “starter” (pk {begun.pk})",
        "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again.",
    ]
    assert status == 0
    assert get_rows() == before
    assert run("--dry-run", "--workers", "1")[0] == output


def test_the_oldest_synchronizations_come_first(
    fake: FakeAlguna, fetched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 2)
    now = timezone.now()
    rows = create_customers(fake, 7)
    hours = {0: 5, 1: 9, 3: 9, 4: 7, 6: 9}
    for number, each in hours.items():
        Customer.objects.filter(pk=rows[number].pk).update(plan_synced_at=now - timedelta(hours=each))
    assert get_first_line(run("--workers", "1")) == counts(7, unchanged=7)
    assert fetched == [rows[number].pk for number in (2, 5, 1, 3, 6, 4, 0)]


def test_keyset_continues_after_rows_that_the_caller_changes(fake: FakeAlguna) -> None:
    rows = create_customers(fake, 5)
    keys = []
    for row in islice(keyset(Customer.objects.all(), "pk", size=2), 9):
        keys.append(row.pk)
        row.pk = 0
    assert keys == [each.pk for each in rows]


def test_failed_rows_are_tried_once(fake: FakeAlguna, fetched: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 1)
    rows = create_customers(fake, 3)
    Customer.objects.filter(pk=rows[2].pk).update(plan_synced_at=timezone.now() - timedelta(hours=1))
    fake.fail(400, times=3, detail="Rejected.")
    output, status = run("--workers", "1")
    assert counts(3, failed=3) in output
    assert "     3  AlgunaRefused: Alguna answered 400 (“Rejected.”)." in output
    assert output.endswith("3 of 3 customers failed.")
    assert status == 1
    assert fetched == [each.pk for each in rows]


def test_a_second_run_continues(fake: FakeAlguna, fetched: list[int]) -> None:
    """`--stale` leaves out the customers that are done."""
    rows = create_customers(fake, 5)
    assert get_first_line(run("--limit", "3", "--workers", "1")).startswith("Of 3 customers")
    run("--limit", "3", "--workers", "1")
    assert fetched == [rows[number].pk for number in (0, 1, 2, 3, 4, 0)]
    assert run("--stale", "10") == (
        "There is nothing to do: there are no customers that were not synced in the last 10 minutes.\n",
        0,
    )
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert get_first_line(run("--stale", "10")).startswith("Of 5 customers")


def test_plan(fake: FakeAlguna, fetched: list[int]) -> None:
    create_customers(fake, 2)
    others = create_customers(fake, 2, plan_id="plan_growth", plan="enterprise")
    assert get_first_line(run("--plan", "enterprise")) == counts(2, changed=2)
    assert sorted(fetched) == [each.pk for each in others]
    assert run("--plan", "enterprise")[0] == (
        "There is nothing to do: there are no customers on the plan “enterprise”.\n"
    )
    assert run("--plan", "growht")[0].startswith("There is no plan “growht”. Those known are: enterprise, growth, sta")


@pytest.mark.parametrize(
    ("name", "value", "output"),
    [
        ("PLAN_IDS", {}, "ALGUNA_PORTAL_PLAN_IDS is empty: name there the plan that each of Alguna's plan ids stands"),
        ("PLAN_IDS", {"plan_x": "grwoth"}, "ALGUNA_PORTAL_PLAN_IDS['plan_x']"),
        ("API_KEY", "", "ALGUNA_PORTAL_API_KEY is not set."),
    ],
)
@pytest.mark.parametrize("args", [(), ("--dry-run",)])
def test_without_the_settings_the_command_fails(
    fake: FakeAlguna, settings: Settings, args: tuple[str, ...], name: str, value: Any, output: str
) -> None:
    create_customers(fake)
    setattr(settings, f"ALGUNA_PORTAL_{name}", value)
    found, status = run(*args)
    assert found.startswith(output)
    assert status == 1
    assert fake.requests == []


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("0", "Error: argument --stale: a whole number from 1 on is needed."),
        ("soon", "Error: argument --stale: a whole number from 1 on is needed."),
        ("99999999999", "--stale 99999999999 leads to before the beginning of the calendar."),
        ("9" * 30, f"--stale {'9' * 30} leads to before the beginning of the calendar."),
    ],
)
def test_invalid_values_of_stale(value: str, error: str) -> None:
    assert run(f"--stale={value}") == (error, 1)


Callbacks = dict[int, Callable[[Customer], object]]


@pytest.fixture
def before_store(monkeypatch: pytest.MonkeyPatch) -> Callbacks:
    """Callables by customer key, called between the API call and the update."""
    callbacks: Callbacks = {}
    store_plan = plan_sync.store_plan

    def store_late(customer: Customer, fetched: FetchedPlan, *, sequence: int) -> Synced:
        if callback := callbacks.pop(customer.pk, None):
            callback(Customer.objects.get(pk=customer.pk))
        return store_plan(customer, fetched, sequence=sequence)

    monkeypatch.setattr(plan_sync, "store_plan", store_late)
    return callbacks


def test_a_later_event_is_not_overwritten(fake: FakeAlguna, before_store: Callbacks) -> None:
    _first, second = create_customers(fake, 2, plan_id="plan_growth")

    def upgrade(customer: Customer) -> None:
        fake.change_plan(customer.alias, "plan_enterprise")
        assert plan_sync.sync_plan(customer) is Synced.CHANGED

    before_store[second.pk] = upgrade
    assert get_first_line(run()) == counts(2, changed=1, overtaken=1)
    assert get_plans() == ["growth", "enterprise"]
    second.refresh_from_db()
    assert (second.plan_id, second.plan_asked, second.plan_stored) == ("plan_enterprise", 2, 2)


def test_an_earlier_event_does_not_overwrite(fake: FakeAlguna) -> None:
    (row,) = create_customers(fake, plan_id="plan_growth")
    number = plan_sync.next_sequence(row)
    run()
    late = FetchedPlan(plan="enterprise", plan_id="plan_enterprise")
    assert plan_sync.store_plan(row, late, sequence=number) is Synced.OVERTAKEN
    assert get_plans() == ["growth"]


def test_customers_deleted_meanwhile_are_failures_of_their_rows(fake: FakeAlguna, before_store: Callbacks) -> None:
    rows = create_customers(fake, 40, plan_id="plan_growth")
    before_store[rows[0].pk] = lambda _: Customer.objects.filter(pk__in=(rows[0].pk, rows[39].pk)).delete()
    output, status = run("--workers", "1")
    assert counts(40, changed=38, failed=2) in output
    assert f"     1  The customer was deleted here before Alguna was asked. (pk {rows[39].pk})\n" in output
    assert "     1  CustomerMismatch: The customer was deleted here while Alguna was asked. (pk" in output
    assert status == 1


def test_customers_synchronized_by_an_event_are_not_fetched(
    fake: FakeAlguna, before_store: Callbacks, monkeypatch: pytest.MonkeyPatch, fetched: list[int]
) -> None:
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 1)
    rows = create_customers(fake, 20)
    before_store[rows[0].pk] = lambda _: Customer.objects.filter(pk=rows[19].pk).update(plan_synced_at=timezone.now())
    assert get_first_line(run("--workers", "1")) == counts(20, unchanged=19, not_tried=1)
    assert rows[19].pk not in fetched


@pytest.mark.parametrize("name", ["next_sequence", "store_plan"])
def test_a_database_lock_is_a_failure_of_its_row(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows = create_customers(fake, 3, plan_id="plan_growth")
    raise_for(monkeypatch, plan_sync, name, {rows[1].pk: OperationalError("database is locked")})
    output, status = run()
    assert (status, get_plans()) == (1, ["growth", "starter", "growth"])
    assert f"     1  The database would not store it (OperationalError). (pk {rows[1].pk})" in output


def test_an_unexpected_exception_is_raised_after_rows_in_progress_are_stored(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, fetched: list[int]
) -> None:
    rows = create_customers(fake, 40, plan_id="plan_growth")
    raise_for(monkeypatch, plan_sync, "next_sequence", {rows[5].pk: DatabaseError("disk")})
    with pytest.raises(DatabaseError, match="disk"):
        run("--workers", "1")
    assert 3 <= len(fetched) <= 5
    assert get_plans() == ["growth"] * len(fetched) + ["starter"] * (40 - len(fetched))


def test_temporary_failures_are_retried(fake: FakeAlguna) -> None:
    create_customers(fake, 5, plan_id="plan_growth")
    fake.fail(503)
    fake.fail(429, retry_after=0)
    assert get_first_line(run("--workers", "2")) == counts(5, changed=5)


def test_an_outage_stops_the_command(fake: FakeAlguna) -> None:
    create_customers(fake, 9)
    fake.fail(503, times=1000, detail="Closed.")
    output, status = run("--workers", "1")
    assert counts(9, failed=1, not_tried=8) in output
    assert output.endswith("Try again later. Run it again with --stale 11, and it goes on where it stopped.")
    assert status == 1


@pytest.mark.parametrize(
    ("args", "minutes", "again"),
    [
        ((), 0, "Run it again with --stale 11, and it goes on where it stopped."),
        ((), 61, "Run it again with --stale 72, and it goes on where it stopped."),
        (("--stale", "30"), 1, "Run it again with --stale 30, and it goes on where it stopped."),
        (("--dry-run",), 1, "Run it again."),
    ],
)
def test_an_interrupted_run_can_be_continued(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], minutes: int, again: str
) -> None:
    create_customers(fake, 2)

    def interrupted(_run: object, rows: Any, summary: Summary) -> None:
        next(rows)
        travel.shift(timedelta(minutes=minutes, seconds=1))
        summary.interrupted = True
        if output == "Left at once.":
            raise KeyboardInterrupt

    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", interrupted)
    for output in ("Interrupted.", "Left at once."):
        with time_machine.travel(timezone.now(), tick=False) as travel:
            found, status = run(*args)
        assert found.splitlines()[-1] == f"{output} {again}"
        assert status == 130


def test_number_of_queries(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    """A count, batches of both kinds, and for each row a number within a savepoint and an update."""
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 3)
    rows = create_customers(fake, 6)
    Customer.objects.filter(pk__gt=rows[2].pk).update(plan_synced_at=timezone.now() - timedelta(days=1))
    with django_assert_num_queries(1 + 2 + 1 + 6 * (4 + 2)):
        run()


def test_the_progress_goes_to_stderr_without_personal_data(fake: FakeAlguna) -> None:
    create_customers(fake, 2, plan_id="plan_growth", name="Acme", email="billing@acme.example")
    log = StringIO()
    assert run("--verbosity", "0", stderr=log) == ("", 0)
    assert log.getvalue() == ""
    output, _status = run("--stale", "5", stderr=log)
    assert output.startswith("There is nothing to do")
    output, _status = run(stderr=log)
    assert log.getvalue().startswith("2 of 2 customers, 0 failed, ")
    for secret in ("Acme", "acme.example", "alias-", "fake."):
        assert secret not in output + log.getvalue()


def test_waiting_for_the_rate_limiter_uses_none_of_the_budget(
    fake: FakeAlguna, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 0.5
    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.FIRST_PAUSE", 0.8)
    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.LONGEST_PAUSE", 0.8)
    create_customers(fake, 2, plan_id="plan_growth", customer_id=None)
    fake.fail(503)
    before = len(fake.requests)
    assert get_first_line(run("--workers", "1")) == counts(2, changed=2)
    assert len(fake.requests) - before == 5
