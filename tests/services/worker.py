"""A process of a site under load: its threads open the same customer's portal at the same moment.

The environment variable `WORKER` has the parameters. Prints the URL or the exception's name for each thread.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import django

if __name__ == "__main__":
    django.setup()

from django.db import connections

from alguna_portal.exceptions import AlgunaError
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session


def click(alias: str) -> str:
    try:
        return open_session(Customer(alias=alias, plan="starter")).url
    except AlgunaError as exc:
        return type(exc).__name__
    finally:
        connections.close_all()


if __name__ == "__main__":
    order = json.loads(os.environ["WORKER"])
    with ThreadPoolExecutor(order["threads"]) as pool:
        # The threads are there before the moment comes.
        list(pool.map(time.sleep, [0.01] * order["threads"]))
        for number in range(order["rounds"]):
            time.sleep(max(0, order["start"] + number * order["every"] - time.time()))
            for said in pool.map(click, [f"{order['alias']}-{number}"] * order["threads"]):
                print(number, said, flush=True)
