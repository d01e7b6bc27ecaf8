"""Measures the memory of a process that repeats cached clicks on Billing."""

import json

import psutil

from benchmarks.settings import PARAMETERS
from benchmarks.users import create_users

from .clicks import fill_cache, measure_block

if __name__ == "__main__":
    ours = fill_cache(create_users(1)[0])[0]
    this_process = psutil.Process()
    kib = [this_process.memory_info().rss // 1024]
    for _ in range(PARAMETERS["blocks"]):
        measure_block(ours, PARAMETERS["clicks"])
        kib.append(this_process.memory_info().rss // 1024)
    print(json.dumps(kib))
