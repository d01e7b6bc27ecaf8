"""Clients of the API for the contract tests: one uses the fake behind `requests`, the other the sandbox over HTTP.

They validate all requests and responses against the OpenAPI document.
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
from tests.contract.document import get_contract

ROOT = Path(__file__).resolve().parents[2]
KEY = "sandbox.secret"
VERSION = "2026-04-01"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip schemathesis in fast runs: collecting its cases takes seconds in each worker."""
    return True if collection_path.name == "test_schemathesis.py" and "not slow" in config.option.markexpr else None


@dataclass(frozen=True, kw_only=True)
class ApiClient:
    """A client of the API at a URL."""

    url: str
    api_key: str
    http: requests.Session = field(default_factory=requests.Session)

    def request(
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
        """Send a request that is valid according to the document or, with `valid=False`, one that isn't.

        Bytes are sent unchanged, other data as JSON. Headers that are None are omitted.
        """
        all_headers = {"Authorization": f"Bearer {self.api_key}", "Alguna-Version": VERSION, "Idempotency-Key": key}
        is_raw = isinstance(data, bytes)
        request = requests.Request(
            method,
            self.url + path,
            params=query,
            headers={name: value for name, value in {**all_headers, **(headers or {})}.items() if value is not None},
            data=data if is_raw else None,
            json=None if is_raw else data,
        ).prepare()
        if is_raw:
            request.headers["Content-Type"] = "application/json"
        error = get_contract().find_error(request, at=self.url)
        assert (error is None) == valid, f"Validation of the request: {error!r}"
        response = self.http.send(request, timeout=20)
        get_contract().check_response(response, at=self.url)
        return response

    def create_customer(self, **fields: Any) -> dict[str, Any]:
        response = self.request("POST", "/customers", {"name": "Acme Corp", "currency": "USD", **fields})
        assert response.status_code == 200, response.text
        customer: dict[str, Any] = response.json()
        return customer


def make_unique(prefix: str = "acme") -> str:
    """Return a unique alias, key or name, because the served sandbox keeps its state between tests."""
    return f"{prefix}-{uuid4().hex}"


def make_email() -> str:
    """Return a unique email address."""
    return f"{make_unique('john')}@example.com"


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the sandbox, which another process serves."""
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
def served_api(sandbox_url: str) -> Iterator[ApiClient]:
    """A client of the sandbox over HTTP."""
    with requests.Session() as http:
        # Ignore proxies in the environment and credentials in .netrc.
        http.trust_env = False
        yield ApiClient(url=sandbox_url, api_key=KEY, http=http)


@pytest.fixture
def fake_api() -> Iterator[ApiClient]:
    """A client of the fake."""
    with fake_alguna(knows_everyone=False):
        yield ApiClient(url=conf.API_URL, api_key=conf.API_KEY)


@pytest.fixture(params=["fake_api", "served_api"])
def api(request: pytest.FixtureRequest) -> ApiClient:
    """Each of the two clients."""
    client: ApiClient = request.getfixturevalue(request.param)
    return client
