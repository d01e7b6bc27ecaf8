"""Single flight: in each of 50 rounds, 32 threads in each of 4 processes request the session of a new customer at the
same time, with `SESSION_REUSE` set to `"customer"`, on Redis. The stub of Alguna responds after 50 ms and counts the
calls.
"""

import json
import time
import urllib.request
from contextlib import ExitStack

from benchmarks.figures import Figure
from benchmarks.servers import read_output, run_alguna_stub, run_redis, start_process, terminate_after

PROCESSES, THREADS, ROUNDS, EVERY = 4, 32, 50, 0.7


def measure() -> list[Figure]:
    """Count the calls and the sessions of each round."""
    with ExitStack() as stack:
        cache, server = stack.enter_context(run_redis()), stack.enter_context(run_alguna_stub(seconds=0.05))
        parameters = {
            "cache": cache,
            "api_url": server.url,
            "settings": {"ALGUNA_PORTAL_SESSION_REUSE": "customer", "ALGUNA_PORTAL_AUDIT": False},
            "threads": THREADS,
            "rounds": ROUNDS,
            "every": EVERY,
            "start": time.time() + 4,
        }
        processes = [
            stack.enter_context(terminate_after(start_process("single_flight", parameters))) for _ in range(PROCESSES)
        ]
        urls = [read_output(process) for process in processes]
        with urllib.request.urlopen(f"{server.url}/calls") as response:
            calls = list(json.load(response).values())
    sessions = [len({url for each in of_round for url in each}) for of_round in zip(*urls, strict=True)]
    return [
        Figure(
            measure=f"calls to Alguna for a cold session, {PROCESSES} processes of {THREADS} threads, {ROUNDS} rounds",
            figure=f"{min(calls)} at least, {max(calls)} at most ({max(sessions)} URL for all)",
            must_reach="1 in each",
            reached=calls == sessions == [1] * ROUNDS,
        )
    ]
