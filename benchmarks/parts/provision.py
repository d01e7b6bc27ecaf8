"""`manage.py alguna_provision` runs for customers that don't exist in Alguna, so each needs two requests to a stub that
responds after 50 ms. The rate is the average at which the stub receives requests, and the figure in brackets is the
maximum in any one second. Memory is the largest resident set of separate processes that only run the command, on
SQLite. There, the stub responds immediately, has all customers, and the allowed rate is never reached.
"""

import json
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, require_at_least, require_at_most
from benchmarks.servers import run_alguna_stub, run_process

RATES = ((50, 8, 500), (100, 16, 1000))  # requests per second, workers, customers
SECONDS = 0.05
FEW, MANY = 1_000, 100_000


def measure() -> list[Figure]:
    """Compare the rate with the allowed rate, and the memory of a short run with that of a long run."""
    with TemporaryDirectory() as folder:
        rates = [_measure_rate(Path(folder), *each) for each in RATES]
        few, _ = _measure_memory(Path(folder), FEW)
        many, seconds = _measure_memory(Path(folder), MANY)
    note = f"{few:.1f} and {many:.1f} MiB; the long one took {seconds:.0f} s"
    growth = require_at_most(
        "memory of a run over 100,000 customers beyond 1,000", many - few, 30, " MiB", digits=1, note=note
    )
    return [*rates, growth]


def _measure_rate(folder: Path, rate: int, workers: int, customers: int) -> Figure:
    with run_alguna_stub(seconds=SECONDS) as server:
        _run_command(folder / f"rate-{rate}.sqlite3", customers, api_url=server.url, rate=rate, workers=workers)
        with urllib.request.urlopen(f"{server.url}/times") as answer:
            times = json.load(answer)
    if len(times) != 2 * customers:
        raise RuntimeError(f"{customers} customers took {len(times)} requests.")
    reached = (len(times) - 1) / (times[-1] - times[0])
    note = f"{reached:.1f} requests/s; {_get_maximum_per_second(times)} in any second at most"
    return require_at_least(
        f"provisioning, --rate {rate} --workers {workers}: rate / allowed", reached / rate, 0.95, note=note
    )


def _get_maximum_per_second(times: list[float]) -> int:
    maximum, first = 0, 0
    for number, time in enumerate(times):
        while time - times[first] >= 1:
            first += 1
        maximum = max(maximum, number - first + 1)
    return maximum


def _measure_memory(folder: Path, customers: int) -> tuple[float, float]:
    """Return the largest resident set of a run in MiB, and its duration in seconds."""
    with run_alguna_stub(knows_everyone=True) as server:
        result = _run_command(folder / f"{customers}.sqlite3", customers, api_url=server.url, rate=100_000, workers=8)
    return max(result["kib"]) / 1024, result["seconds"]


def _run_command(database: Path, customers: int, *, api_url: str, rate: int, workers: int) -> Any:
    # Without waiting for the disk after each row, so that the database doesn't limit the rate.
    sqlite = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(database),
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL"},
    }
    parameters = {
        "settings": {"DATABASES": {"default": sqlite}},
        "customers": customers,
        "api_url": api_url,
        "rate": rate,
        "workers": workers,
    }
    # Customers are created in another process, so that their memory isn't counted.
    run_process("provision", parameters | {"create_customers": True})
    return run_process("provision", parameters | {"create_customers": False})
