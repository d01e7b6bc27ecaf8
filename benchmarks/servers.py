"""Processes that a measure needs: Redis, a stub of Alguna, gunicorn, and Python told what to do. All end with it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}

Process = subprocess.Popen[str]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server on this machine, and its process."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """Its address, for HTTP."""
        return f"http://127.0.0.1:{self.port}"


def environment(order: dict[str, Any], **further: str) -> dict[str, str]:
    """Tell a process what to do, and nothing of the proxies or settings that are set here."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCHMARK": json.dumps(order),
        **further,
    }


def start(name: str, order: dict[str, Any], **further: str) -> Process:
    """Start one of `processes`."""
    command = [sys.executable, "-m", f"benchmarks.processes.{name}"]
    return subprocess.Popen(command, env=environment(order, **further), stdout=subprocess.PIPE, text=True)


def run(name: str, order: dict[str, Any], **further: str) -> Any:
    """Run one of `processes` to its end; return what it prints."""
    with ended(start(name, order, **further)) as process:
        return said(process)


def said(process: Process) -> Any:
    """Wait ten minutes at most for a process; return what it prints, or raise if it failed."""
    output, _ = process.communicate(timeout=600)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return json.loads(output)


@contextmanager
def ended(process: Process) -> Iterator[Process]:
    """End a process, however the block ends."""
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@contextmanager
def listening(*command: str, port: int, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a server, from when it listens."""
    quiet = subprocess.DEVNULL
    with ended(subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet, text=True, cwd=ROOT)) as process:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{command[0]} does not listen.")
        yield Server(port=port, process=process)


@contextmanager
def redis() -> Iterator[dict[str, Any]]:
    """Run a Redis of its own; yield the entry for `CACHES`."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with listening(*command, port=port):
        yield {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}",
        }


@contextmanager
def alguna(*, seconds: float = 0, knows_everyone: bool = False) -> Iterator[Server]:
    """Run a stub of Alguna that takes so long for an answer."""
    with ended(start("alguna_stub", {"seconds": seconds, "knows_everyone": knows_everyone})) as process:
        assert process.stdout
        yield Server(port=json.loads(process.stdout.readline()), process=process)


@contextmanager
def gunicorn(order: dict[str, Any], *, workers: int) -> Iterator[Server]:
    """Serve the site as most hosts are served."""
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--worker-class", "sync"]
    command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "benchmarks.site:application"]
    with listening(*command, port=port, env=environment(order)) as server:
        yield server


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
