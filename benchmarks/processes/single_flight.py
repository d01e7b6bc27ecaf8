"""Opens a new session in many threads at the same time, in one of several processes of a site."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from benchmarks.settings import PARAMETERS


def open_at_start(number: int) -> str:
    """Wait for the start of a round, then open a session."""
    time.sleep(max(0, PARAMETERS["start"] + number * PARAMETERS["every"] - time.time()))
    customer = Customer(pk=1, alias=f"customer-{number}", plan="growth")
    return open_session(customer, role="manager").url


if __name__ == "__main__":
    with ThreadPoolExecutor(PARAMETERS["threads"]) as pool:
        rounds = [
            sorted(pool.map(open_at_start, [number] * PARAMETERS["threads"])) for number in range(PARAMETERS["rounds"])
        ]
    print(json.dumps(rounds))
