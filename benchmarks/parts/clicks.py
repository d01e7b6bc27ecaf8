"""A cached click goes through the whole Django stack: the WSGI handler with a browser's environ and cookie, the
middleware of `startproject`, and sessions and users in an SQLite file with a persistent connection. The view of
alguna_portal and a handwritten one (`login_required`, one query for the membership and its customer, one cache read, a
check of the expiry, a redirect with the same headers) are measured alternately in blocks of 20 clicks. Both return the
same response. "Recorded" means that `ALGUNA_PORTAL_AUDIT` is on and the handwritten view also inserts a row with user,
customer and time.
"""

from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, get_median_ratio, require_at_most
from benchmarks.servers import LOCMEM, run_alguna_stub, run_process, run_redis

BLOCKS, CLICKS = 300, 20


def measure() -> list[Figure]:
    """Compare clicks with Redis and LocMem, and count queries."""
    with run_redis() as cache:
        figures = [*_compare("Redis", cache, recorded=False), *_compare("Redis", cache, recorded=True)]
    return [*figures, *_compare("LocMem", LOCMEM, recorded=False)]


def _compare(cache_name: str, cache: dict[str, Any], *, recorded: bool) -> list[Figure]:
    name = f"{cache_name}, recorded" if recorded else cache_name
    with TemporaryDirectory() as folder, run_alguna_stub() as server:
        parameters = {
            "database": f"{folder}/db.sqlite3",
            "cache": cache,
            "api_url": server.url,
            "settings": {"ALGUNA_PORTAL_AUDIT": recorded},
        }
        results = run_process("clicks", parameters | {"blocks": BLOCKS, "clicks": CLICKS})
    ours, by_hand = median(results["ours"]), median(results["by_hand"])
    note = f"{ours:.0f} µs against {by_hand:.0f} µs"
    return [
        require_at_most(
            f"cached click, {name}: ours / by hand",
            get_median_ratio(results["ours"], results["by_hand"]),
            1.2,
            note=note,
        ),
        require_at_most(
            f"queries of a cached click beyond sign-in, {name}", results["queries"], 2 if recorded else 1, digits=0
        ),
    ]
