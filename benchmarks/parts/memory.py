"""Memory is the resident set of a process that does our cached clicks of above on Redis, read every 10,000 clicks.
The first 20,000 may fill what Python and Django keep for good.
"""

from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, create_figure_at_most
from benchmarks.servers import run_alguna, run_process, run_redis

EVERY, TIMES, SETTLED = 10_000, 10, 2


def measure() -> list[Figure]:
    """Watch memory over 100,000 clicks."""
    with TemporaryDirectory() as folder, run_redis() as cache, run_alguna() as server:
        order = {"database": f"{folder}/db.sqlite3", "cache": cache, "api_url": server.url}
        order["settings"] = {"ALGUNA_PORTAL_AUDIT": False}  # the database would take most of the time
        kib = run_process("memory", order | {"clicks": EVERY, "times": TIMES})
    note = "MiB from 0 to 100,000: " + ", ".join(f"{each / 1024:.2f}" for each in kib)
    return [
        create_figure_at_most(
            "memory gained from 20,000 to 100,000 cached clicks",
            kib[-1] - kib[SETTLED],
            300,
            " KiB",
            digits=0,
            note=note,
        )
    ]
