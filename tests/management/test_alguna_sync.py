"""`manage.py alguna_sync`, with the fake of Alguna, inside the tests' own transaction."""

from collections.abc import Callable, Iterator
from datetime import timedelta
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

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("short_pauses")]

PLAN_IDS = {"plan_starter": "starter", "plan_growth": "growth", "plan_enterprise": "enterprise"}
QUIET = "0 with nothing to learn, 0 overtaken, 0 failed, 0 not tried"


@pytest.fixture(autouse=True)
def fake(settings: Settings) -> Iterator[FakeAlguna]:
    """An Alguna that has whom `add` adds, and three of whose plans are mapped."""
    settings.ALGUNA_PORTAL_PLAN_IDS = PLAN_IDS
    with fake_alguna(knows_everyone=False) as fake:
        yield fake


def add(fake: FakeAlguna, number: int = 1, *, plan_id: str = "plan_starter", **fields: Any) -> list[Customer]:
    """Add so many customers, here and in Alguna, where they are on a plan."""
    start = Customer.objects.count()
    rows = []
    for each in range(start, start + number):
        alias = f"alias-{each}"
        customer_id = fake.add_customer(alias)
        if plan_id != "plan_starter":
            fake.change_plan(alias, plan_id)
        rows.append(Customer(**{"alias": alias, "customer_id": customer_id, "plan": "starter"} | fields))
    return Customer.objects.bulk_create(rows)


def run(*args: str, **options: Any) -> tuple[str, int]:
    """Sync very fast; return what was said, last why it failed, and the exit status."""
    return commands.run("alguna_sync", *args, **options)


def plans() -> list[str]:
    """The plans of all customers, in the order in which they were added."""
    return list(Customer.objects.order_by("pk").values_list("plan", flat=True))


def told(said: tuple[str, int]) -> str:
    """The first line of what was said."""
    return said[0].splitlines()[0]


def stored() -> list[Any]:
    """All that there is of customers."""
    return list(Customer.objects.order_by("pk").values())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The keys of the customers that Alguna was asked about, in order."""
    keys: list[int] = []
    learn = plan_sync.fetch_plan

    def noting(customer: Customer, client: Any) -> FetchedPlan:
        keys.append(customer.pk)
        return learn(customer, client)

    monkeypatch.setattr(plan_sync, "fetch_plan", noting)
    return keys


def test_plans_follow_alguna(fake: FakeAlguna) -> None:
    """Whoever moved is moved here, found by alias where the id is not known; and it is said how many."""
    add(fake, 3)
    add(fake, 2, plan_id="plan_growth")
    (unknown,) = add(fake, plan_id="plan_enterprise", customer_id=None)
    assert run("--verbosity", "1") == (f"Of 6 customers: 3 changed, 3 unchanged, 0 not mapped, {QUIET}.\n", 0)
    assert plans() == ["starter"] * 3 + ["growth"] * 2 + ["enterprise"]
    unknown.refresh_from_db()
    assert unknown.plan_id == "plan_enterprise"
    assert unknown.plan_synced_at is not None
    assert told(run()).startswith("Of 6 customers: 0 changed, 6 unchanged")


def test_whom_alguna_knows_nothing_of_is_left(fake: FakeAlguna) -> None:
    """One that it does not have, and nothing is learned; but where all subscriptions are over, so is the plan."""
    Customer.objects.create(alias="elsewhere", plan="growth")
    add(fake)
    fake.cancel("alias-1")
    said, status = run()
    assert said == (
        "Of 2 customers: 1 changed, 0 unchanged, 0 not mapped, 1 with nothing to learn, 0 overtaken, 0 failed, "
        "0 not tried.\n"
    )
    assert (plans(), status) == (["growth", ""], 0)


def test_plans_that_are_not_mapped_are_named(fake: FakeAlguna) -> None:
    """With how many customers each has, and what to do; the plans here are left, and it is no failure."""
    three = add(fake, 3, plan_id="plan_new")
    (one,) = add(fake, plan_id="plan_gone")
    said, status = run("--workers", "1")
    assert said.splitlines() == [
        "Of 4 customers: 0 changed, 0 unchanged, 4 not mapped, 0 with nothing to learn, 0 overtaken, 0 failed, "
        "0 not tried.",
        f"     3  not mapped: plan_new (pk {', '.join(str(each.pk) for each in three)})",
        f"     1  not mapped: plan_gone (pk {one.pk})",
        "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again.",
    ]
    assert (status, plans()) == (0, ["starter"] * 4)
    assert set(Customer.objects.values_list("plan_id", flat=True)) == {"plan_new", "plan_gone"}


def test_many_plans_that_are_not_mapped_share_a_line(fake: FakeAlguna) -> None:
    """What is said does not grow without end."""
    for number in range(32):
        add(fake, plan_id=f"plan_of_{number}")
    said, _status = run("--workers", "1")
    assert len(said.splitlines()) == 1 + 30 + 1 + 1
    assert "     2  others (pk " in said


def test_a_dry_run_stores_nothing(fake: FakeAlguna) -> None:
    """It asks, and says what would change, with a few keys; a second one says the same."""
    add(fake, 2)
    growing = add(fake, 6, plan_id="plan_growth")
    add(fake, plan_id="plan_new")
    (over,) = add(fake)
    fake.cancel(over.alias)
    (begun,) = add(fake, plan="")
    Customer.objects.create(alias="elsewhere", plan="growth")
    before = stored()
    # With several workers, answers come in no order, and so do the examples.
    said, status = run("--dry-run", "--workers", "1")
    assert said.splitlines() == [
        "Of 12 customers: 8 would change, 2 unchanged, 1 not mapped, 1 with nothing to learn, 0 failed, 0 not tried.",
        f"     6  from “starter” to “growth” (pk {', '.join(str(each.pk) for each in growing[:5])}, …)",
        f"     1  not mapped: plan_new (pk {growing[-1].pk + 1})",
        f"     1  from “starter” to no plan (pk {over.pk})",
        f"     1  from no plan to “starter” (pk {begun.pk})",
        "Add what is not mapped to ALGUNA_PORTAL_PLAN_IDS, and run it again.",
    ]
    assert status == 0
    assert stored() == before
    assert run("--dry-run", "--workers", "1")[0] == said


def test_the_longest_ago_come_first(fake: FakeAlguna, asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who never were synced before all others, and each once, however few are read at a time."""
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 2)
    now = timezone.now()
    rows = add(fake, 7)
    hours = {0: 5, 1: 9, 3: 9, 4: 7, 6: 9}
    for number, each in hours.items():
        Customer.objects.filter(pk=rows[number].pk).update(plan_synced_at=now - timedelta(hours=each))
    assert told(run("--workers", "1")).startswith("Of 7 customers: 0 changed, 7 unchanged")
    assert asked == [rows[number].pk for number in (2, 5, 1, 3, 6, 4, 0)]


