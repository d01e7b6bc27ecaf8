"""A cached click goes through the whole of Django: the WSGI handler with a browser's environ and cookie, the middleware
of `startproject`, sessions and users from an SQLite file over a connection that is kept. Ours and a view written by
hand (`login_required`, one membership with its customer, one read of the cache, the expiry, a redirect with the same
headers) take turns in blocks of 20; both give the same answer. Without records, `ALGUNA_PORTAL_AUDIT` is off; with
them, the view by hand inserts a row, too: who, for whom, and when.
"""

from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, create_figure_at_most, get_median_ratio
from benchmarks.servers import LOCMEM, run_alguna, run_process, run_redis

BLOCKS, CLICKS = 300, 20


def measure() -> list[Figure]:
    """Compare clicks on Redis and on LocMem, and count queries."""
    with run_redis() as on_redis:
        figures = [
            *_compare_clicks("Redis", on_redis, recorded=False),
            *_compare_clicks("Redis", on_redis, recorded=True),
        ]
    return [*figures, *_compare_clicks("LocMem", LOCMEM, recorded=False)]


def _compare_clicks(cache_name: str, cache: dict[str, Any], *, recorded: bool) -> list[Figure]:
    name = f"{cache_name}, recorded" if recorded else cache_name
    with TemporaryDirectory() as folder, run_alguna() as server:
        order = {
            "database": f"{folder}/db.sqlite3",
            "cache": cache,
            "api_url": server.url,
            "settings": {"ALGUNA_PORTAL_AUDIT": recorded},
        }
        found = run_process("clicks", order | {"blocks": BLOCKS, "clicks": CLICKS})
    ours, by_hand = median(found["ours"]), median(found["by_hand"])
    note = f"{ours:.0f} µs against {by_hand:.0f} µs"
    return [
        create_figure_at_most(
            f"cached click, {name}: ours / by hand", get_median_ratio(found["ours"], found["by_hand"]), 1.2, note=note
        ),
        create_figure_at_most(
            f"queries of a cached click beyond sign-in, {name}", found["queries"], 2 if recorded else 1, digits=0
        ),
    ]
