"""A deployment without problems, a fake Alguna API, and helpers that run the command."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import requests
import responses
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from alguna_portal.models import Customer, Membership
from alguna_portal.sandbox.engine.customers import add_customer
from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.types import Request, Response, json_response, new_state
from alguna_portal.sandbox.engine.validation import Fields
from tests.conftest import API
from tests.doctor.smtp_server import SmtpServer, run_smtp_server, use_smtp_server

WEBHOOK = "https://app.example.com/billing/webhook/"
SECRET = "whsec_bm90LWEtc2VjcmV0LWF0LWFsbC1idXQtbG9uZw=="


class FakeApi:
    """A fake of Alguna's production API: the sandbox's engine with one account."""

    def __init__(self, http: responses.RequestsMock, api_key: str) -> None:
        self.http = http
        self.state = new_state()
        self.engine = Engine(state=self.state, api_key=api_key, portal_url="https://portal.alguna.io")
        self.requests: list[str] = []
        self.get_date: Callable[[], str] = lambda: format_datetime(datetime.now(UTC), usegmt=True)
        self.respond: Callable[[Request], Response | None] = lambda _request: None
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            http.add_callback(method, re.compile(re.escape(API) + "/.*"), callback=self._respond)

    def add_customer(self, *aliases: str) -> str:
        """Add a customer; return its id."""
        fields = Fields({"name": "Acme", "currency": "USD", "aliases": list(aliases)})
        return str(add_customer(self.state, fields, now=datetime.now(UTC))["id"])

    def fail(self, status: int, detail: str = "No.") -> None:
        """Respond to all requests with an error."""
        self.respond = lambda _request: json_response({"detail": detail, "status": status}, status=status)

    def _respond(self, prepared: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(prepared.url or "")
        self.requests.append(f"{prepared.method} {parts.path}{'?' * bool(parts.query)}{parts.query}")
        request = Request(
            method=prepared.method or "",
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query)),
            headers=dict(prepared.headers),
            body=prepared.body if isinstance(prepared.body, bytes) else b"",
        )
        response = self.respond(request) or self.engine.handle(request)
        return response.status, {"Date": self.get_date(), **response.headers}, response.body


@dataclass(frozen=True, kw_only=True)
class JsonReport:
    """The exit status of the command, and its output with `--json`."""

    status: int
    data: dict[str, Any]

    def __getitem__(self, name: str) -> dict[str, str]:
        """The only finding with this name."""
        (finding,) = self.find_all(name)
        return finding

    def __contains__(self, name: str) -> bool:
        return bool(self.find_all(name))

    def find_all(self, name: str) -> list[dict[str, str]]:
        """All findings with this name."""
        return [finding for finding in self.data["findings"] if finding["name"] == name]

    def get_level(self, name: str) -> str:
        """The level of the only finding with this name."""
        return self[name]["level"]

    @property
    def problems(self) -> dict[str, str]:
        """The levels of all findings that aren't ok, by name."""
        return {each["name"]: each["level"] for each in self.data["findings"] if each["level"] != "ok"}


def run_command(*arguments: str) -> tuple[int, str, str]:
    """Run the command; return the exit status, the output and the error message."""
    output = StringIO()
    try:
        call_command("alguna_doctor", *arguments, stdout=output)
    except CommandError as exc:
        return exc.returncode, output.getvalue(), str(exc)
    return 0, output.getvalue(), ""


def run_doctor(*arguments: str) -> JsonReport:
    """Run the command with `--json`."""
    status, output, _error = run_command("--json", *arguments)
    return JsonReport(status=status, data=json.loads(output))


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """A network without hosts; tests add those that they need."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def api(http: responses.RequestsMock, settings: Settings) -> FakeApi:
    """A fake API that accepts the API key in the settings."""
    return FakeApi(http, settings.ALGUNA_PORTAL_API_KEY)


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A running SMTP server."""
    with run_smtp_server() as server:
        yield server


@pytest.fixture
def production(db: None, settings: Settings) -> Settings:
    """Settings of a deployment outside DEBUG without problems, but without network."""
    settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "alguna_portal.sandbox"]
    settings.ROOT_URLCONF = "tests.doctor.urls"
    settings.SECRET_KEY = "long-enough-to-be-a-key-that-signs-links-for-years"
    settings.ALLOWED_HOSTS = ["app.example.com"]
    settings.DEFAULT_FROM_EMAIL = "billing@example.com"
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    settings.ALGUNA_PORTAL_PLAN_IDS = {f"plan_{plan}": plan for plan in settings.ALGUNA_PORTAL_PLANS}
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "portal_cache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }
    call_command("createcachetable")
    return settings


@pytest.fixture
def healthy(production: Settings, api: FakeApi, smtp_server: SmtpServer) -> Settings:
    """Settings of a deployment without problems, with its network and a customer that Alguna has."""
    use_smtp_server(production, smtp_server)
    api.http.add("GET", WEBHOOK, status=405)
    api.http.add("POST", WEBHOOK, status=400)
    acme = Customer.objects.create(alias="acme-1", customer_id=api.add_customer("acme-1"), plan="starter")
    Membership.objects.create(user=User.objects.create_user("mia"), customer=acme)
    return production
