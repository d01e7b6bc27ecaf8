"""Memory of a process over many clicks with a cached session."""

import json

import psutil

from benchmarks.settings import ORDER
from benchmarks.users import create_users

from .clicks import fill_cache, time_clicks

if __name__ == "__main__":
    ours, _by_hand = fill_cache(create_users(1)[0])
    this = psutil.Process()
    kib = [this.memory_info().rss // 1024]
    for _ in range(ORDER["times"]):
        time_clicks(ours, ORDER["clicks"])
        kib.append(this.memory_info().rss // 1024)
    print(json.dumps(kib))
