"""`manage.py alguna_prune`: what is old goes, and nothing else."""

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


def quoted(model: type[Model], *column: str) -> str:
    """Name a table, or a column of it, as the database quotes it."""
    return ".".join(map(connection.ops.quote_name, (model._meta.db_table, *column)))


def access(age: timedelta) -> PortalAccess:
    """Record an access of some time ago."""
    return PortalAccess.objects.create(at=NOW - age, via="view", outcome="opened")


def link(age: timedelta, **fields: Any) -> PortalLink:
    """Store a link that could be renewed until some time ago."""
    customer, _created = Customer.objects.get_or_create(alias="acme-1")
    dates = {"expires_at": NOW - age, "renewable_until": NOW - age}
    return PortalLink.objects.create(
        customer=customer, recipient="b@acme.example", role="viewer", **{**dates, **fields}
    )


def delivery(age: timedelta, state: str = "handled") -> WebhookDelivery:
    """Store a message that came some time ago."""
    number = WebhookDelivery.objects.count()
    return WebhookDelivery.objects.create(
        message_id=f"msg_{number}", type="invoice.paid", sent_at=NOW, received_at=NOW - age, state=state
    )


def prune(*arguments: str) -> str:
    """Run the command; return what it says."""
    output = StringIO()
    call_command("alguna_prune", *arguments, stdout=output)
    return output.getvalue()


def test_what_is_older_is_deleted(db: None) -> None:
    """To the second: what is exactly as old stays."""
    kept = [access(timedelta()), access(timedelta(days=30))]
    access(timedelta(days=30, seconds=1))
    access(timedelta(days=400))
    assert prune("--days", "30").splitlines()[0] == "2 portal accesses older than 30 days: deleted."
    assert sorted(PortalAccess.objects.values_list("pk", flat=True)) == [each.pk for each in kept]


def test_a_dry_run_deletes_nothing(db: None) -> None:
    """It says how many it would be."""
    access(timedelta(days=2))
    link(timedelta(days=2))
    delivery(timedelta(days=2))
    assert prune("--days=1", "--dry-run").splitlines() == [
        "1 portal access older than 1 day: would be deleted.",
        "1 portal link older than 1 day: would be deleted.",
        "1 webhook delivery older than 1 day: would be deleted.",
    ]
    assert [model.objects.count() for model in (PortalAccess, PortalLink, WebhookDelivery)] == [1, 1, 1]


def test_nothing_to_delete_is_said(db: None) -> None:
    """A command that finds nothing has worked, too."""
    assert prune("--days", "30").splitlines() == [
        "0 portal accesses older than 30 days: deleted.",
        "0 portal links older than 30 days: deleted.",
        "0 webhook deliveries older than 30 days: deleted.",
    ]


def test_links_are_kept_for_as_long_as_they_may_be_renewed(db: None) -> None:
    """However long ago they were sent, expired or were revoked: who was locked out stays so."""
    long_ago = NOW - timedelta(days=400)
    kept = [link(timedelta(days=-1), expires_at=long_ago, revoked_at=long_ago), link(timedelta(days=30))]
    first = link(timedelta(days=30, seconds=1))
    link(timedelta(days=30, seconds=1), renews=first)
    assert prune("--days", "30").splitlines()[1] == "2 portal links older than 30 days: deleted."
    assert sorted(PortalLink.objects.values_list("pk", flat=True)) == [each.pk for each in kept]
    assert Customer.objects.count() == 1


def test_messages_go_by_the_day_on_which_they_came(db: None) -> None:
    """Handled or not, whenever Alguna sent them: what they say may be personal."""
    kept = [delivery(timedelta(days=30)), delivery(timedelta(), state="failed")]
    delivery(timedelta(days=30, seconds=1))
    delivery(timedelta(days=31), state="failed")
    assert prune("--days", "30").splitlines()[2] == "2 webhook deliveries older than 30 days: deleted."
    assert sorted(WebhookDelivery.objects.values_list("pk", flat=True)) == [each.pk for each in kept]


def test_the_help_says_what_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """All three kinds, and that addresses go with the links."""
    with pytest.raises(SystemExit):
        alguna_prune.Command().run_from_argv(["manage.py", "alguna_prune", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "portal accesses that are older than a number of days, mailed links" in said
    assert "recipients' addresses" in said
    assert "webhook deliveries that came before, handled or not" in said


def test_many_are_deleted_some_at_a_time(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The oldest first, each batch by itself."""
    monkeypatch.setattr(alguna_prune, "BATCH_SIZE", 2)
    for days in (10, 14, 12, 11, 13):
        access(timedelta(days=days))
    with django_assert_num_queries(9) as queries:
        assert prune("--days", "1").startswith("5 portal accesses")
    first_read = queries.captured_queries[0]["sql"]
    assert f"ORDER BY {quoted(PortalAccess, 'at')} ASC" in first_read
    assert "LIMIT 2" in first_read
    assert [query["sql"].partition(" ")[0] for query in queries.captured_queries] == ["SELECT", "DELETE"] * 3 + [
        "SELECT",
        "SELECT",
        "SELECT",
    ]
    assert f"ORDER BY {quoted(PortalLink, 'renewable_until')} ASC" in queries.captured_queries[7]["sql"]
    assert f"ORDER BY {quoted(WebhookDelivery, 'received_at')} ASC" in queries.captured_queries[8]["sql"]
    assert not PortalAccess.objects.exists()


def test_rows_that_are_read_and_cannot_be_deleted_end_it(db: None) -> None:
    """As in a transaction that still sees what another prune beside it has deleted."""
    for days in (2, 3):
        access(timedelta(days=days))
    statements: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        assert len(statements) < 20
        return execute(f"{sql} AND 1 = 0" if sql.startswith("DELETE") else sql, *rest)

    with connection.execute_wrapper(count):
        assert prune("--days", "1").startswith("0 portal accesses")
    assert len([sql for sql in statements if f"FROM {quoted(PortalAccess)}" in sql]) == 2


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
def test_an_age_that_is_none_deletes_nothing(db: None, arguments: list[str], message: str) -> None:
    """A slip of the hand is an error, and no clean table."""
    access(timedelta(days=400))
    with pytest.raises(CommandError, match=message):
        prune(*arguments)
    assert PortalAccess.objects.count() == 1


def test_it_runs_from_code(db: None) -> None:
    """With a number, or with what the environment says."""
    for days in (1, "1"):
        access(timedelta(days=2))
        call_command("alguna_prune", days=days, stdout=StringIO())
        assert not PortalAccess.objects.exists()


def test_a_link_that_still_works_stays(db: None) -> None:
    """One that replaced another at the last moment works for longer than it may be replaced itself."""
    link(timedelta(days=2), expires_at=NOW + timedelta(days=4))
    call_command("alguna_prune", "--days", "1", stdout=StringIO())
    assert PortalLink.objects.count() == 1
