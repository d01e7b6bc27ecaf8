"""One process of a site where all threads want the same missing session at the same moment, round after round."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from benchmarks.settings import ORDER


def click(number: int) -> str:
    """Wait for the moment of a round, then open the portal."""
    time.sleep(max(0, ORDER["start"] + number * ORDER["every"] - time.time()))
    customer = Customer(pk=1, alias=f"customer-{number}", plan="growth")
    return open_session(customer, role="manager").url


if __name__ == "__main__":
    with ThreadPoolExecutor(ORDER["threads"]) as pool:
        rounds = [sorted(pool.map(click, [number] * ORDER["threads"])) for number in range(ORDER["rounds"])]
    print(json.dumps(rounds))
