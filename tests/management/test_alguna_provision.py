"""`manage.py alguna_provision`, with the fake of Alguna, inside the tests' own transaction."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import requests
from django.db import DatabaseError, OperationalError
from django.dispatch import Signal
from pytest_django import Settings

from alguna_portal.bulk.summary import Summary
from alguna_portal.customers import provisioning as customers
from alguna_portal.exceptions import CustomerMismatch
from alguna_portal.management.commands import alguna_provision
from alguna_portal.models import Customer
from alguna_portal.signals import customer_provisioned
from alguna_portal.testing import FakeAlguna, fake_alguna
from tests.support import commands

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("short_pauses")]


@pytest.fixture
def fake() -> Iterator[FakeAlguna]:
    """An Alguna that knows nobody."""
    with fake_alguna(knows_everyone=False) as fake:
        yield fake


def add(number: int, **fields: Any) -> list[Customer]:
    """Add so many customers that Alguna has no id of."""
    values = {"name": "Acme", "currency": "EUR", "email": "billing@acme.example", "plan": "starter"} | fields
    start = Customer.objects.count()
    rows = [Customer(alias=f"alias-{start + each}", **values) for each in range(number)]
    return Customer.objects.bulk_create(rows)


def run(*args: str, **options: Any) -> tuple[str, int]:
    """Provision very fast; return what was said, last why it failed, and the exit status."""
    return commands.run("alguna_provision", *args, **options)


def waiting() -> int:
    """Count the customers without an id."""
    return Customer.objects.filter(customer_id=None).count()


def asked(fake: FakeAlguna) -> list[str]:
    """Say what was asked, in order."""
    return [f"{request.method} {request.path}" for request in fake.requests]


def test_customers_are_created_or_adopted_and_their_ids_stored(fake: FakeAlguna) -> None:
    """Each once, and the summary says how many."""
    rows = add(12)
    known = fake.add_customer(rows[3].alias)
    said, status = run()
    assert said == "Of 12 customers: 11 created, 1 adopted, 0 already there, 0 failed, 0 not tried.\n"
    assert status == 0
    assert waiting() == 0
    rows[3].refresh_from_db()
    assert rows[3].customer_id == known
    assert asked(fake).count("POST /customers") == 11
    assert asked(fake).count("GET /customers/lookup") == 12


def test_what_is_done_is_not_done_again(fake: FakeAlguna) -> None:
    """A second run asks for nothing."""
    add(2)
    run()
    fake.requests.clear()
    assert run() == ("There is nothing to do: there are no customers without an id.\n", 0)
    assert not fake.requests


def test_rows_are_read_in_batches_each_once(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though those that are done leave the result, and those that failed stay in it."""
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 3)
    add(4)
    add(2, currency="")
    add(4)
    said, _ = run()
    assert said.startswith("Of 10 customers: 8 created, 0 adopted, 0 already there, 2 failed, 0 not tried.")
    assert asked(fake).count("POST /customers") == 8
    assert waiting() == 2


