"""Send equal and different requests at once to the sandbox on a real database; print what came of it.

A program of its own, because the test run's database lives in memory, where threads do not meet as they do on
a file or a server. The database is the first argument, as JSON.
"""

import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

THREADS = 8
SECONDS = 4


def post(key: str, barrier: Barrier, fault: str | None) -> Any:
    """Wait for the others, then create a customer."""
    headers = {
        "Authorization": "Bearer sandbox.secret",
        "Alguna-Version": "2026-04-01",
        "Idempotency-Key": key,
    }
    if fault:
        headers["Alguna-Sandbox-Fault"] = fault
    barrier.wait()
    response = Client().post(
        "/sandbox/customers",
        {"name": "Acme", "currency": "USD", "aliases": [key]},
        content_type="application/json",
        headers=headers,
    )
    connection.close()
    return response


def at_once(keys: list[str], fault: str | None = None) -> list[Any]:
    """Send one request for each key, all at the same time."""
    barrier = Barrier(len(keys))
    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(lambda key: post(key, barrier, fault), keys))


os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
settings.DEBUG = True
# A host may put every request in a transaction; the sandbox has to know better.
settings.DATABASES = {"default": {**json.loads(sys.argv[1]), "ATOMIC_REQUESTS": True}}
settings.LOGGING = {"version": 1, "loggers": {"django.request": {"level": "CRITICAL"}}}
django.setup()
call_command("migrate", "alguna_sandbox", verbosity=0)
with ThreadPoolExecutor(1) as other:
    # While these run, or sleep, others must not wait.
    slow = other.submit(at_once, ["slow"] * THREADS, f"latency={SECONDS}")
    time.sleep(SECONDS / 4)
    different = at_once([f"key-{number}" for number in range(THREADS)])
    late = post("slow", Barrier(1), None)
    others_waited = slow.done()
    first = slow.result()
replays = at_once(["slow"] * THREADS)
quick = at_once(["quick"] * THREADS)
quick_again = at_once(["quick"] * THREADS)
ran = [response for response in first + quick if response.headers.get("Idempotent-Replayed") == "false"]
conflicts = [response for response in [*first, late, *quick] if response.status_code == 409]
customers = apps.get_model("alguna_sandbox", "Record").objects.filter(collection="customers")
outcome = {
    "slow": Counter(str(response.status_code) for response in first),
    "while_slow": late.status_code,
    "others": sorted({response.status_code for response in different}),
    "others_waited": others_waited,
    "retry_after": sorted({response["Retry-After"] for response in conflicts}),
    "runs": len(ran),
    "ids": len({response.json()["id"] for response in ran + replays + quick_again}),
    "customers": customers.count(),
}
sys.stdout.write(json.dumps(outcome))
