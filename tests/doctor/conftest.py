"""A deployment in good health, and somebody who plays Alguna with a clock."""

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
from tests.doctor.mailing import Postbox, mail_through, serving

WEBHOOK = "https://app.example.com/billing/webhook/"
SECRET = "whsec_bm90LWEtc2VjcmV0LWF0LWFsbC1idXQtbG9uZw=="


class Account:
    """An account at Alguna: the sandbox's engine, at the production address."""

    def __init__(self, http: responses.RequestsMock, api_key: str) -> None:
        self.http = http
        self.state = new_state()
        self.engine = Engine(state=self.state, api_key=api_key, portal_url="https://portal.alguna.io")
        self.requests: list[str] = []
        self.date: Callable[[], str] = lambda: format_datetime(datetime.now(UTC), usegmt=True)
        self.answer: Callable[[Request], Response | None] = lambda _request: None
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            http.add_callback(method, re.compile(re.escape(API) + "/.*"), callback=self._answer)

    def add(self, *aliases: str) -> str:
        """Have a customer; return its id."""
        fields = Fields({"name": "Acme", "currency": "USD", "aliases": list(aliases)})
        return str(add_customer(self.state, fields, now=datetime.now(UTC))["id"])

    def fail(self, status: int, detail: str = "No.", **headers: str) -> None:
        """Answer everything with a status."""
        data = {"detail": detail, "status": status}
        self.answer = lambda _request: json_response(data, status=status, headers=headers)

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(request.url or "")
        self.requests.append(f"{request.method} {parts.path}{'?' * bool(parts.query)}{parts.query}")
        asked = Request(
            method=request.method or "",
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query)),
            headers=dict(request.headers),
            body=request.body if isinstance(request.body, bytes) else b"",
        )
        answer = self.answer(asked) or self.engine.handle(asked)
        return answer.status, {"Date": self.date(), **answer.headers}, answer.body


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the doctor said with `--json`."""

    status: int
    report: dict[str, Any]

    def __getitem__(self, name: str) -> dict[str, str]:
        """The one finding of this name."""
        (found,) = [each for each in self.report["findings"] if each["name"] == name]
        return {key: str(value) for key, value in found.items()}

    def __contains__(self, name: str) -> bool:
        return any(each["name"] == name for each in self.report["findings"])

    def level(self, name: str) -> str:
        """The level of the one finding of this name."""
        return self[name]["level"]

    @property
    def problems(self) -> dict[str, str]:
        """The names of all that is not in order, with their levels."""
        return {each["name"]: each["level"] for each in self.report["findings"] if each["level"] != "ok"}


def run(*arguments: str, **options: Any) -> tuple[int, str, str]:
    """Run the command; return its exit status, what it says, and what it says of its failure."""
    output = StringIO()
    try:
        call_command("alguna_doctor", *arguments, stdout=output, **options)
    except CommandError as exc:
        return exc.returncode, output.getvalue(), str(exc)
    return 0, output.getvalue(), ""


def examined(*arguments: str) -> Said:
    """Run the command for machines."""
    status, said, _failure = run("--json", *arguments)
    return Said(status=status, report=json.loads(said))


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """A network in which nobody is but those that a test names."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def account(http: responses.RequestsMock, settings: Settings) -> Account:
    """An account that the key opens."""
    return Account(http, settings.ALGUNA_PORTAL_API_KEY)


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    """A mail server."""
    with serving(Postbox()) as server:
        yield server


@pytest.fixture
def site(db: None, settings: Settings) -> Settings:
    """A deployment outside DEBUG in which nothing is wrong, but for what the network says."""
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
def well(site: Settings, account: Account, postbox: Postbox) -> Settings:
    """The deployment with its network, and a customer whom Alguna knows."""
    mail_through(site, postbox)
    account.http.add("GET", WEBHOOK, status=405)
    account.http.add("POST", WEBHOOK, status=400)
    acme = Customer.objects.create(alias="acme-1", customer_id=account.add("acme-1"), plan="starter")
    Membership.objects.create(user=User.objects.create_user("mia"), customer=acme)
    return site
