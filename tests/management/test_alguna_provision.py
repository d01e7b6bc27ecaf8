"""`manage.py alguna_provision`, with the fake of Alguna."""

from collections.abc import Iterator
from functools import partial
from io import StringIO
from typing import Any
from unittest.mock import Mock

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
from tests.support.commands import raise_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("short_rate_limiter_pauses")]

run = partial(commands.run_command, "alguna_provision")


@pytest.fixture
def fake() -> Iterator[FakeAlguna]:
    """Alguna without customers."""
    with fake_alguna(knows_everyone=False) as fake:
        yield fake


def create_customers(number: int, **fields: Any) -> list[Customer]:
    """Create so many customers without an id."""
    values = {"name": "Acme", "currency": "EUR", "email": "billing@acme.example", "plan": "starter"} | fields
    start = Customer.objects.count()
    rows = [Customer(alias=f"alias-{start + each}", **values) for each in range(number)]
    return Customer.objects.bulk_create(rows)


def count_without_id() -> int:
    return Customer.objects.filter(customer_id=None).count()


def get_requests(fake: FakeAlguna) -> list[str]:
    return [f"{request.method} {request.path}" for request in fake.requests]


def test_customers_are_created_or_adopted_and_their_ids_stored(fake: FakeAlguna) -> None:
    rows = create_customers(12)
    known = fake.add_customer(rows[3].alias)
    output, status = run()
    assert output == "Of 12 customers: 11 created, 1 adopted, 0 already there, 0 failed, 0 not tried.\n"
    assert status == 0
    assert count_without_id() == 0
    rows[3].refresh_from_db()
    assert rows[3].customer_id == known
    assert get_requests(fake).count("POST /customers") == 11
    assert get_requests(fake).count("GET /customers/lookup") == 12


def test_a_second_run_makes_no_call(fake: FakeAlguna) -> None:
    create_customers(2)
    run()
    fake.requests.clear()
    assert run() == ("There is nothing to do: there are no customers without an id.\n", 0)
    assert not fake.requests


def test_each_row_is_read_once_in_batches(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    """Successful rows leave the queryset, and failed rows stay in it."""
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 3)
    create_customers(4)
    create_customers(2, currency="")
    create_customers(4)
    output, _ = run()
    assert output.startswith("Of 10 customers: 8 created, 0 adopted, 0 already there, 2 failed, 0 not tried.")
    assert get_requests(fake).count("POST /customers") == 8
    assert count_without_id() == 2


