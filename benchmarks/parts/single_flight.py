"""Single flight: in each of 50 rounds, 32 threads in each of 4 processes ask for the session of a customer that nobody
has asked for before, at the same moment, with `SESSION_REUSE` at `"customer"`, on Redis. Alguna takes 50 ms and counts.
"""

import json
import time
import urllib.request
from contextlib import ExitStack

from benchmarks.figures import Figure
from benchmarks.servers import alguna, ended, redis, said, start

PROCESSES, THREADS, ROUNDS, EVERY = 4, 32, 50, 0.7


def measure() -> list[Figure]:
    """Count the calls of each round, and the sessions that came of them."""
    with ExitStack() as stack:
        cache, server = stack.enter_context(redis()), stack.enter_context(alguna(seconds=0.05))
        order = {
            "cache": cache,
            "api_url": server.url,
            "settings": {"ALGUNA_PORTAL_SESSION_REUSE": "customer", "ALGUNA_PORTAL_AUDIT": False},
            "threads": THREADS,
            "rounds": ROUNDS,
            "every": EVERY,
            "start": time.time() + 4,
        }
        processes = [stack.enter_context(ended(start("single_flight", order))) for _ in range(PROCESSES)]
        urls = [said(process) for process in processes]
        with urllib.request.urlopen(f"{server.url}/calls") as answer:
            calls = list(json.load(answer).values())
    sessions = [len({url for each in of_round for url in each}) for of_round in zip(*urls, strict=True)]
    return [
        Figure(
            measure=f"calls to Alguna for a cold session, {PROCESSES} processes of {THREADS} threads, {ROUNDS} rounds",
            figure=f"{min(calls)} at least, {max(calls)} at most ({max(sessions)} URL for all)",
            must_reach="1 in each",
            reached=calls == sessions == [1] * ROUNDS,
        )
    ]
