"""`manage.py alguna_provision` over customers that Alguna does not know, so that each is two requests, against a stub
that takes 50 ms for an answer. The rate is that at which requests come there, from the first to the last, and beside it
the most that came in any one second. Memory is the largest resident set of processes of their own that do nothing but
such a run, on SQLite; there, the stub takes no time, knows everyone, and the allowed rate is beyond reach.
"""

import json
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, create_figure_at_least, create_figure_at_most
from benchmarks.servers import run_alguna, run_process

RATES = ((50, 8, 500), (100, 16, 1000))  # requests a second, workers, customers
SECONDS = 0.05
FEW, MANY = 1_000, 100_000


def measure() -> list[Figure]:
    """Compare the rate with what is allowed, and the memory of a short run with that of a long one."""
    with TemporaryDirectory() as folder:
        rates = [_measure_rate(Path(folder), *each) for each in RATES]
        few, _ = _measure_memory(Path(folder), FEW)
        many, seconds = _measure_memory(Path(folder), MANY)
    note = f"{few:.1f} and {many:.1f} MiB; the long one took {seconds:.0f} s"
    growth = create_figure_at_most(
        "memory of a run over 100,000 customers beyond 1,000", many - few, 30, " MiB", digits=1, note=note
    )
    return [*rates, growth]


def _measure_rate(folder: Path, rate: int, workers: int, customers: int) -> Figure:
    with run_alguna(seconds=SECONDS) as server:
        _run_provision(folder / f"rate-{rate}.sqlite3", customers, api_url=server.url, rate=rate, workers=workers)
        with urllib.request.urlopen(f"{server.url}/times") as answer:
            times = json.load(answer)
    if len(times) != 2 * customers:
        raise RuntimeError(f"{customers} customers took {len(times)} requests.")
    reached = (len(times) - 1) / (times[-1] - times[0])
    note = f"{reached:.1f} requests/s; {_get_peak_rate(times)} in any second at most"
    return create_figure_at_least(
        f"provisioning, --rate {rate} --workers {workers}: rate / allowed", reached / rate, 0.95, note=note
    )


def _get_peak_rate(times: list[float]) -> int:
    most, first = 0, 0
    for number, time in enumerate(times):
        while time - times[first] >= 1:
            first += 1
        most = max(most, number - first + 1)
    return most


def _measure_memory(folder: Path, customers: int) -> tuple[float, float]:
    """Return the largest resident set of a run, in MiB, and its seconds."""
    with run_alguna(knows_everyone=True) as server:
        result = _run_provision(folder / f"{customers}.sqlite3", customers, api_url=server.url, rate=100_000, workers=8)
    return max(result["kib"]) / 1024, result["seconds"]


def _run_provision(database: Path, customers: int, *, api_url: str, rate: int, workers: int) -> Any:
    # Without waiting for the disk after each row: other runs need other rates than any that Alguna allows.
    sqlite = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(database),
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL"},
    }
    order = {
        "settings": {"DATABASES": {"default": sqlite}},
        "customers": customers,
        "api_url": api_url,
        "rate": rate,
        "workers": workers,
    }
    # Apart, so that what it takes to make the customers is not counted.
    run_process("provision", order | {"settle": True})
    return run_process("provision", order | {"settle": False})
