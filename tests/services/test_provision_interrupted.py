"""`alguna_provision` in other processes: interrupted, killed and run twice."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import environ
import pytest
from django.db import OperationalError, connections
from pytest_django import DjangoDbBlocker

from alguna_portal.models import Customer
from tests.services.conftest import LOCMEM, Shared, environment, missing
from tests.support.databases import get_database_url
from tests.support.engine_server import AlgunaServer, alguna_server

pytestmark = pytest.mark.services

ROWS = 60
USING = "provisioned"


@dataclass(kw_only=True)
class Site:
    """A project with customers in a separate database."""

    database: dict[str, Any]
    alguna: AlgunaServer
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def start(self, *args: str) -> "subprocess.Popen[str]":
        """Start the command with Python's default handler for Ctrl-C."""
        command = [sys.executable, "-m", "django", "alguna_provision", "--skip-checks", *args]
        process = subprocess.Popen(
            command,
            env=environment(Shared(cache=LOCMEM, database=self.database), api_url=self.alguna.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.processes.append(process)
        return process

    def get_stored_ids(self) -> dict[str, str]:
        """Return the stored ids by alias."""
        rows = Customer.objects.using(USING).exclude(customer_id=None)
        return {alias: str(customer_id) for alias, customer_id in rows.values_list("alias", "customer_id")}


def sqlite(folder: Path) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")}


def postgres(_: Path) -> dict[str, Any]:
    schema = f"provision_{uuid4().hex}"
    return {
        **environ.Env.db_url_config(get_database_url("postgres")),
        "OPTIONS": {"options": f"-c search_path={schema}"},
    }


@pytest.fixture(params=[sqlite, postgres])
def host(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """A site with 60 customers that Alguna doesn't know."""
    make: Callable[[Path], dict[str, Any]] = request.param
    database = make(tmp_path)
    schema = database.get("OPTIONS", {}).get("options", "").rpartition("=")[2]
    connections.settings[USING] = connections.configure_settings({"default": database})["default"]
    with django_db_blocker.unblock(), alguna_server() as alguna:
        connection = connections[USING]
        host = Site(database=database, alguna=alguna)
        try:
            connection.ensure_connection()
        except OperationalError as exc:
            missing("postgres", f"POSTGRES_URL ({exc})")
        try:
            if schema:
                connection.cursor().execute(f"CREATE SCHEMA {schema}")
            with connection.schema_editor() as editor:
                editor.create_model(Customer)
            rows = [Customer(alias=f"alias-{each}", name="Acme", currency="EUR") for each in range(ROWS)]
            Customer.objects.using(USING).bulk_create(rows)
            yield host
        finally:
            for process in host.processes:
                process.kill()
                process.communicate()
            if schema:
                connection.cursor().execute(f"DROP SCHEMA {schema} CASCADE")
            connection.close()
            del connections[USING], connections.settings[USING]


def wait_until_created(host: Site, number: int) -> None:
    """Wait until Alguna has so many customers."""
    give_up = time.monotonic() + 20
    while len(host.alguna.state["customers"]) < number:
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_ctrl_c_stores_rows_in_progress_and_the_next_run_continues(host: Site) -> None:
    host.alguna.seconds = 0.05
    process = host.start("--rate", "200", "--workers", "4")
    wait_until_created(host, 10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted: what is under way is finished first." in err
    assert "Interrupted. Run it again, and it goes on where it stopped." in err
    get_stored_ids = host.get_stored_ids()
    assert get_stored_ids == host.alguna.customers
    assert 10 <= len(get_stored_ids) < ROWS
    counts = (
        f"{len(get_stored_ids)} created, 0 adopted, 0 already there, 0 failed, {ROWS - len(get_stored_ids)} not tried"
    )
    assert out == f"Of {ROWS} customers: {counts}.\n"
    again = host.start("--rate", "1000")
    out, _ = again.communicate(timeout=20)
    assert again.returncode == 0
    assert f"{ROWS - len(get_stored_ids)} created, 0 adopted" in out
    assert host.get_stored_ids() == host.alguna.customers
    assert len(host.get_stored_ids()) == ROWS


def test_a_killed_run_and_two_concurrent_runs_create_each_customer_once(host: Site) -> None:
    host.alguna.seconds = 0.02
    process = host.start("--rate", "500")
    wait_until_created(host, 10)
    process.kill()
    process.communicate()
    assert host.get_stored_ids().items() <= host.alguna.customers.items()
    assert len(host.alguna.customers) < ROWS
    both = [host.start("--rate", "500"), host.start("--rate", "500")]
    for each in both:
        _, err = each.communicate(timeout=30)
        assert each.returncode == 0, err
    assert host.get_stored_ids() == host.alguna.customers
    assert len(host.get_stored_ids()) == ROWS


@pytest.mark.parametrize("host", [sqlite], indirect=True)
def test_a_second_ctrl_c_ends_the_process_at_once(host: Site) -> None:
    host.alguna.seconds = 4
    process = host.start()
    give_up = time.monotonic() + 20
    while not host.alguna.times:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stderr
    while "Ctrl-C again" not in (line := process.stderr.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert err.endswith("CommandError: Left at once. Run it again, and it goes on where it stopped.\n")
    assert "Traceback" not in err
