"""Processes for a benchmark, ended with it: Redis, a stub of Alguna, gunicorn and Python."""

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


def create_environment(order: dict[str, Any], **further: str) -> dict[str, str]:
    """Return the environment of a process with its order, without the proxies and settings of this process."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCHMARK": json.dumps(order),
        **further,
    }


def start_process(name: str, order: dict[str, Any], **further: str) -> Process:
    """Start one of `processes`."""
    command = [sys.executable, "-m", f"benchmarks.processes.{name}"]
    return subprocess.Popen(command, env=create_environment(order, **further), stdout=subprocess.PIPE, text=True)


def run_process(name: str, order: dict[str, Any], **further: str) -> Any:
    """Run one of `processes` to its end; return what it prints."""
    with terminate_after(start_process(name, order, **further)) as process:
        return read_output(process)


def read_output(process: Process) -> Any:
    """Wait ten minutes at most for a process; return what it prints, or raise if it failed."""
    output, _ = process.communicate(timeout=600)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return json.loads(output)


@contextmanager
def terminate_after(process: Process) -> Iterator[Process]:
    """Terminate a process at the end of the block."""
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@contextmanager
def run_server(*command: str, port: int, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a server and wait until it listens."""
    quiet = subprocess.DEVNULL
    with terminate_after(
        subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet, text=True, cwd=ROOT)
    ) as process:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{command[0]} does not listen.")
        yield Server(port=port, process=process)


@contextmanager
def run_redis() -> Iterator[dict[str, Any]]:
    """Run Redis; yield the entry for `CACHES`."""
    port = find_free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with run_server(*command, port=port):
        yield {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}",
        }


@contextmanager
def run_alguna(*, seconds: float = 0, knows_everyone: bool = False) -> Iterator[Server]:
    """Run a stub of Alguna that responds after `seconds`."""
    with terminate_after(start_process("stub", {"seconds": seconds, "knows_everyone": knows_everyone})) as process:
        assert process.stdout
        yield Server(port=json.loads(process.stdout.readline()), process=process)


@contextmanager
def run_gunicorn(order: dict[str, Any], *, workers: int) -> Iterator[Server]:
    """Serve the site with gunicorn."""
    port = find_free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--worker-class", "sync"]
    command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "benchmarks.site:application"]
    with run_server(*command, port=port, env=create_environment(order)) as server:
        yield server


def find_free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
