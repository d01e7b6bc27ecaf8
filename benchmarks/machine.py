"""Description of the machine and the versions on which the benchmarks ran."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ["Django", "alguna", "requests", "urllib3", "httpx", "redis", "gunicorn"]


def describe_machine() -> str:
    """Return cores, processor and memory."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model[1] if model else 'an unknown processor'}, {gigabytes:.0f} GB"
    )


def describe_versions() -> str:
    """Return the versions of Python, Redis and the packages; `alguna` is the official SDK."""
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, check=True, text=True).stdout
    server = re.search(r"v=([\d.]+)", redis)
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", f"Redis {server[1] if server else '?'}", *packages])
