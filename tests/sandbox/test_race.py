"""Requests at the same time, on the databases that a sandbox stands on."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import environ
import psycopg
import pytest

from tests.support.databases import may_be_missing, url

POSTGRES_URL = url("postgres")


@pytest.fixture
def postgres() -> Iterator[dict[str, Any]]:
    """A database of the test's own on PostgreSQL; where there is none, skip aloud, and in CI fail."""
    database: dict[str, Any] = environ.Env.db_url_config(POSTGRES_URL)
    name = f"sandbox_{uuid4().hex}"
    try:
        server = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        missing = f"POSTGRES_URL ({error}) IS NOT HERE: nothing was tried on it."
        if not may_be_missing("postgres"):
            pytest.fail(missing)
        pytest.skip(missing)
    with server:
        server.execute(f"CREATE DATABASE {name}")
        yield {**database, "NAME": name}
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def race(database: dict[str, Any]) -> Any:
    """Run the race in a process of its own; return what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.race", json.dumps(database)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# One runs, and who comes meanwhile is sent away and does not wait; requests with other keys wait for nobody.
RIGHT = {
    "slow": {"200": 1, "409": 7},
    "while_slow": 409,
    "others": [200],
    "others_waited": False,
    "retry_after": ["1"],
    "runs": 2,
    "ids": 2,
    "customers": 10,
}


@pytest.mark.slow
def test_equal_requests_at_once_run_once(tmp_path: Path) -> None:
    """On one SQLite file."""
    file = str(tmp_path / "race.sqlite3")
    assert race({"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": {"timeout": 60}}) == RIGHT


@pytest.mark.services
def test_equal_requests_at_once_run_once_on_postgresql(postgres: dict[str, Any]) -> None:
    """On PostgreSQL."""
    assert race(postgres) == RIGHT
