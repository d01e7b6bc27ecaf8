"""One message delivered to many processes at once, on databases that several write to: handled once."""

from pathlib import Path

import pytest

from tests.services.conftest import LOCMEM, Shared, run_python
from tests.services.test_customers import PROCESSES, Alguna, alguna, at_once, database

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
    # What comes of it is seen by others only once it is committed.
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
from alguna_portal.plan_sync import Learned, keep, take_number
customer = Customer.objects.get()
time.sleep(max(0, float(os.environ["START"]) - time.time()))
numbers = []
for _ in range(20):
    number = take_number(customer)
    keep(customer, Learned(plan=f"plan {number}", plan_id="p"), number=number)
    numbers.append(number)
print(*numbers)
"""


def test_processes_that_get_the_same_message_at_once_handle_it_once(database: Shared, alguna: Alguna) -> None:
    """Those who come while it is being handled are told to come again, and then find it done."""
    assert at_once(DELIVER, database, alguna) == ["1"] * PROCESSES


def test_on_sqlite_messages_that_come_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """None fails since another is being written: what is read first could not be written then."""
    file = Shared(cache=LOCMEM, database={"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")})
    run_python(file, "from django.core.management import call_command; call_command('migrate', verbosity=0)")
    assert run_python(file, MANY).split() == ["20", "20"]


def test_of_processes_that_ask_at_once_the_last_to_ask_has_its_way(database: Shared, alguna: Alguna) -> None:
    """No number is given twice, and the highest stays."""
    numbers = [int(number) for line in at_once(PLANS, database, alguna) for number in line.split()]
    assert sorted(numbers) == list(range(1, 20 * PROCESSES + 1))
    show = "from alguna_portal.models import Customer; print(Customer.objects.get().plan)"
    assert run_python(database, show).strip() == f"plan {20 * PROCESSES}"
