"""Two doors to the same Alguna: the fake under `requests`, and the sandbox served over HTTP.

What is asked at a door, and what it answers, is held against the OpenAPI document on the way.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from alguna_portal.conf import conf
from alguna_portal.testing import fake_alguna
from tests.contract.document import contract

ROOT = Path(__file__).resolve().parents[2]
KEY = "sandbox.secret"
VERSION = "2026-04-01"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is not asked for: to collect the cases of schemathesis takes each worker seconds."""
    return True if collection_path.name == "test_schemathesis.py" and "not slow" in config.option.markexpr else None


@dataclass(frozen=True, kw_only=True)
class Door:
    """An address where Alguna answers, and the key for it."""

    url: str
    api_key: str
    http: requests.Session = field(default_factory=requests.Session)

    def ask(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        valid: bool = True,
        key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        **query: Any,
    ) -> requests.Response:
        """Send a request that the document allows or, with `valid=False`, one that it refuses.

        Bytes go out as they are, other data as JSON; a header that is `None` is left out.
        """
        sent = {"Authorization": f"Bearer {self.api_key}", "Alguna-Version": VERSION, "Idempotency-Key": key}
        as_is = isinstance(data, bytes)
        request = requests.Request(
            method,
            self.url + path,
            params=query,
            headers={name: value for name, value in {**sent, **(headers or {})}.items() if value is not None},
            data=data if as_is else None,
            json=None if as_is else data,
        ).prepare()
        if as_is:
            request.headers["Content-Type"] = "application/json"
        objection = contract().objection(request, at=self.url)
        assert (objection is None) == valid, f"The document's opinion of the request: {objection!r}"
        response = self.http.send(request, timeout=20)
        contract().check_answer(response, at=self.url)
        return response

    def customer(self, **fields: Any) -> dict[str, Any]:
        """Create a customer."""
        answer = self.ask("POST", "/customers", {"name": "Acme Corp", "currency": "USD", **fields})
        assert answer.status_code == 200, answer.text
        customer: dict[str, Any] = answer.json()
        return customer


def unused(prefix: str = "acme") -> str:
    """Return an alias, a key or a name that nobody has: a served sandbox outlives the test."""
    return f"{prefix}-{uuid4().hex}"


def mail() -> str:
    """Return an e-mail address that nobody has."""
    return f"{unused('john')}@example.com"


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the sandbox, served over HTTP by a process of its own."""
    folder = tmp_path_factory.mktemp("sandbox")
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.contract.settings",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SANDBOX_DATABASE": str(folder / "db.sqlite3"),
    }
    command = [sys.executable, str(Path(__file__).with_name("serve.py"))]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout
            port = process.stdout.readline().strip()
            assert port, f"The sandbox did not start:\n{(folder / 'log').read_text()}"
            yield f"http://127.0.0.1:{port}/sandbox"
        finally:
            process.kill()


@pytest.fixture(scope="session")
def served(sandbox_url: str) -> Iterator[Door]:
    """The door over HTTP."""
    with requests.Session() as http:
        # No proxy of the environment, and no key of a .netrc.
        http.trust_env = False
        yield Door(url=sandbox_url, api_key=KEY, http=http)


@pytest.fixture
def faked() -> Iterator[Door]:
    """The door under `requests`, as users' own tests have it."""
    with fake_alguna(knows_everyone=False):
        yield Door(url=conf.API_URL, api_key=conf.API_KEY)


@pytest.fixture(params=["faked", "served"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each of the doors: what a test says holds at both."""
    opened: Door = request.getfixturevalue(request.param)
    return opened