def test_a_batch_is_one_query_and_a_row_two_more(
    fake: FakeAlguna, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count, two batches, and for each row its alias, once more, and its save within a savepoint."""
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 3)
    add(6)
    with django_assert_num_queries(1 + 2 + 6 * 4):
        run()


def test_only_a_plan_and_only_so_many(fake: FakeAlguna) -> None:
    """The rest is left for later."""
    add(3)
    others = add(3, plan="old")
    assert run("--plan", "old", "--limit", "2") == (
        "Of 2 customers: 2 created, 0 adopted, 0 already there, 0 failed, 0 not tried.\n",
        0,
    )
    assert waiting() == 4
    assert Customer.objects.filter(pk=others[2].pk, customer_id=None).exists()
    assert "Of 3 customers: 3 created" in run("--plan", "starter", "--limit", "10")[0]
    assert run("--plan", "growth")[0].startswith("There is nothing to do")


def test_a_plan_that_nobody_knows_is_refused(fake: FakeAlguna, settings: Settings) -> None:
    """With those that are configured or in use."""
    add(1, plan="old")
    assert run("--plan", "satrter") == (
        "There is no plan “satrter”. Those known are: enterprise, growth, old, starter.",
        1,
    )
    Customer.objects.all().delete()
    settings.ALGUNA_PORTAL_PLANS = {}
    assert run("--plan", "starter")[0] == "There is no plan “starter”. None is known."


@pytest.mark.parametrize("option", ["--limit", "--rate", "--workers"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_numbers_are_at_least_one(option: str, value: str) -> None:
    """The option is named."""
    said, status = run(f"{option}={value}")
    assert said == f"Error: argument {option}: a whole number from 1 on is needed."
    assert status == 1


def test_a_dry_run_only_validates(fake: FakeAlguna, settings: Settings) -> None:
    """Without a key, a request or a write; it fails if somebody would be refused."""
    settings.ALGUNA_PORTAL_API_KEY = ""
    add(3)
    log = StringIO()
    assert run("--dry-run", stderr=log) == ("Of 3 customers: 3 would be provisioned, 0 would be refused.\n", 0)
    assert log.getvalue().startswith("3 of 3 customers, 0 failed")
    wrong = add(1, currency="XXY")[0]
    said, status = run("--dry-run")
    assert said.splitlines() == [
        "Of 4 customers: 3 would be provisioned, 1 would be refused.",
        f"     1  currency: A currency is a code of three capital letters from ISO 4217: USD, EUR. (pk {wrong.pk})",
        "1 of 4 customers would be refused.",
    ]
    assert status == 1
    assert not fake.requests
    assert waiting() == 4


def test_without_a_key_nothing_is_begun(fake: FakeAlguna, settings: Settings) -> None:
    """Not even where there is nothing to do; the remedy is named."""
    settings.ALGUNA_PORTAL_API_KEY = ""
    said, status = run()
    assert said.startswith("ALGUNA_PORTAL_API_KEY is not set.")
    assert status == 1


def test_data_that_alguna_would_not_accept_is_not_sent(fake: FakeAlguna) -> None:
    """It is counted by field and reason, with keys and without anybody's data."""
    add(7, name="", email="not-an-address")
    add(2)
    log = StringIO()
    said, status = run(stderr=log)
    assert "Of 9 customers: 2 created, 0 adopted, 0 already there, 7 failed, 0 not tried.\n" in said
    assert "     7  email: Enter a valid email address. (pk " in said
    assert "     7  name: Alguna has no customers without one. (pk " in said
    assert said.endswith("7 of 9 customers failed.")
    assert status == 1
    assert asked(fake).count("POST /customers") == 2
    for secret in ("alias-", "not-an-address", "Acme", "acme.example", "fake."):
        assert secret not in said + log.getvalue()


def test_passing_failures_are_survived(fake: FakeAlguna) -> None:
    """Whatever they are, each customer is there in the end, once."""
    add(10)
    # Four, since all of them may fall on one customer, who is tried five times.
    fake.fail(503)
    fake.fail(429, retry_after=0)
    fake.fail(requests.ConnectionError("lost"))
    fake.fail(502, html="<h1>Bad gateway</h1>")
    said, status = run("--workers", "2")
    assert "10 created" in said
    assert status == 0
    assert len(fake._state["customers"]) == 10


def test_the_site_s_breaker_is_left_alone(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many failures of a run do not close Billing, and an open breaker does not stop a run."""
    monkeypatch.setattr(
        "alguna_portal.api.circuit_breaker.CircuitBreaker.before_call", lambda _: pytest.fail("The breaker was asked.")
    )
    add(1)
    assert run()[1] == 0


def test_a_row_that_always_fails_stops_nobody_else(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five tries it is a failure by its reason."""
    rows = add(8)
    establish, tries = customers.get_or_create_remote, []

    def poisoned(customer: Customer, client: Any) -> Any:
        if customer.pk == rows[2].pk:
            tries.append(1)
            fake._failures.clear()
            fake.fail(500, times=1, detail="Oops.")
        return establish(customer, client)

    monkeypatch.setattr(customers, "get_or_create_remote", poisoned)
    said, status = run("--workers", "1")
    assert "Of 8 customers: 7 created, 0 adopted, 0 already there, 1 failed, 0 not tried." in said
    assert f"1  AlgunaUnavailable: Alguna answered 500 (“Oops.”). Try again later. (pk {rows[2].pk})" in said
    assert len(tries) == 5
    assert status == 1


@pytest.mark.parametrize(("answer", "outcome"), [(200, "12 created"), (400, "12 failed, 0 not tried")])
def test_failures_with_an_answer_between_them_are_no_outage(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, answer: int, outcome: str
) -> None:
    """Twelve pauses, and after each of them Alguna is there, if only to refuse."""
    add(12)
    establish, seen = customers.get_or_create_remote, set()

    def stumbling(customer: Customer, client: Any) -> Any:
        if customer.pk not in seen:
            seen.add(customer.pk)
            fake.fail(503)
            if answer != 200:
                fake.fail(answer)
        return establish(customer, client)

    monkeypatch.setattr(customers, "get_or_create_remote", stumbling)
    assert outcome in run("--workers", "1")[0]
    assert len(seen) == 12


def test_an_outage_ends_the_run(fake: FakeAlguna) -> None:
    """With what it was, and what to do; the rows that nobody came to are counted."""
    add(20)
    fake.fail(503, times=1000, detail="Closed.")
    said, status = run("--workers", "1")
    assert "Of 20 customers: 0 created, 0 adopted, 0 already there, 1 failed, 19 not tried." in said
    assert said.endswith(
        "Alguna was left alone 8 times in a row, and still cannot be had. Alguna answered 503 (“Closed.”). "
        "Try again later. Run it again, and it goes on where it stopped."
    )
    assert status == 1
    assert len(fake.requests) == 9
    fake._failures.clear()
    assert "20 created" in run()[0]


def test_a_wait_of_an_hour_is_left_to_people(fake: FakeAlguna) -> None:
    """It is said and not slept."""
    add(3)
    fake.fail(429, retry_after=3600, times=3)
    said, status = run()
    assert "0 failed, 3 not tried" in said
    assert "Alguna asks not to be called for 60 minutes. Alguna answered 429" in said
    assert status == 1


def test_a_wrong_key_ends_the_run_at_once(fake: FakeAlguna, settings: Settings) -> None:
    """It would be the same for everybody."""
    add(50)
    settings.ALGUNA_PORTAL_API_KEY = "another.key"
    said, status = run("--workers", "2")
    assert "0 failed, 50 not tried" in said
    assert "Check ALGUNA_PORTAL_API_KEY" in said.splitlines()[-1]
    assert status == 1
    assert len(fake.requests) <= 2 * 3 + 1


def test_refusals_are_failures_of_their_rows(fake: FakeAlguna) -> None:
    """By the exception's name and text."""
    add(3)
    fake.fail(404, detail="No customer has this alias.")
    fake.fail(400, detail="Rejected.")
    said, status = run("--workers", "1")
    assert "Of 3 customers: 2 created, 0 adopted, 0 already there, 1 failed, 0 not tried." in said
    assert "1  AlgunaRefused: Alguna answered 400 (“Rejected.”). It will not accept this request as it is. (pk" in said
    assert status == 1


def test_a_request_that_runs_for_another_run_is_waited_for(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its row alone: a second later it is there, and nobody else had to wait."""
    rested: list[float] = []

    def rest(_: object, seconds: float) -> None:
        rested.append(seconds)
        fake._state["idempotency"].clear()

    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.RateLimiter.rest", rest)
    monkeypatch.setattr(
        "alguna_portal.bulk.rate_limiter.RateLimiter.pause", lambda *_, **__: pytest.fail("Everybody had to wait.")
    )
    add(1)
    fake.fail(404, detail="No customer has this alias.")
    fake.fail(409, detail="Still running.", retry_after=1)
    assert "1 created" in run()[0]
    assert rested == [1]


def test_a_customer_of_somebody_else_is_not_taken(fake: FakeAlguna) -> None:
    """An id that is another row's is a failure, and the transaction goes on."""
    rows = add(3)
    taken = fake.add_customer(rows[1].alias)
    Customer.objects.create(alias="other", customer_id=taken)
    said, status = run()
    assert "2 created, 0 adopted, 0 already there, 1 failed" in said
    assert "CustomerMismatch" in said
    assert status == 1
    assert waiting() == 1


@pytest.fixture
def provisioned() -> Iterator[Signal]:
    """The signal, whose receivers go with the test."""
    before = list(customer_provisioned.receivers)
    yield customer_provisioned
    customer_provisioned.receivers = before
    customer_provisioned.sender_receivers_cache.clear()


def test_what_was_stored_or_deleted_meanwhile_is_counted_as_that(fake: FakeAlguna, provisioned: Signal) -> None:
    """By a click or another run, after the row was read."""
    rows = add(3)
    known = fake.add_customer(rows[1].alias)

    def meddle(customer: Customer, created: bool, **_: Any) -> None:
        Customer.objects.filter(pk=rows[1].pk).update(customer_id=known)
        Customer.objects.filter(pk=rows[2].pk).delete()
        assert created

    provisioned.connect(meddle, weak=False)
    said, _ = run("--workers", "1")
    assert "1 created, 0 adopted, 1 already there, 1 failed" in said
    assert "CustomerMismatch: The customer was deleted here while Alguna was asked." in said


def test_what_nobody_expects_is_raised_after_what_was_under_way(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that fails for one row: the others are stored, no more are begun, and the first fault is told."""
    rows = add(200)
    store = customers.store_customer_id

    def broken(customer: Customer, *found: Any) -> Any:
        if customer.pk in (rows[0].pk, rows[1].pk):
            raise DatabaseError(f"disk {customer.pk - rows[0].pk}")
        return store(customer, *found)

    monkeypatch.setattr(customers, "store_customer_id", broken)
    with pytest.raises(DatabaseError, match="disk 0"):
        run("--workers", "1")
    created = sum(request.method == "POST" for request in fake.requests)
    assert 2 <= created < 20
    assert waiting() == 200 - (created - 2)


def test_a_lock_in_the_database_is_the_failure_of_its_row(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy site locks rows now and then; the next run finds this one as it is."""
    rows = add(3)
    store = customers.store_customer_id

    def locked(customer: Customer, *found: Any) -> Any:
        if customer.pk == rows[1].pk:
            raise OperationalError("database is locked")
        return store(customer, *found)

    monkeypatch.setattr(customers, "store_customer_id", locked)
    said, status = run()
    assert (status, waiting()) == (1, 1)
    assert "2 created" in said
    assert f"The database would not store it (OperationalError). (pk {rows[1].pk})" in said


def test_answers_that_make_no_sense_end_the_run(fake: FakeAlguna) -> None:
    """Somebody else stands at the address; twenty customers are enough to see that."""
    add(60)
    fake.fail(200, html="<h1>Welcome</h1>", times=200)
    said, status = run("--workers", "1")
    assert status == 1
    assert "20 answers in a row made no sense." in said
    assert "Does ALGUNA_PORTAL_API_URL lead to its API" in said
    assert waiting() == 60
    assert len(fake.requests) < 30


def test_strangers_do_not_end_the_run(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is the matter of its own customer, and Alguna has answered."""

    def stranger(*_: Any) -> Any:
        raise CustomerMismatch("Somebody else.")

    monkeypatch.setattr(customers, "get_or_create_remote", stranger)
    add(25)
    said, status = run()
    assert status == 1
    assert "25 failed, 0 not tried" in said


def test_the_second_ctrl_c_is_an_exit_status(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no traceback."""

    def leave(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", leave)
    add(1)
    assert run() == ("Left at once. Run it again, and it goes on where it stopped.", 130)


def test_an_interrupted_run_says_so(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its summary, whatever else there was to say."""
    add(2)

    def interrupted(_run: object, _rows: object, summary: Summary) -> None:
        summary.interrupted, summary.stopped = True, "Alguna could not be had."
        summary.outcomes["created"] += 1

    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", interrupted)
    said, status = run()
    assert said.splitlines() == [
        "Of 2 customers: 1 created, 0 adopted, 0 already there, 0 failed, 1 not tried.",
        "Interrupted. Run it again, and it goes on where it stopped.",
    ]
    assert status == 130


def test_rows_that_are_gone_before_they_are_read_are_not_waited_for(
    fake: FakeAlguna, provisioned: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were counted at the start, and stay untried."""
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 1)
    last = add(20)[-1]
    provisioned.connect(lambda **_: Customer.objects.filter(pk=last.pk).delete(), weak=False)
    assert "19 created, 0 adopted, 0 already there, 0 failed, 1 not tried" in run("--workers", "1")[0]


def test_quiet_means_quiet(fake: FakeAlguna) -> None:
    """With `--verbosity 0`, only failures are heard."""
    add(1)
    log = StringIO()
    assert run(verbosity=0, stderr=log) == ("", 0)
    add(1, name="")
    assert run(verbosity=0, stderr=log) == ("1 of 1 customers failed.", 1)
    assert not log.getvalue()


def test_a_log_gets_a_last_line(fake: FakeAlguna) -> None:
    """On the error stream, so that the summary stands alone."""
    add(2)
    log = StringIO()
    run(stderr=log)
    assert log.getvalue().startswith("2 of 2 customers, 0 failed, ")
