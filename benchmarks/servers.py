"""Subprocesses of the benchmarks: Redis, a stub of Alguna, gunicorn and the modules in `processes`.

All of them are terminated when their context ends.
"""

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
    """A server on localhost and its process."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"


def get_environment(parameters: dict[str, Any], **variables: str) -> dict[str, str]:
    """Return the environment of a subprocess, with its parameters and without proxies or settings of this process."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCHMARK": json.dumps(parameters),
        **variables,
    }


def start_process(name: str, parameters: dict[str, Any], **variables: str) -> Process:
    """Start a module in `processes`."""
    command = [sys.executable, "-m", f"benchmarks.processes.{name}"]
    return subprocess.Popen(command, env=get_environment(parameters, **variables), stdout=subprocess.PIPE, text=True)


def run_process(name: str, parameters: dict[str, Any], **variables: str) -> Any:
    """Run a module in `processes`; return the JSON that it prints."""
    with terminate_after(start_process(name, parameters, **variables)) as process:
        return read_output(process)


def read_output(process: Process) -> Any:
    """Wait up to ten minutes for a process; return the JSON that it prints."""
    output, _ = process.communicate(timeout=600)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return json.loads(output)


@contextmanager
def terminate_after(process: Process) -> Iterator[Process]:
    """Terminate a process when the block ends."""
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
    """Run a server; the block begins when it accepts connections."""
    devnull = subprocess.DEVNULL
    with terminate_after(
        subprocess.Popen(command, env=env, stdout=devnull, stderr=devnull, text=True, cwd=ROOT)
    ) as process:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{command[0]} doesn't accept connections.")
        yield Server(port=port, process=process)


@contextmanager
def run_redis() -> Iterator[dict[str, Any]]:
    """Run a new Redis server; yield its settings for `CACHES`."""
    port = get_free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with run_server(*command, port=port):
        yield {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}",
        }


@contextmanager
def run_alguna_stub(*, seconds: float = 0, knows_everyone: bool = False) -> Iterator[Server]:
    """Run a stub of Alguna; `seconds` is the duration of each response."""
    with terminate_after(
        start_process("alguna_stub", {"seconds": seconds, "knows_everyone": knows_everyone})
    ) as process:
        assert process.stdout
        yield Server(port=json.loads(process.stdout.readline()), process=process)


@contextmanager
def run_gunicorn(parameters: dict[str, Any], *, workers: int) -> Iterator[Server]:
    """Run the site with gunicorn's sync workers, like most hosts."""
    port = get_free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--worker-class", "sync"]
    command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "benchmarks.site:application"]
    with run_server(*command, port=port, env=get_environment(parameters)) as server:
        yield server


def get_free_port() -> int:
    """Return a port on which no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
