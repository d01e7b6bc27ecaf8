"""Concurrent requests with and without the same idempotency key, on SQLite and PostgreSQL."""

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

from tests.support.databases import get_database_url, may_be_missing

POSTGRES_URL = get_database_url("postgres")


@pytest.fixture
def postgres() -> Iterator[dict[str, Any]]:
    """A new PostgreSQL database. If there is no server, skip the test, or fail in CI."""
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


def send_requests(database: dict[str, Any]) -> Any:
    """Send the requests in another process; return its summary of the responses."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.concurrent_requests", json.dumps(database)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


# One request runs, and the others with the same key get 409 at once. Requests with other keys don't wait.
EXPECTED = {
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
def test_concurrent_requests_on_sqlite(tmp_path: Path) -> None:
    file = str(tmp_path / "race.sqlite3")
    assert send_requests({"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": {"timeout": 60}}) == EXPECTED


@pytest.mark.services
def test_concurrent_requests_on_postgresql(postgres: dict[str, Any]) -> None:
    assert send_requests(postgres) == EXPECTED
