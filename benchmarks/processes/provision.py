"""Runs `alguna_provision` for new customers; prints its duration and its resident set over time."""

import io
import json
import threading
from time import perf_counter

import psutil
from django.core.management import call_command

from alguna_portal.models import Customer
from benchmarks.settings import PARAMETERS

CHUNK = 5_000


def create_customers(number: int) -> None:
    """Migrate the database and create customers without an id from Alguna."""
    call_command("migrate", verbosity=0)
    for start in range(0, number, CHUNK):
        Customer.objects.bulk_create(
            Customer(alias=f"customer-{each}", name=f"Customer {each}", currency="EUR", email=f"c{each}@example.com")
            for each in range(start, min(start + CHUNK, number))
        )


def sample_memory(done: threading.Event) -> list[int]:
    """Return the resident set in KiB, read five times per second until the event is set."""
    process = psutil.Process()
    kib = [process.memory_info().rss // 1024]
    while not done.wait(0.2):
        kib.append(process.memory_info().rss // 1024)
    return kib


if __name__ == "__main__":
    if PARAMETERS["create_customers"]:
        create_customers(PARAMETERS["customers"])
        print("null")
    else:
        done = threading.Event()
        kib: list[int] = []
        watcher = threading.Thread(target=lambda: kib.extend(sample_memory(done)))
        watcher.start()
        started = perf_counter()
        log = io.StringIO()
        call_command("alguna_provision", rate=PARAMETERS["rate"], workers=PARAMETERS["workers"], stdout=log, stderr=log)
        seconds = perf_counter() - started
        done.set()
        watcher.join()
        if Customer.objects.filter(customer_id=None).exists():
            raise RuntimeError("Some customers were not provisioned.")
        print(json.dumps({"seconds": seconds, "kib": kib}))
