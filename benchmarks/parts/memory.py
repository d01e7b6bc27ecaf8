"""Memory is the resident set of a process that repeats the cached clicks of alguna_portal with Redis, read every 10,000
clicks. The first 20,000 clicks may fill caches of Python and Django.
"""

from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, require_at_most
from benchmarks.servers import run_alguna_stub, run_process, run_redis

CLICKS, BLOCKS, WARM_UP_BLOCKS = 10_000, 10, 2


def measure() -> list[Figure]:
    """Measure memory during 100,000 clicks."""
    with TemporaryDirectory() as folder, run_redis() as cache, run_alguna_stub() as server:
        parameters = {"database": f"{folder}/db.sqlite3", "cache": cache, "api_url": server.url}
        parameters["settings"] = {"ALGUNA_PORTAL_AUDIT": False}  # inserts would take most of the time
        kib = run_process("memory", parameters | {"clicks": CLICKS, "blocks": BLOCKS})
    note = "MiB from 0 to 100,000: " + ", ".join(f"{each / 1024:.2f}" for each in kib)
    return [
        require_at_most(
            "memory gained from 20,000 to 100,000 cached clicks",
            kib[-1] - kib[WARM_UP_BLOCKS],
            300,
            " KiB",
            digits=0,
            note=note,
        )
    ]
