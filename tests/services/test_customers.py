"""Concurrent provisioning on databases with row locks."""

import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.services.conftest import JSONHandler, Shared, environment, own_database, run_python, serving, session_of
from tests.support.databases import SERVERS

pytestmark = pytest.mark.services

PROCESSES = 6
PROVISION = """
import os, time
from alguna_portal.customers import provision
from alguna_portal.models import Customer
customer = Customer.objects.get()
# Each process has other data, so only the lock prevents a second customer.
customer.name += os.environ["NUMBER"]
time.sleep(max(0, float(os.environ["START"]) - time.time()))
print(provision(customer), customer.customer_id)
"""


OPEN = """
import os, time
from django.conf import settings
from django.contrib.auth.models import User
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
settings.ALGUNA_PORTAL_SESSION_REUSE = "user"
customer = Customer.objects.get()
time.sleep(max(0, float(os.environ["START"]) - time.time()))
session = open_session(customer, user=User(pk=int(os.environ["NUMBER"]) + 1))
print(session.customer_id)
"""


class Alguna(ThreadingHTTPServer):
    """An Alguna that creates a customer for each request, even if the alias is taken, and takes its time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.aliases: dict[str, str] = {}
        self.created: list[str] = []
        self.lock = Lock()


class Handler(JSONHandler, BaseHTTPRequestHandler):
    server: Alguna

    def do_GET(self) -> None:
        (alias,) = parse_qs(urlsplit(self.path).query)["alias"]
        found = self.server.aliases.get(alias)
        self.answer(*((200, {"customer_id": found}) if found else (404, {"detail": "No such customer."})))

    def do_POST(self) -> None:
        asked = self.read()
        if self.path == "/customer-portal-sessions":
            found = self.server.aliases.get(asked["customer_alias"])
            self.answer(*((200, session_of(found, 1)) if found else (404, {"detail": "No such customer."})))
            return
        time.sleep(0.2)
        with self.server.lock:
            customer_id = f"cust_{len(self.server.created) + 1}"
            self.server.created.append(customer_id)
            self.server.aliases |= dict.fromkeys(asked["aliases"], customer_id)
        self.answer(200, {"id": customer_id, "aliases": asked["aliases"]})


@pytest.fixture
def alguna() -> Iterator[Alguna]:
    """An Alguna that other processes can reach."""
    with serving(Alguna()) as server:
        yield server


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """A database with our tables and one customer."""
    with own_database(request.param) as own:
        run_python(own, "from django.core.management import call_command; call_command('migrate', verbosity=0)")
        create = "Customer.objects.create(alias='acme-1', name='Acme', currency='EUR')"
        run_python(own, f"from alguna_portal.models import Customer; {create}")
        yield own


def run_at_once(code: str, database: Shared, alguna: Alguna) -> list[str]:
    """Run code in several processes at the same moment, and return their outputs."""
    env = environment(database, api_url=f"http://127.0.0.1:{alguna.server_port}") | {"START": str(time.time() + 2)}
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    processes = [
        subprocess.Popen(command, env=env | {"NUMBER": str(number)}, stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    return sorted(process.communicate(timeout=60)[0].strip() for process in processes)


def test_concurrent_processes_create_one_customer(database: Shared, alguna: Alguna) -> None:
    said = run_at_once(PROVISION, database, alguna)
    assert said == ["created cust_1", *["known cust_1"] * (PROCESSES - 1)]
    assert alguna.created == ["cust_1"]


def test_concurrent_first_clicks_create_one_customer(database: Shared, alguna: Alguna) -> None:
    assert run_at_once(OPEN, database, alguna) == ["cust_1"] * PROCESSES
    assert alguna.created == ["cust_1"]


def test_a_receivers_failing_query_does_not_roll_back_the_id(database: Shared, alguna: Alguna) -> None:
    """On PostgreSQL it would, if the signal were sent in the lock's transaction."""
    failing = """
from django.db import connection
from alguna_portal.customers import provision
from alguna_portal.models import Customer
from alguna_portal.signals import customer_provisioned
def fall_over(**_):
    connection.cursor().execute("SELECT * FROM nowhere")
customer_provisioned.connect(fall_over)
print(provision(Customer.objects.get()), Customer.objects.get().customer_id)
"""
    said = run_python(database, failing, api_url=f"http://127.0.0.1:{alguna.server_port}")
    assert said.split() == ["created", "cust_1"]


def test_a_locked_row_is_waited_for_within_the_time(database: Shared, alguna: Alguna) -> None:
    """On PostgreSQL, members can be added meanwhile."""
    waiting = """
import threading, time
from django.contrib.auth.models import User
from django.db import connection, transaction
from alguna_portal.customers import provision
from alguna_portal.exceptions import AlgunaUnavailable
from alguna_portal.models import Customer, Membership
customer, user = Customer.objects.get(), User.objects.create(username="ann")
locked, over = threading.Event(), threading.Event()
def hold():
    with transaction.atomic():
        Customer.objects.select_for_update(no_key=connection.features.has_select_for_no_key_update).get()
        locked.set()
        over.wait()
    connection.close()
holder = threading.Thread(target=hold)
holder.start()
locked.wait()
if connection.vendor == "postgresql":
    Membership.objects.create(user=user, customer=customer)
started = time.monotonic()
try:
    provision(customer, within=0.5)
except AlgunaUnavailable as exc:
    print("locked" if "is locked" in str(exc) else exc, time.monotonic() - started < 5)
over.set()
holder.join()
print(provision(customer))
"""
    said = run_python(database, waiting, api_url=f"http://127.0.0.1:{alguna.server_port}")
    assert said.split() == ["locked", "True", "created"]
    assert alguna.created == ["cust_1"]


def test_an_id_of_another_row_is_a_mismatch_on_each_database(database: Shared, alguna: Alguna) -> None:
    alguna.aliases |= {"acme-1": "cust_9", "acme-2": "cust_9"}
    twice = """
from alguna_portal.customers import provision
from alguna_portal.exceptions import CustomerMismatch
from alguna_portal.models import Customer
print(provision(Customer.objects.get()))
try:
    provision(Customer.objects.create(alias="acme-2", name="Acme", currency="EUR"))
except CustomerMismatch as exc:
    print(type(exc).__name__)
"""
    said = run_python(database, twice, api_url=f"http://127.0.0.1:{alguna.server_port}")
    assert said.split() == ["adopted", "CustomerMismatch"]
