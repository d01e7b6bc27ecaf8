"""`manage.py alguna_prune`: what is old goes, and nothing else."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from alguna_portal.management.commands import alguna_prune
from alguna_portal.models import PortalAccess

NOW = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def access(age: timedelta) -> PortalAccess:
    """Record an access of some time ago."""
    return PortalAccess.objects.create(at=NOW - age, via="view", outcome="opened")


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
    assert prune("--days", "30") == "2 portal accesses older than 30 days: deleted.\n"
    assert sorted(PortalAccess.objects.values_list("pk", flat=True)) == [each.pk for each in kept]


def test_a_dry_run_deletes_nothing(db: None) -> None:
    """It says how many it would be."""
    access(timedelta(days=2))
    assert prune("--days=1", "--dry-run") == "1 portal access older than 1 day: would be deleted.\n"
    assert PortalAccess.objects.count() == 1


def test_nothing_to_delete_is_said(db: None) -> None:
    """A command that finds nothing has worked, too."""
    assert prune("--days", "30") == "0 portal accesses older than 30 days: deleted.\n"


def test_many_are_deleted_some_at_a_time(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The oldest first, each batch by itself."""
    monkeypatch.setattr(alguna_prune, "BATCH", 2)
    for days in (10, 14, 12, 11, 13):
        access(timedelta(days=days))
    with django_assert_num_queries(7) as queries:
        assert prune("--days", "1").startswith("5 portal accesses")
    first_read = queries.captured_queries[0]["sql"]
    assert 'ORDER BY "alguna_portal_portalaccess"."at" ASC' in first_read
    assert "LIMIT 2" in first_read
    assert [query["sql"].partition(" ")[0] for query in queries.captured_queries] == ["SELECT", "DELETE"] * 3 + [
        "SELECT"
    ]
    assert not PortalAccess.objects.exists()


def test_rows_that_are_read_and_cannot_be_deleted_end_it(db: None) -> None:
    """As in a transaction that still sees what another prune beside it has deleted."""
    for days in (2, 3):
        access(timedelta(days=days))
    statements: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        assert len(statements) < 20
        return execute(sql, *rest)

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER gone BEFORE DELETE ON alguna_portal_portalaccess BEGIN SELECT RAISE(IGNORE); END"
        )
    with connection.execute_wrapper(count):
        assert prune("--days", "1").startswith("0 portal accesses")
    assert len(statements) == 2


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