def test_number_of_queries(fake: FakeAlguna, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count, two batches, and for each row two reads and an update within a savepoint."""
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 3)
    create_customers(6)
    with django_assert_num_queries(1 + 2 + 6 * 4):
        run()


def test_plan_and_limit(fake: FakeAlguna) -> None:
    create_customers(3)
    others = create_customers(3, plan="old")
    assert run("--plan", "old", "--limit", "2") == (
        "Of 2 customers: 2 created, 0 adopted, 0 already there, 0 failed, 0 not tried.\n",
        0,
    )
    assert count_without_id() == 4
    assert Customer.objects.filter(pk=others[2].pk, customer_id=None).exists()
    assert "Of 3 customers: 3 created" in run("--plan", "starter", "--limit", "10")[0]
    assert run("--plan", "growth")[0].startswith("There is nothing to do")
    assert "Of 1 customers: 1 created" in run("--limit", "9" * 30)[0], "A limit that no database accepts is no limit."


def test_an_unknown_plan_is_an_error(fake: FakeAlguna, settings: Settings) -> None:
    create_customers(1, plan="old")
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
    assert run(f"{option}={value}") == (f"Error: argument {option}: a whole number from 1 on is needed.", 1)


def test_a_dry_run_only_validates_and_needs_no_api_key(fake: FakeAlguna, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    create_customers(3)
    log = StringIO()
    assert run("--dry-run", stderr=log) == ("Of 3 customers: 3 would be provisioned, 0 would be refused.\n", 0)
    assert log.getvalue().startswith("3 of 3 customers, 0 failed")
    wrong = create_customers(1, currency="XXY")[0]
    output, status = run("--dry-run")
    assert output.splitlines() == [
        "Of 4 customers: 3 would be provisioned, 1 would be refused.",
        f"     1  currency: A currency is a code of three capital letters from ISO 4217: USD, EUR. (pk {wrong.pk})",
        "1 of 4 customers would be refused.",
    ]
    assert status == 1
    assert not fake.requests
    assert count_without_id() == 4


def test_without_an_api_key_the_command_fails(fake: FakeAlguna, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    output, status = run()
    assert output.startswith("ALGUNA_PORTAL_API_KEY is not set.")
    assert status == 1


def test_invalid_customers_are_not_sent(fake: FakeAlguna) -> None:
    """They're counted by field and reason, without personal data."""
    create_customers(7, name="", email="not-an-address")
    create_customers(2)
    log = StringIO()
    output, status = run(stderr=log)
    assert "Of 9 customers: 2 created, 0 adopted, 0 already there, 7 failed, 0 not tried.\n" in output
    assert "     7  email: Enter a valid email address. (pk " in output
    assert "     7  name: Alguna has no customers without one. (pk " in output
    assert output.endswith("7 of 9 customers failed.")
    assert status == 1
    assert get_requests(fake).count("POST /customers") == 2
    for secret in ("alias-", "not-an-address", "Acme", "acme.example", "fake."):
        assert secret not in output + log.getvalue()


def test_temporary_failures_are_retried(fake: FakeAlguna) -> None:
    create_customers(10)
    # Four, because all of them may affect one customer, which is tried five times.
    fake.fail(503)
    fake.fail(429, retry_after=0)
    fake.fail(requests.ConnectionError("lost"))
    fake.fail(502, html="<h1>Bad gateway</h1>")
    output, status = run("--workers", "2")
    assert "10 created" in output
    assert status == 0
    assert len(fake._state["customers"]) == 10


def test_the_circuit_breaker_is_not_used(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "alguna_portal.api.circuit_breaker.CircuitBreaker.before_call",
        lambda _: pytest.fail("The circuit breaker was used."),
    )
    create_customers(1)
    assert run()[1] == 0


def test_a_row_fails_after_five_tries(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = create_customers(8)
    get_or_create, tries = customers.get_or_create_remote, []

    def fail_for_one(customer: Customer, client: Any) -> Any:
        if customer.pk == rows[2].pk:
            tries.append(1)
            fake._failures.clear()
            fake.fail(500, times=1, detail="Oops.")
        return get_or_create(customer, client)

    monkeypatch.setattr(customers, "get_or_create_remote", fail_for_one)
    output, status = run("--workers", "1")
    assert "Of 8 customers: 7 created, 0 adopted, 0 already there, 1 failed, 0 not tried." in output
    assert f"1  AlgunaUnavailable: Alguna answered 500 (“Oops.”). Try again later. (pk {rows[2].pk})" in output
    assert len(tries) == 5
    assert status == 1


@pytest.mark.parametrize(("answer", "outcome"), [(200, "12 created"), (400, "12 failed, 0 not tried")])
def test_failures_between_valid_responses_are_no_outage(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, answer: int, outcome: str
) -> None:
    create_customers(12)
    get_or_create, seen = customers.get_or_create_remote, set()

    def fail_first(customer: Customer, client: Any) -> Any:
        if customer.pk not in seen:
            seen.add(customer.pk)
            fake.fail(503)
            if answer != 200:
                fake.fail(answer)
        return get_or_create(customer, client)

    monkeypatch.setattr(customers, "get_or_create_remote", fail_first)
    assert outcome in run("--workers", "1")[0]
    assert len(seen) == 12


def test_an_outage_stops_the_command(fake: FakeAlguna) -> None:
    create_customers(20)
    fake.fail(503, times=1000, detail="Closed.")
    output, status = run("--workers", "1")
    assert "Of 20 customers: 0 created, 0 adopted, 0 already there, 1 failed, 19 not tried." in output
    assert output.endswith(
        "Alguna was left alone 8 times in a row, and still cannot be had. Alguna answered 503 (“Closed.”). "
        "Try again later. Run it again, and it goes on where it stopped."
    )
    assert status == 1
    assert len(fake.requests) == 9
    fake._failures.clear()
    assert "20 created" in run()[0]


@pytest.mark.parametrize(
    ("status", "response", "messages", "most_requests"),
    [
        (
            429,
            {"retry_after": 3600},
            ["Alguna asks not to be called for 60 minutes. Alguna answered 429", " 0 failed, 60 not tried"],
            1,
        ),
        (
            200,
            {"html": "<h1>Welcome</h1>"},
            ["20 answers in a row made no sense.", "Does ALGUNA_PORTAL_API_URL lead to its API"],
            29,
        ),
    ],
)
def test_responses_that_stop_the_command(
    fake: FakeAlguna, status: int, response: dict[str, Any], messages: list[str], most_requests: int
) -> None:
    create_customers(60)
    fake.fail(status, **response, times=200)
    output, exit_status = run("--workers", "1")
    assert [text for text in messages if text not in output] == []
    assert exit_status == 1
    assert count_without_id() == 60
    assert len(fake.requests) <= most_requests


def test_a_wrong_api_key_stops_the_command(fake: FakeAlguna, settings: Settings) -> None:
    create_customers(50)
    settings.ALGUNA_PORTAL_API_KEY = "another.key"
    output, status = run("--workers", "2")
    assert "0 failed, 50 not tried" in output
    assert "Check ALGUNA_PORTAL_API_KEY" in output.splitlines()[-1]
    assert status == 1
    assert len(fake.requests) <= 2 * 3 + 1


def test_refusals_are_failures_of_their_rows(fake: FakeAlguna) -> None:
    create_customers(3)
    fake.fail(404, detail="No customer has this alias.")
    fake.fail(400, detail="Rejected.")
    output, status = run("--workers", "1")
    assert "Of 3 customers: 2 created, 0 adopted, 0 already there, 1 failed, 0 not tried." in output
    assert (
        "1  AlgunaRefused: Alguna answered 400 (“Rejected.”). It will not accept this request as it is. (pk" in output
    )
    assert status == 1


def test_a_request_that_is_still_running_delays_only_its_row(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[float] = []

    def rest(_: object, seconds: float) -> None:
        rested.append(seconds)
        fake._state["idempotency"].clear()

    monkeypatch.setattr("alguna_portal.bulk.rate_limiter.RateLimiter.rest", rest)
    monkeypatch.setattr(
        "alguna_portal.bulk.rate_limiter.RateLimiter.pause", lambda *_, **__: pytest.fail("All threads paused.")
    )
    create_customers(1)
    fake.fail(404, detail="No customer has this alias.")
    fake.fail(409, detail="Still running.", retry_after=1)
    assert "1 created" in run()[0]
    assert rested == [1]


def test_an_id_of_another_row_is_a_failure(fake: FakeAlguna) -> None:
    rows = create_customers(3)
    taken = fake.add_customer(rows[1].alias)
    Customer.objects.create(alias="other", customer_id=taken)
    output, status = run()
    assert "2 created, 0 adopted, 0 already there, 1 failed" in output
    assert "CustomerMismatch" in output
    assert status == 1
    assert count_without_id() == 1


@pytest.fixture
def provisioned() -> Iterator[Signal]:
    """The signal; its receivers are removed after the test."""
    before = list(customer_provisioned.receivers)
    yield customer_provisioned
    customer_provisioned.receivers = before
    customer_provisioned.sender_receivers_cache.clear()


def test_rows_stored_or_deleted_meanwhile(fake: FakeAlguna, provisioned: Signal) -> None:
    rows = create_customers(3)
    known = fake.add_customer(rows[1].alias)

    def meddle(customer: Customer, created: bool, **_: Any) -> None:
        Customer.objects.filter(pk=rows[1].pk).update(customer_id=known)
        Customer.objects.filter(pk=rows[2].pk).delete()
        assert created

    provisioned.connect(meddle, weak=False)
    output, _ = run("--workers", "1")
    assert "1 created, 0 adopted, 1 already there, 1 failed" in output
    assert "CustomerMismatch: The customer was deleted here while Alguna was asked." in output


def test_an_unexpected_exception_is_raised_after_rows_in_progress_are_stored(
    fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = create_customers(200)
    errors = {row.pk: DatabaseError(f"disk {number}") for number, row in enumerate(rows[:2])}
    raise_for(monkeypatch, customers, "store_customer_id", errors)
    with pytest.raises(DatabaseError, match="disk 0"):
        run("--workers", "1")
    created = sum(request.method == "POST" for request in fake.requests)
    assert 2 <= created < 20
    assert count_without_id() == 200 - (created - 2)


def test_a_database_lock_is_a_failure_of_its_row(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = create_customers(3)
    raise_for(monkeypatch, customers, "store_customer_id", {rows[1].pk: OperationalError("database is locked")})
    output, status = run()
    assert (status, count_without_id()) == (1, 1)
    assert "2 created" in output
    assert f"The database would not store it (OperationalError). (pk {rows[1].pk})" in output


def test_mismatches_do_not_stop_the_command(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    mismatch = CustomerMismatch("Somebody else.")
    raise_for(monkeypatch, customers, "get_or_create_remote", {row.pk: mismatch for row in create_customers(25)})
    output, status = run()
    assert status == 1
    assert "25 failed, 0 not tried" in output


def test_the_second_ctrl_c_has_an_exit_status(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", Mock(side_effect=KeyboardInterrupt))
    create_customers(1)
    assert run() == ("Left at once. Run it again, and it goes on where it stopped.", 130)


def test_an_interrupted_run_is_reported(fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch) -> None:
    create_customers(2)

    def interrupted(_run: object, _rows: object, summary: Summary) -> None:
        summary.interrupted, summary.stopped = True, "Alguna could not be had."
        summary.outcomes["created"] += 1

    monkeypatch.setattr("alguna_portal.bulk.runner.BulkRunner.run", interrupted)
    output, status = run()
    assert output.splitlines() == [
        "Of 2 customers: 1 created, 0 adopted, 0 already there, 0 failed, 1 not tried.",
        "Interrupted. Run it again, and it goes on where it stopped.",
    ]
    assert status == 130


def test_rows_deleted_before_they_are_read_stay_untried(
    fake: FakeAlguna, provisioned: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alguna_provision, "BATCH_SIZE", 1)
    last = create_customers(20)[-1]
    provisioned.connect(lambda **_: Customer.objects.filter(pk=last.pk).delete(), weak=False)
    assert "19 created, 0 adopted, 0 already there, 0 failed, 1 not tried" in run("--workers", "1")[0]


def test_verbosity_0(fake: FakeAlguna) -> None:
    create_customers(1)
    log = StringIO()
    assert run(verbosity=0, stderr=log) == ("", 0)
    create_customers(1, name="")
    assert run(verbosity=0, stderr=log) == ("1 of 1 customers failed.", 1)
    assert not log.getvalue()


def test_the_progress_goes_to_stderr(fake: FakeAlguna) -> None:
    create_customers(2)
    log = StringIO()
    run(stderr=log)
    assert log.getvalue().startswith("2 of 2 customers, 0 failed, ")
