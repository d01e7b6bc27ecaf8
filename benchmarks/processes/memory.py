"""The memory of a process that clicks on Billing very often, its session being in the cache."""

import json

import psutil

from benchmarks.users import settle
from benchmarks.settings import ORDER

from .clicks import block, warm

if __name__ == "__main__":
    ours, _by_hand = warm(settle(1)[0])
    this = psutil.Process()
    kib = [this.memory_info().rss // 1024]
    for _ in range(ORDER["times"]):
        block(ours, ORDER["clicks"])
        kib.append(this.memory_info().rss // 1024)
    print(json.dumps(kib))
