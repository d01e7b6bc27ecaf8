"""Send concurrent requests to the sandbox on a real database, and print a JSON summary of the responses.

This is a separate process, because the database of the test run is in memory, where threads don't compete like on a
file or a server. The first argument is the database's configuration as JSON.
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
    """Wait for the other threads, then create a customer."""
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


def post_concurrently(keys: list[str], fault: str | None = None) -> list[Any]:
    """Send a request for each key at the same time."""
    barrier = Barrier(len(keys))
    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(lambda key: post(key, barrier, fault), keys))


os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
settings.DEBUG = True
# The sandbox must also work in projects that use ATOMIC_REQUESTS.
settings.DATABASES = {"default": {**json.loads(sys.argv[1]), "ATOMIC_REQUESTS": True}}
settings.LOGGING = {"version": 1, "loggers": {"django.request": {"level": "CRITICAL"}}}
django.setup()
call_command("migrate", "alguna_sandbox", verbosity=0)
with ThreadPoolExecutor(1) as other:
    # Other requests must not wait for these slow ones.
    slow = other.submit(post_concurrently, ["slow"] * THREADS, f"latency={SECONDS}")
    time.sleep(SECONDS / 4)
    different = post_concurrently([f"key-{number}" for number in range(THREADS)])
    late = post("slow", Barrier(1), None)
    others_waited = slow.done()
    first = slow.result()
replays = post_concurrently(["slow"] * THREADS)
quick = post_concurrently(["quick"] * THREADS)
quick_again = post_concurrently(["quick"] * THREADS)
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
