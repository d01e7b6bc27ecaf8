"""`manage.py alguna_prune` deletes old records and nothing else."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import Model
from pytest_django import DjangoAssertNumQueries

from alguna_portal.management.commands import alguna_prune
from alguna_portal.models import Customer, PortalAccess, PortalLink, WebhookDelivery

NOW = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def quote(model: type[Model], *column: str) -> str:
    """Quote the name of a table, or of its column."""
    return ".".join(map(connection.ops.quote_name, (model._meta.db_table, *column)))


def create_access(age: timedelta) -> PortalAccess:
    return PortalAccess.objects.create(at=NOW - age, via="view", outcome="opened")


def create_link(age: timedelta, **fields: Any) -> PortalLink:
    """Create a link that could be renewed until `age` ago."""
    customer, _created = Customer.objects.get_or_create(alias="acme-1")
    dates = {"expires_at": NOW - age, "renewable_until": NOW - age}
    return PortalLink.objects.create(
        customer=customer, recipient="b@acme.example", role="viewer", **{**dates, **fields}
    )


def create_delivery(age: timedelta, state: str = "handled") -> WebhookDelivery:
    number = WebhookDelivery.objects.count()
    return WebhookDelivery.objects.create(
        message_id=f"msg_{number}", type="invoice.paid", sent_at=NOW, received_at=NOW - age, state=state
    )


def prune(*arguments: str) -> str:
    """Run the command; return its output."""
    output = StringIO()
    call_command("alguna_prune", *arguments, stdout=output)
    return output.getvalue()


def test_older_rows_are_deleted(db: None) -> None:
    """Rows of exactly that age stay."""
    kept = [create_access(timedelta()), create_access(timedelta(days=30))]
    create_access(timedelta(days=30, seconds=1))
    create_access(timedelta(days=400))
    assert prune("--days", "30").splitlines()[0] == "2 portal accesses older than 30 days: deleted."
    assert sorted(PortalAccess.objects.values_list("pk", flat=True)) == [each.pk for each in kept]


def test_a_dry_run_deletes_nothing(db: None) -> None:
    create_access(timedelta(days=2))
    create_link(timedelta(days=2))
    create_delivery(timedelta(days=2))
    assert prune("--days=1", "--dry-run").splitlines() == [
        "1 portal access older than 1 day: would be deleted.",
        "1 portal link older than 1 day: would be deleted.",
        "1 webhook delivery older than 1 day: would be deleted.",
    ]
    assert [model.objects.count() for model in (PortalAccess, PortalLink, WebhookDelivery)] == [1, 1, 1]


def test_nothing_to_delete(db: None) -> None:
    assert prune("--days", "30").splitlines() == [
        "0 portal accesses older than 30 days: deleted.",
        "0 portal links older than 30 days: deleted.",
        "0 webhook deliveries older than 30 days: deleted.",
    ]


def test_links_that_can_be_renewed_stay(db: None) -> None:
    long_ago = NOW - timedelta(days=400)
    kept = [create_link(timedelta(days=-1), expires_at=long_ago, revoked_at=long_ago), create_link(timedelta(days=30))]
    first = create_link(timedelta(days=30, seconds=1))
    create_link(timedelta(days=30, seconds=1), renews=first)
    assert prune("--days", "30").splitlines()[1] == "2 portal links older than 30 days: deleted."
    assert sorted(PortalLink.objects.values_list("pk", flat=True)) == [each.pk for each in kept]
    assert Customer.objects.count() == 1


def test_webhook_deliveries_are_deleted_by_the_time_of_receipt(db: None) -> None:
    kept = [create_delivery(timedelta(days=30)), create_delivery(timedelta(), state="failed")]
    create_delivery(timedelta(days=30, seconds=1))
    create_delivery(timedelta(days=31), state="failed")
    assert prune("--days", "30").splitlines()[2] == "2 webhook deliveries older than 30 days: deleted."
    assert sorted(WebhookDelivery.objects.values_list("pk", flat=True)) == [each.pk for each in kept]


def test_the_help_lists_what_is_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        alguna_prune.Command().run_from_argv(["manage.py", "alguna_prune", "--help"])
    output = " ".join(capsys.readouterr().out.split())
    assert "portal accesses that are older than a number of days, mailed links" in output
    assert "recipients' addresses" in output
    assert "webhook deliveries that came before, handled or not" in output


def test_rows_are_deleted_in_batches_the_oldest_first(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(alguna_prune, "BATCH_SIZE", 2)
    for days in (10, 14, 12, 11, 13):
        create_access(timedelta(days=days))
    with django_assert_num_queries(9) as queries:
        assert prune("--days", "1").startswith("5 portal accesses")
    first_read = queries.captured_queries[0]["sql"]
    assert f"ORDER BY {quote(PortalAccess, 'at')} ASC" in first_read
    assert "LIMIT 2" in first_read
    assert [query["sql"].partition(" ")[0] for query in queries.captured_queries] == ["SELECT", "DELETE"] * 3 + [
        "SELECT",
        "SELECT",
        "SELECT",
    ]
    assert f"ORDER BY {quote(PortalLink, 'renewable_until')} ASC" in queries.captured_queries[7]["sql"]
    assert f"ORDER BY {quote(WebhookDelivery, 'received_at')} ASC" in queries.captured_queries[8]["sql"]
    assert not PortalAccess.objects.exists()


def test_rows_that_another_process_has_deleted_end_the_command(db: None) -> None:
    """In a long transaction, they're still read."""
    for days in (2, 3):
        create_access(timedelta(days=days))
    statements: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        assert len(statements) < 20
        return execute(f"{sql} AND 1 = 0" if sql.startswith("DELETE") else sql, *rest)

    with connection.execute_wrapper(count):
        assert prune("--days", "1").startswith("0 portal accesses")
    assert len([sql for sql in statements if f"FROM {quote(PortalAccess)}" in sql]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --days"),
        (["--days", "x"], "invalid int value: 'x'"),
        (["--days", "0"], "--days is at least 1"),
        (["--days=-3"], "--days is at least 1"),
        (["--days", "999999"], "before the beginning of the calendar"),
        (["--days", "99999999999999999999"], "before the beginning of the calendar"),
    ],
)
def test_an_invalid_age_deletes_nothing(db: None, arguments: list[str], message: str) -> None:
    create_access(timedelta(days=400))
    with pytest.raises(CommandError, match=message):
        prune(*arguments)
    assert PortalAccess.objects.count() == 1


def test_call_command(db: None) -> None:
    for days in (1, "1"):
        create_access(timedelta(days=2))
        call_command("alguna_prune", days=days, stdout=StringIO())
        assert not PortalAccess.objects.exists()


def test_a_link_that_has_not_expired_stays(db: None) -> None:
    create_link(timedelta(days=2), expires_at=NOW + timedelta(days=4))
    call_command("alguna_prune", "--days", "1", stdout=StringIO())
    assert PortalLink.objects.count() == 1