def test_rows_that_are_changed_on_the_way_lead_on_from_where_they_stood(fake: FakeAlguna) -> None:
    """Whoever gets a row may change it."""
    rows = add(fake, 5)
    keys = []
    for row in islice(keyset(Customer.objects.all(), "pk", size=2), 9):
        keys.append(row.pk)
        row.pk = 0
    assert keys == [each.pk for each in rows]


def test_rows_that_fail_are_tried_once(fake: FakeAlguna, asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay where they are in the order, and do not come again."""
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 1)
    rows = add(fake, 3)
    Customer.objects.filter(pk=rows[2].pk).update(plan_synced_at=timezone.now() - timedelta(hours=1))
    fake.fail(400, times=3, detail="Rejected.")
    said, status = run("--workers", "1")
    assert "0 unchanged, 0 not mapped, 0 with nothing to learn, 0 overtaken, 3 failed, 0 not tried." in said
    assert "     3  AlgunaRefused: Alguna answered 400 (“Rejected.”)." in said
    assert said.endswith("3 of 3 customers failed.")
    assert status == 1
    assert asked == [each.pk for each in rows]


def test_what_was_begun_is_gone_on_with(fake: FakeAlguna, asked: list[int]) -> None:
    """After `--limit`, or any other end, the others come first; `--stale` leaves out who is done."""
    rows = add(fake, 5)
    assert told(run("--limit", "3", "--workers", "1")).startswith("Of 3 customers")
    run("--limit", "3", "--workers", "1")
    assert asked == [rows[number].pk for number in (0, 1, 2, 3, 4, 0)]
    assert run("--stale", "10") == (
        "There is nothing to do: there are no customers that were not synced in the last 10 minutes.\n",
        0,
    )
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert told(run("--stale", "10")).startswith("Of 5 customers")


def test_only_a_plan(fake: FakeAlguna, asked: list[int]) -> None:
    """Which they may leave; a plan that nobody knows is refused."""
    add(fake, 2)
    others = add(fake, 2, plan_id="plan_growth", plan="enterprise")
    assert told(run("--plan", "enterprise")) == f"Of 2 customers: 2 changed, 0 unchanged, 0 not mapped, {QUIET}."
    assert sorted(asked) == [each.pk for each in others]
    assert run("--plan", "enterprise")[0] == (
        "There is nothing to do: there are no customers on the plan “enterprise”.\n"
    )
    assert run("--plan", "growht")[0].startswith("There is no plan “growht”. Those known are: enterprise, growth, sta")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PLAN_IDS", {}, "ALGUNA_PORTAL_PLAN_IDS is empty: name there the plan that each of Alguna's plan ids stands"),
        ("PLAN_IDS", {"plan_x": "grwoth"}, "ALGUNA_PORTAL_PLAN_IDS['plan_x']"),
        ("API_KEY", "", "ALGUNA_PORTAL_API_KEY is not set."),
    ],
)
@pytest.mark.parametrize("args", [(), ("--dry-run",)])
def test_without_the_settings_nothing_is_begun(
    fake: FakeAlguna, settings: Settings, args: tuple[str, ...], name: str, value: Any, said: str
) -> None:
    """Not even dry; what to set is said."""
    add(fake)
    setattr(settings, f"ALGUNA_PORTAL_{name}", value)
    found, status = run(*args)
    assert found.startswith(said)
    assert status == 1
    assert fake.requests == []


@pytest.mark.parametrize("value", ["0", "soon"])
def test_minutes_are_at_least_one(fake: FakeAlguna, value: str) -> None:
    """The option is named."""
    assert run(f"--stale={value}") == ("Error: argument --stale: a whole number from 1 on is needed.", 1)


@pytest.mark.parametrize("value", ["99999999999", "9" * 30])
def test_minutes_before_all_time_are_refused(fake: FakeAlguna, value: str) -> None:
    """And no traceback."""
    assert run("--stale", value) == (f"--stale {value} leads to before the beginning of the calendar.", 1)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> dict[int, Callable[[Customer], object]]:
    """What happens to customers, by their keys, after Alguna was asked and before that is stored."""
    happens: dict[int, Callable[[Customer], object]] = {}
    keep = plan_sync.store_plan

    def late(customer: Customer, fetched: FetchedPlan, *, sequence: int) -> Synced:
        if happening := happens.pop(customer.pk, None):
            happening(Customer.objects.get(pk=customer.pk))
        return keep(customer, fetched, sequence=sequence)

    monkeypatch.setattr(plan_sync, "store_plan", late)
    return happens


def test_an_event_that_asked_later_wins(fake: FakeAlguna, meanwhile: dict[int, Callable[[Customer], object]]) -> None:
    """It took its number while Alguna was asked for the run: what it stores stays, and the run says so."""
    _first, second = add(fake, 2, plan_id="plan_growth")

    def upgrade(customer: Customer) -> None:
        fake.change_plan(customer.alias, "plan_enterprise")
        assert plan_sync.sync_plan(customer) is Synced.CHANGED

    meanwhile[second.pk] = upgrade
    assert told(run()) == (
        "Of 2 customers: 1 changed, 0 unchanged, 0 not mapped, 0 with nothing to learn, 1 overtaken, 0 failed, "
        "0 not tried."
    )
    assert plans() == ["growth", "enterprise"]
    second.refresh_from_db()
    assert (second.plan_id, second.plan_asked, second.plan_stored) == ("plan_enterprise", 2, 2)


def test_an_event_that_asked_before_does_not_win(fake: FakeAlguna) -> None:
    """It took its number before the run did, and is late."""
    (row,) = add(fake, plan_id="plan_growth")
    number = plan_sync.next_sequence(row)
    run()
    late = FetchedPlan(plan="enterprise", plan_id="plan_enterprise")
    assert plan_sync.store_plan(row, late, sequence=number) is Synced.OVERTAKEN
    assert plans() == ["growth"]


def test_customers_deleted_meanwhile_are_failures_of_their_rows(
    fake: FakeAlguna, meanwhile: dict[int, Callable[[Customer], object]]
) -> None:
    """Before Alguna was asked, or while it was; the others are synced."""
    rows = add(fake, 40, plan_id="plan_growth")
    meanwhile[rows[0].pk] = lambda _: Customer.objects.filter(pk__in=(rows[0].pk, rows[39].pk)).delete()
    said, status = run("--workers", "1")
    assert "38 changed, 0 unchanged, 0 not mapped, 0 with nothing to learn, 0 overtaken, 2 failed, 0 not tried" in said
    assert f"     1  The customer was deleted here before Alguna was asked. (pk {rows[39].pk})\n" in said
    assert "     1  CustomerMismatch: The customer was deleted here while Alguna was asked. (pk" in said
    assert status == 1


def test_whom_an_event_synced_meanwhile_is_not_asked_about(
    fake: FakeAlguna,
    meanwhile: dict[int, Callable[[Customer], object]],
    monkeypatch: pytest.MonkeyPatch,
    asked: list[int],
) -> None:
    """It left the result before it was read."""
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 1)
    rows = add(fake, 20)
    meanwhile[rows[0].pk] = lambda _: Customer.objects.filter(pk=rows[19].pk).update(plan_synced_at=timezone.now())
    assert "19 unchanged, 0 not mapped, 0 with nothing to learn, 0 overtaken, 0 failed, 1 not tried" in told(
        run("--workers", "1")
    )
    assert rows[19].pk not in asked


@pytest.mark.parametrize("name", ["next_sequence", "store_plan"])
def test_a_lock_in_the_database_is_the_failure_of_its_row(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whether the number cannot be had, or the plan cannot be stored."""
    rows = add(fake, 3, plan_id="plan_growth")
    real = getattr(plan_sync, name)

    def locked(customer: Customer, *rest: Any, **more: Any) -> Any:
        if customer.pk == rows[1].pk:
            raise OperationalError("database is locked")
        return real(customer, *rest, **more)

    monkeypatch.setattr(plan_sync, name, locked)
    said, status = run()
    assert (status, plans()) == (1, ["growth", "starter", "growth"])
    assert f"     1  The database would not store it (OperationalError). (pk {rows[1].pk})" in said


def test_what_nobody_expects_of_a_number_ends_the_run(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    """What was asked by then is stored before."""
    rows = add(fake, 40, plan_id="plan_growth")
    take = plan_sync.next_sequence

    def broken(customer: Customer) -> int:
        if customer.pk == rows[5].pk:
            raise DatabaseError("disk")
        return take(customer)

    monkeypatch.setattr(plan_sync, "next_sequence", broken)
    with pytest.raises(DatabaseError, match="disk"):
        run("--workers", "1")
    assert 3 <= len(asked) <= 5
    assert plans() == ["growth"] * len(asked) + ["starter"] * (40 - len(asked))


def test_passing_failures_are_survived(fake: FakeAlguna) -> None:
    """As of provisioning, whose loop it is."""
    add(fake, 5, plan_id="plan_growth")
    fake.fail(503)
    fake.fail(429, retry_after=0)
    assert told(run("--workers", "2")) == f"Of 5 customers: 5 changed, 0 unchanged, 0 not mapped, {QUIET}."


def test_an_outage_ends_the_run(fake: FakeAlguna) -> None:
    """With how to go on."""
    add(fake, 9)
    fake.fail(503, times=1000, detail="Closed.")
    said, status = run("--workers", "1")
    assert "0 changed, 0 unchanged, 0 not mapped, 0 with nothing to learn, 0 overtaken, 1 failed, 8 not tried." in said
    assert said.endswith("Try again later. Run it again with --stale 11, and it goes on where it stopped.")
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
def test_an_interrupted_run_says_how_to_go_on(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], minutes: int, again: str
) -> None:
    """Without those that are done, though some minutes pass before it is begun again."""
    add(fake, 2)

    def interrupted(_run: object, rows: Any, summary: Summary) -> None:
        next(rows)
        travel.shift(timedelta(minutes=minutes, seconds=1))
        summary.interrupted = True
        if said == "Left at once.":
            raise KeyboardInterrupt

    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", interrupted)
    for said in ("Interrupted.", "Left at once."):
        with time_machine.travel(timezone.now(), tick=False) as travel:
            found, status = run(*args)
        assert found.splitlines()[-1] == f"{said} {again}"
        assert status == 130


def test_rows_and_queries_are_few(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """A count, batches of both kinds; for each row its number, within a savepoint, and what was learned."""
    monkeypatch.setattr(alguna_sync, "BATCH_SIZE", 3)
    rows = add(fake, 6)
    Customer.objects.filter(pk__gt=rows[2].pk).update(plan_synced_at=timezone.now() - timedelta(days=1))
    with django_assert_num_queries(1 + 2 + 1 + 6 * (4 + 2)):
        run()


def test_a_log_says_how_far_it_is_and_nobody_s_data(fake: FakeAlguna) -> None:
    """On the error stream; with `--verbosity 0`, nothing."""
    add(fake, 2, plan_id="plan_growth", name="Acme", email="billing@acme.example")
    log = StringIO()
    assert run("--verbosity", "0", stderr=log) == ("", 0)
    assert log.getvalue() == ""
    said, _status = run("--stale", "5", stderr=log)
    assert said.startswith("There is nothing to do")
    said, _status = run(stderr=log)
    assert log.getvalue().startswith("2 of 2 customers, 0 failed, ")
    for secret in ("Acme", "acme.example", "alias-", "fake."):
        assert secret not in said + log.getvalue()


def test_time_spent_waiting_for_a_turn_is_nobodys(
    fake: FakeAlguna, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause longer than the budget of a row's calls, they have all their time; it was no second outage."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 0.5
    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.FIRST_PAUSE", 0.8)
    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.LONGEST_PAUSE", 0.8)
    add(fake, 2, plan_id="plan_growth", customer_id=None)
    fake.fail(503)
    asked_so_far = len(fake.requests)
    assert told(run("--workers", "1")) == f"Of 2 customers: 2 changed, 0 unchanged, 0 not mapped, {QUIET}."
    assert len(fake.requests) - asked_so_far == 5
