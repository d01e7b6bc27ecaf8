"""A cached click goes through the whole of Django: the WSGI handler with a browser's environ and cookie, the middleware
of `startproject`, sessions and users from an SQLite file over a connection that is kept. Ours and a view written by
hand (`login_required`, one membership with its customer, one read of the cache, the expiry, a redirect with the same
headers) take turns in blocks of 20; both give the same answer. Without records, `ALGUNA_PORTAL_AUDIT` is off; with
them, the view by hand inserts a row, too: who, for whom, and when.
"""

from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, at_most, paired
from benchmarks.servers import LOCMEM, alguna, redis, run

BLOCKS, CLICKS = 300, 20


def measure() -> list[Figure]:
    """Compare clicks on Redis and on LocMem, and count queries."""
    with redis() as on_redis:
        figures = [*_compare("Redis", on_redis, recorded=False), *_compare("Redis", on_redis, recorded=True)]
    return [*figures, *_compare("LocMem", LOCMEM, recorded=False)]


def _compare(cache_name: str, cache: dict[str, Any], *, recorded: bool) -> list[Figure]:
    name = f"{cache_name}, recorded" if recorded else cache_name
    with TemporaryDirectory() as folder, alguna() as server:
        order = {
            "database": f"{folder}/db.sqlite3",
            "cache": cache,
            "api_url": server.url,
            "settings": {"ALGUNA_PORTAL_AUDIT": recorded},
        }
        found = run("clicks", order | {"blocks": BLOCKS, "clicks": CLICKS})
    ours, by_hand = median(found["ours"]), median(found["by_hand"])
    note = f"{ours:.0f} µs against {by_hand:.0f} µs"
    return [
        at_most(f"cached click, {name}: ours / by hand", paired(found["ours"], found["by_hand"]), 1.2, note=note),
        at_most(f"queries of a cached click beyond sign-in, {name}", found["queries"], 2 if recorded else 1, digits=0),
    ]
