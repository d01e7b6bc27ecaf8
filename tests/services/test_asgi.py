"""One ASGI worker serves many slow sessions at once."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock

import pytest
import requests

from tests.services.conftest import JSONHandler, Shared, environment, free_port, run_python, serving, session_of, start

pytestmark = pytest.mark.services

PEOPLE = 24
# Without a cache there is no circuit breaker, which would stop so many calls.
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
SEED = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from alguna_portal.models import Customer, Membership
for number in range({PEOPLE}):
    user = User.objects.create(username=f"user-{{number}}")
    Membership.objects.create(user=user, customer=Customer.objects.create(alias=f"company-{{number}}", name="Company"))
    client = Client()
    client.force_login(user)
    print(client.cookies[settings.SESSION_COOKIE_NAME].value)
"""


class Alguna(ThreadingHTTPServer):
    """An Alguna that responds only after `answers` is set."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.waiting: set[str] = set()
        self.lock = Lock()
        self.answers = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(JSONHandler, BaseHTTPRequestHandler):
    server: Alguna

    def do_POST(self) -> None:
        alias = self.read()["customer_alias"]
        with self.server.lock:
            self.server.waiting.add(alias)
        self.server.answers.wait(60)
        self.answer(200, session_of("cust_1", int(alias.rpartition("-")[2])))


@pytest.fixture
def slow_alguna() -> Iterator[Alguna]:
    with serving(Alguna()) as server:
        yield server
        server.answers.set()


@dataclass(kw_only=True)
class Worker:
    """A site served by one ASGI worker, with the session keys of its users."""

    address: str
    people: list[str]


@pytest.fixture
def worker(slow_alguna: Alguna, tmp_path: Path) -> Iterator[Worker]:
    """A uvicorn process."""
    shared = Shared(
        cache=DUMMY, database={"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    )
    order = {
        "api_url": slow_alguna.url,
        "settings": {
            "ROOT_URLCONF": "tests.services.asgi_urls",
            "ALGUNA_PORTAL_TIMEOUT": [5, 60],
            "ALGUNA_PORTAL_TIME_BUDGET": 60,
        },
    }
    people = run_python(shared, SEED, **order).split()
    port = free_port()
    command = ["-m", "uvicorn", "--factory", "django.core.asgi:get_asgi_application", "--port", str(port)]
    env = environment(shared, **order)
    process = start(sys.executable, *command, "--log-level", "critical", port=port, env=env)
    yield Worker(address=f"http://127.0.0.1:{port}", people=people)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.mark.parametrize("path", ["/billing/", "/own-billing/"])
def test_slow_sessions_do_not_wait_for_each_other(worker: Worker, slow_alguna: Alguna, path: str) -> None:
    """In our view and in an asynchronous one; other requests are served meanwhile."""

    def click(session_key: str) -> tuple[int, str]:
        cookies = {"sessionid": session_key}
        response = requests.get(worker.address + path, cookies=cookies, allow_redirects=False, timeout=60)
        return response.status_code, response.headers.get("Location", "")

    with ThreadPoolExecutor(PEOPLE) as pool:
        clicks = [pool.submit(click, person) for person in worker.people]
        for _ in range(600):
            if len(slow_alguna.waiting) == PEOPLE:
                break
            time.sleep(0.05)
        assert len(slow_alguna.waiting) == PEOPLE
        other = requests.get(worker.address + "/billing/", allow_redirects=False, timeout=30)
        assert other.headers["Location"] == "/login/?next=/billing/"
        assert not any(click.done() for click in clicks)
        slow_alguna.answers.set()
        answers = {click.result() for click in clicks}
    assert answers == {(302, f"https://portal.alguna.io/hs/{number}") for number in range(PEOPLE)}
