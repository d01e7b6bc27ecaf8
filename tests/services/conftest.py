"""Fixtures with Redis, Memcached, PostgreSQL and MariaDB, an Alguna on a socket, and processes that click.

Redis and Memcached are started for each test on free ports, so that a test can stop them. `POSTGRES_URL` and
`MARIADB_URL` name the databases. If a service is missing, its tests are skipped; in CI they fail.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar
from uuid import uuid4

import environ
import pytest

from tests.support.databases import SERVERS, get_database_url, may_be_missing

Server = TypeVar("Server", bound=ThreadingHTTPServer)

ROOT = Path(__file__).resolve().parents[2]
LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def missing(need: str, said: str) -> None:
    """Skip the test; in CI, fail unless the service is listed in .ci/missing."""
    said = f"{said.upper()} IS NOT HERE: nothing was tried on it."
    if not may_be_missing(need):
        pytest.fail(said)
    pytest.skip(said)


class Alguna(ThreadingHTTPServer):
    """An Alguna for other processes. It records the calls and responds after `seconds`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds = 0.1
        self.status = 200
        self.calls: list[str] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class JSONHandler(BaseHTTPRequestHandler):
    """An HTTP handler for JSON."""

    protocol_version = "HTTP/1.1"

    def read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


def session_of(customer_id: str, number: int) -> dict[str, str]:
    """Return the JSON of a portal session."""
    now = datetime.now(UTC)
    return {
        "id": f"s{number}",
        "customer_id": customer_id,
        "url": f"https://portal.alguna.io/hs/{number}",
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=1)).isoformat(),
    }


class Handler(JSONHandler, BaseHTTPRequestHandler):
    server: Alguna

    def do_POST(self) -> None:
        asked = self.read()
        with self.server.lock:
            self.server.calls.append(asked["customer_alias"])
            number = len(self.server.calls)
        time.sleep(self.server.seconds)
        self.answer(self.server.status, session_of("cust_1", number))


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server in a thread."""
    with server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def alguna() -> Iterator[Alguna]:
    """An Alguna that other processes can reach."""
    with serving(Alguna()) as server:
        yield server


@dataclass(kw_only=True)
class Shared:
    """A database and a cache that processes share; `stop` stops the cache, if possible."""

    cache: dict[str, Any]
    database: dict[str, Any] = field(default_factory=lambda: SQLITE)
    stop: Callable[[], None] | None = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*command: str, port: int, env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start a server, and wait until it accepts connections."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise AssertionError(f"{command[0]} does not listen")


def serve(command: list[str], cache: dict[str, Any]) -> Iterator[Shared]:
    """Run a cache server for one test."""
    if shutil.which(command[0]) is None:
        missing(command[0], command[0])
    port = free_port()
    process = start(*(word.format(port=port) for word in command), port=port)

    def stop() -> None:
        process.kill()
        process.wait()

    yield Shared(cache={**cache, "LOCATION": cache["LOCATION"].format(port=port)}, stop=stop)
    stop()


@pytest.fixture
def redis() -> Iterator[Shared]:
    command = ["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    yield from serve(
        command,
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:{port}"},
    )


@pytest.fixture
def memcached() -> Iterator[Shared]:
    yield from serve(
        ["memcached", "-p", "{port}", "-l", "127.0.0.1", "-u", "nobody"],
        {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "127.0.0.1:{port}"},
    )


def database_cache(name: str) -> Iterator[Shared]:
    """Create a cache table for one test, and drop it."""
    database: dict[str, Any] = environ.Env.db_url_config(get_database_url(name))
    table = f"cache_{uuid4().hex}"
    shared = Shared(
        cache={
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": table,
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        },
        database=database,
    )
    try:
        run_python(shared, "from django.core.management import call_command; call_command('createcachetable')")
    except subprocess.CalledProcessError as exc:
        missing(name, f"{SERVERS[name][0]} ({exc.stderr.decode().strip().splitlines()[-1]})")
    yield shared
    drop = f"from django.db import connection; connection.cursor().execute('DROP TABLE {table}')"
    run_python(shared, drop)


@pytest.fixture
def postgres() -> Iterator[Shared]:
    yield from database_cache("postgres")


@pytest.fixture
def mariadb() -> Iterator[Shared]:
    yield from database_cache("mariadb")


@pytest.fixture(params=["redis", "memcached", "postgres", "mariadb"])
def shared(request: pytest.FixtureRequest) -> Shared:
    """Each of the caches that processes share."""
    result: Shared = request.getfixturevalue(request.param)
    return result


def environment(shared: Shared, **order: Any) -> dict[str, str]:
    """Return the environment variables for a process."""
    worker = {
        "cache": shared.cache,
        "database": shared.database,
        "api_url": "http://127.0.0.1:1",
        "settings": {},
        **order,
    }
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "WORKER": json.dumps(worker),
    }


def run_python(shared: Shared, code: str, **order: Any) -> str:
    """Run code in a process with Django, and return its output."""
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    done = subprocess.run(command, env=environment(shared, **order), capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


@contextmanager
def own_database(server_name: str) -> Iterator[Shared]:
    """Create an empty database for one test, and drop it."""
    server = Shared(cache=LOCMEM, database=environ.Env.db_url_config(get_database_url(server_name)))
    name = f"alguna_portal_{uuid4().hex}"
    execute = "from django.db import connection; connection.cursor().execute('{} DATABASE {}')"
    try:
        run_python(server, execute.format("CREATE", name))
    except subprocess.CalledProcessError as exc:
        missing(server_name, f"{SERVERS[server_name][0]} ({exc.stderr.decode().strip().splitlines()[-1]})")
    try:
        yield Shared(cache=LOCMEM, database={**server.database, "NAME": name})
    finally:
        run_python(server, execute.format("DROP", name))


@dataclass(kw_only=True)
class Site:
    """Processes that open the same customer's portal at the same moment."""

    shared: Shared
    alguna: Alguna
    settings: dict[str, Any] = field(default_factory=dict)
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def start(
        self,
        processes: int,
        *,
        threads: int,
        rounds: int = 1,
        every: float = 1,
        delay: float = 2,
        alias: str | None = None,
    ) -> None:
        """Start the processes; the first clicks are after `delay` seconds."""
        order = {
            "alias": alias or uuid4().hex,
            "threads": threads,
            "rounds": rounds,
            "every": every,
            "start": time.time() + delay,
            "api_url": self.alguna.url,
            "settings": self.settings,
        }
        command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
        for _ in range(processes):
            env = environment(self.shared, **order)
            self.processes.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))

    def said(self) -> list[tuple[int, str]]:
        """Wait for the processes; return the round and the outcome of every click."""
        lines = [line for process in self.processes for line in process.communicate(timeout=60)[0].splitlines()]
        return [(int(number), outcome) for number, outcome in (line.split() for line in lines)]


@pytest.fixture
def site(shared: Shared, alguna: Alguna) -> Iterator[Site]:
    """A site on each of the shared caches."""
    site = Site(shared=shared, alguna=alguna)
    yield site
    for process in site.processes:
        process.kill()
        process.communicate()
