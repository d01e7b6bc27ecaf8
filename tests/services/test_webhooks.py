"""Concurrent webhook deliveries and plan synchronizations on real databases."""

from pathlib import Path

import pytest

from tests.services.conftest import LOCMEM, Shared, run_python
from tests.services.test_customers import PROCESSES, Alguna, alguna, database, run_at_once

__all__ = ["alguna", "database"]

pytestmark = pytest.mark.services

DELIVER = """
import os, time
from datetime import datetime, timezone
from django.contrib.auth.models import Group
from django.db import connection
from alguna_portal.webhooks import Event, inbox, on

@on("invoice.paid")
def count(event):
    # Other processes see it only after the commit.
    Group.objects.create(name=os.environ["NUMBER"])
    time.sleep(0.3)

event = Event(id="msg_1", type="invoice.paid", timestamp=datetime.now(timezone.utc), data={})
connection.ensure_connection()
time.sleep(max(0, float(os.environ["START"]) - time.time()))
for _ in range(20):
    if inbox.receive_message(event):
        break
    time.sleep(0.1)
print(Group.objects.count())
"""
MANY = """
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from django.contrib.auth.models import Group
from django.db import connections
from alguna_portal.webhooks import Event, inbox, on

@on("invoice.paid")
def count(event):
    Group.objects.count()
    Group.objects.create(name=event.id)

def tell(number):
    now = datetime.now(timezone.utc)
    try:
        return inbox.receive_message(Event(id=f"msg_{number}", type="invoice.paid", timestamp=now, data={}))
    finally:
        connections.close_all()

with ThreadPoolExecutor(20) as pool:
    print(sum(pool.map(tell, range(20))))
print(Group.objects.count())
"""
PLANS = """
import os, time
from alguna_portal.models import Customer
from alguna_portal.customers.plan_sync import FetchedPlan, next_sequence, store_plan
customer = Customer.objects.get()
time.sleep(max(0, float(os.environ["START"]) - time.time()))
numbers = []
for _ in range(20):
    number = next_sequence(customer)
    store_plan(customer, FetchedPlan(plan=f"plan {number}", plan_id="p"), sequence=number)
    numbers.append(number)
print(*numbers)
"""


def test_concurrent_deliveries_of_one_message_are_handled_once(database: Shared, alguna: Alguna) -> None:
    assert run_at_once(DELIVER, database, alguna) == ["1"] * PROCESSES


def test_on_sqlite_concurrent_messages_wait_for_each_other(tmp_path: Path) -> None:
    file = Shared(cache=LOCMEM, database={"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")})
    run_python(file, "from django.core.management import call_command; call_command('migrate', verbosity=0)")
    assert run_python(file, MANY).split() == ["20", "20"]


def test_concurrent_synchronizations_have_unique_sequence_numbers(database: Shared, alguna: Alguna) -> None:
    """The plan with the highest number stays."""
    numbers = [int(number) for line in run_at_once(PLANS, database, alguna) for number in line.split()]
    assert sorted(numbers) == list(range(1, 20 * PROCESSES + 1))
    show = "from alguna_portal.models import Customer; print(Customer.objects.get().plan)"
    assert run_python(database, show).strip() == f"plan {20 * PROCESSES}"
