"""Send equal and different requests at once to the sandbox on a SQLite file; print what came of it.

A program of its own, because the test run's database lives in memory, where threads do not meet as they do on
a file.
"""

import json
import os
import sys
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


def post(key: str, barrier: Barrier) -> Any:
    """Wait for the others, then create a customer."""
    barrier.wait()
    response = Client().post(
        "/sandbox/customers",
        {"name": "Acme", "currency": "USD", "aliases": [key]},
        content_type="application/json",
        headers={
            "Authorization": "Bearer sandbox.secret",
            "Alguna-Version": "2026-04-01",
            "Idempotency-Key": key,
        },
    )
    connection.close()
    return response


def at_once(keys: list[str]) -> list[Any]:
    """Send one request for each key, all at the same time."""
    barrier = Barrier(len(keys))
    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(lambda key: post(key, barrier), keys))


os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
settings.DEBUG = True
settings.DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1], "OPTIONS": {"timeout": 60}}
}
django.setup()
call_command("migrate", "alguna_sandbox", verbosity=0)
equal = at_once(["same"] * THREADS)
different = at_once([f"key-{number}" for number in range(THREADS)])
customers = apps.get_model("alguna_sandbox", "Record").objects.filter(collection="customers")
outcome = {
    "statuses": sorted({response.status_code for response in equal + different}),
    "first_runs": [response["Idempotent-Replayed"] for response in equal].count("false"),
    "ids_of_equal_requests": len({response.json()["id"] for response in equal}),
    "customers": customers.count(),
}
sys.stdout.write(json.dumps(outcome))
