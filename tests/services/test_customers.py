"""One customer however many processes provide for it, on databases that lock rows; this Alguna would make several."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import environ
import pytest

from .conftest import Shared, environment, missing, run_python

pytestmark = pytest.mark.services

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
PROCESSES = 6
PROVISION = """
import os, time
from alguna_portal.customers import provision
from alguna_portal.models import Customer
customer = Customer.objects.get()
# Each has read other data: nothing but the lock keeps them apart.
customer.name += os.environ["NUMBER"]
time.sleep(max(0, float(os.environ["START"]) - time.time()))
print(provision(customer), customer.customer_id)
"""


class Alguna(ThreadingHTTPServer):
    """Creates a customer for everybody who asks, aliases taken or not, and takes its time for it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.aliases: dict[str, str] = {}
        self.created: list[str] = []
        self.lock = Lock()


class Handler(BaseHTTPRequestHandler):
    """One connection to `Alguna`."""

    protocol_version = "HTTP/1.1"
    server: Alguna

    def do_GET(self) -> None:
        """Look an alias up."""
        (alias,) = parse_qs(urlsplit(self.path).query)["alias"]
        found = self.server.aliases.get(alias)
        self._answer(*((200, {"customer_id": found}) if found else (404, {"detail": "No such customer."})))

    def do_POST(self) -> None:
        """Create a customer."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.2)
        with self.server.lock:
            customer_id = f"cust_{len(self.server.created) + 1}"
            self.server.created.append(customer_id)
            self.server.aliases |= dict.fromkeys(asked["aliases"], customer_id)
        self._answer(200, {"id": customer_id, "aliases": asked["aliases"]})

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def alguna() -> Iterator[Alguna]:
    """An Alguna that other processes can reach."""
    with Alguna() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(
    params=[
        ("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
        ("MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
    ],
    ids=["postgres", "mariadb"],
)
def database(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """A database of the test's own, with our tables and one customer."""
    variable, default = request.param
    server = Shared(cache=LOCMEM, database=environ.Env.db_url_config(os.environ.get(variable, default)))
    name = f"alguna_portal_{uuid4().hex}"
    execute = "from django.db import connection; connection.cursor().execute('{} DATABASE {}')"
    try:
        run_python(server, execute.format("CREATE", name))
    except subprocess.CalledProcessError as exc:
        missing(f"{variable} ({exc.stderr.decode().strip().splitlines()[-1]})")
    own = Shared(cache=LOCMEM, database={**server.database, "NAME": name})
    run_python(own, "from django.core.management import call_command; call_command('migrate', verbosity=0)")
    create = "Customer.objects.create(alias='acme-1', name='Acme', currency='EUR')"
    run_python(own, f"from alguna_portal.models import Customer; {create}")
    yield own
    run_python(server, execute.format("DROP", name))


def test_processes_at_once_create_one_customer(database: Shared, alguna: Alguna) -> None:
    """The row lock keeps the others waiting; then there is nothing left for them to do."""
    env = environment(database, api_url=f"http://127.0.0.1:{alguna.server_port}") | {"START": str(time.time() + 1.5)}
    command = [sys.executable, "-c", f"import django; django.setup()\n{PROVISION}"]
    processes = [
        subprocess.Popen(command, env=env | {"NUMBER": str(number)}, stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["created cust_1", *["known cust_1"] * (PROCESSES - 1)]
    assert alguna.created == ["cust_1"]


def test_the_id_that_is_stored_is_there_for_all(database: Shared, alguna: Alguna) -> None:
    """A second row with the same customer in Alguna is refused by the database, in words, on each of them."""
    alguna.aliases |= {"acme-1": "cust_9", "acme-2": "cust_9"}
    twice = """
from alguna_portal.customers import provision
from alguna_portal.exceptions import StrangerAnswered
from alguna_portal.models import Customer
print(provision(Customer.objects.get()))
try:
    provision(Customer.objects.create(alias="acme-2", name="Acme", currency="EUR"))
except StrangerAnswered as exc:
    print(type(exc).__name__)
"""
    said = run_python(database, twice, api_url=f"http://127.0.0.1:{alguna.server_port}")
    assert said.split() == ["adopted", "StrangerAnswered"]
