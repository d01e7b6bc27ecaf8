"""Log events, as documented in `log_events`; and the setups in docs/howto/observability.md."""

import ast
import importlib.util
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

import alguna_portal
from alguna_portal import log_events
from alguna_portal.api.circuit_breaker import FAILURES, OPEN_SECONDS
from alguna_portal.customers import provision
from alguna_portal.links import send_link
from alguna_portal.models import Customer, Membership
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi
from tests.docs.processes import run_module
from tests.docs.test_setups import write_project
from tests.support.emails import submit_link
from tests.support.logs import STANDARD_FIELDS

BILLING = reverse("alguna_portal:billing")
PACKAGE = Path(alguna_portal.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "howto" / "observability.md").read_text()
RECORD_ATTRIBUTES = STANDARD_FIELDS - {"event"}
LEVELS = {"debug", "info", "warning", "error", "critical"}


def get_documented_events() -> set[tuple[str, str, frozenset[str]]]:
    """Return name, level and fields of each event in the docstring; a remark follows a field's name or a colon."""
    rows = re.findall(r"^(\w+) {2,}(\w+) {2,}([^:\n]+)", log_events.__doc__ or "", re.MULTILINE)
    return {(name, level, frozenset(each.split()[0] for each in fields.split(","))) for name, level, fields in rows}


def get_event_table() -> dict[str, tuple[str, frozenset[str]]]:
    """Return level and fields of each documented event by its name."""
    return {name: (level, fields) for name, level, fields in get_documented_events()}


def find_log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Find the calls of `log_event` and of loggers in the source code; yield file, line and call."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" in path.relative_to(PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="log_event")):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node
                case ast.Call(func=ast.Attribute(value=ast.Name(id="logger" | "logging" | "log"), attr=attr)):
                    if attr not in ("getLogger", "isEnabledFor"):
                        yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_log_call_is_a_documented_event() -> None:
    """With the documented level and fields, and each documented event is logged."""
    table = get_event_table()
    found = set()
    for where, call in find_log_calls():
        assert isinstance(call.func, ast.Name), f"{where}: no event"
        log, name = call.args[0], ast.literal_eval(call.args[1])
        assert isinstance(log, ast.Attribute)
        assert log.attr in LEVELS, f"{where}: {log.attr}"
        fields = {"error" if each.arg == "exc" else each.arg for each in call.keywords if each.arg} - {"detail"}
        starred = any(each.arg is None for each in call.keywords)
        assert name in table, f"{where}: {name}"
        assert log.attr == table[name][0], f"{where}: {name}"
        assert fields <= table[name][1] if starred else fields == table[name][1], f"{where}: {name}"
        # The tests below check the fields of these events.
        assert not starred or name in COUNTED, f"{where}: {name}"
        found.add(name)
    assert found == table.keys()


def test_no_field_is_an_attribute_of_log_records() -> None:
    """`logging` would raise an exception."""
    for name, _, fields in get_documented_events():
        assert not fields & RECORD_ATTRIBUTES, name


COUNTED = {"portal_opened", "portal_denied", "portal_unavailable", "portal_failed"}
SECRETS = ("@", "http", "hs/token", "secret-of-the-tests")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log from level INFO."""
    caplog.set_level(logging.INFO, "alguna_portal")
    return caplog


@pytest.fixture
def customer(db: None) -> Customer:
    """A customer whose alias and name are email addresses."""
    return Customer.objects.create(
        alias="ap@acme.example", name="boss@acme.example", email="billing@acme.example", currency="USD", plan="starter"
    )


@pytest.fixture
def ann(customer: Customer) -> User:
    """A manager of the customer, whose user name is an email address."""
    user = User.objects.create_user("ann@acme.example", "ann@acme.example")
    Membership.objects.create(user=user, customer=customer)
    return user


def click(user: User) -> Any:
    """Open a new portal session."""
    client = Client()
    client.force_login(user)
    return client.get(BILLING, {"fresh": "1"})


def get_events(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return and clear the logged events; check that they are as documented and contain no secrets."""
    table = get_event_table()
    events = []
    for record in log.records:
        if record.name.startswith("alguna_portal"):
            fields = {name: value for name, value in vars(record).items() if name not in RECORD_ATTRIBUTES}
            assert (record.levelname.lower(), frozenset(fields) - {"event"}) == table[fields["event"]]
            assert not [each for each in SECRETS if each in f"{fields} {record.getMessage()}"]
            events.append(fields)
    log.clear()
    return events


def test_opened_portal_is_logged(alguna: FakeApi, ann: User, customer: Customer, log: pytest.LogCaptureFixture) -> None:
    click(ann)
    (fields,) = get_events(log)
    assert 0 <= fields.pop("seconds") < 60
    assert fields == {
        "event": "portal_opened",
        "customer": customer.pk,
        "user": ann.pk,
        "link": None,
        "via": "view",
        "role": "manager",
        "reused": False,
    }


def test_denied_click_is_logged(alguna: FakeApi, non_member: User, log: pytest.LogCaptureFixture) -> None:
    """Without a customer."""
    click(non_member)
    keys = {"customer": None, "user": non_member.pk, "link": None, "via": "view", "role": ""}
    assert get_events(log) == [{"event": "portal_denied", **keys}]


@pytest.mark.parametrize("by_link", [False, True])
def test_failed_click_is_logged(
    alguna: FakeApi, ann: User, customer: Customer, log: pytest.LogCaptureFixture, by_link: bool
) -> None:
    """An outage as a warning with `retry_after`, other failures as errors."""
    link = send_link(customer)
    assert get_events(log) == [{"event": "link_mailed", "link": link.pk, "customer": customer.pk}]
    whose = {"customer": customer.pk, "link": link.pk if by_link else None}
    for status, headers, failure in (
        (503, {"Retry_After": "7"}, {"error": "AlgunaUnavailable", "status": 503, "retry_after": 7.0}),
        (500, {}, {"error": "AlgunaUnavailable", "status": 500, "retry_after": None}),
        (401, {}, {"error": "AuthenticationFailed", "status": 401}),
    ):
        alguna.fail(status, '{"detail": "Ask ap@acme.example at https://x.example"}', **headers)
        submit_link(link) if by_link else click(ann)
        name = "portal_unavailable" if "retry_after" in failure else "portal_failed"
        assert get_events(log) == [{"event": name, **whose, **failure}]


def test_retry_is_logged(settings: Settings, alguna: FakeApi, ann: User, log: pytest.LogCaptureFixture) -> None:
    """With the number of the attempt and the wait."""
    settings.ALGUNA_PORTAL_RETRIES = 1
    alguna.fail(429, Retry_After="2")
    with mock.patch("alguna_portal.api.retries.pause"):
        click(ann)
    repeated, opened = get_events(log)
    failure = {"error": "AlgunaUnavailable", "status": 429}
    assert repeated == {"event": "call_repeated", "attempt": 1, **failure, "seconds": 2.0}
    assert opened["event"] == "portal_opened"


def test_open_breaker_is_logged_once(alguna: FakeApi, ann: User, log: pytest.LogCaptureFixture) -> None:
    """After failures in a row. Later clicks fail without a call."""
    for _ in range(FAILURES):
        alguna.fail(503)
        click(ann)
    events = get_events(log)
    assert [each["event"] for each in events].count("portal_unavailable") == FAILURES
    (opened,) = [each for each in events if each["event"] != "portal_unavailable"]
    assert opened == {"event": "breaker_opened", "failures": FAILURES, "seconds": OPEN_SECONDS}
    click(ann)
    (refused,) = get_events(log)
    assert (refused["error"], refused["status"]) == ("BreakerOpen", None)
    assert 0 < refused["retry_after"] <= OPEN_SECONDS


class FailingCache(LocMemCache):
    """A cache that raises exceptions with its password."""

    def get_many(self, keys: Any, version: int | None = None) -> Any:
        """Raise an exception."""
        raise OSError("http://user:secret-of-the-tests@cache")


def test_cache_failure_is_logged(settings: Settings, alguna: FakeApi, ann: User, log: pytest.LogCaptureFixture) -> None:
    """With the alias of the cache and the class of the exception, without its text."""
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.FailingCache"}}
    click(ann)
    failed, opened = get_events(log)
    assert failed == {"event": "cache_failed", "cache": "default", "error": "OSError"}
    assert opened["event"] == "portal_opened"


def test_unknown_plan_is_logged(alguna: FakeApi, ann: User, customer: Customer, log: pytest.LogCaptureFixture) -> None:
    """The portal opens without permissions."""
    customer.plan = "gold"
    customer.save()
    click(ann)
    doubted, opened = get_events(log)
    assert doubted == {"event": "settings_doubted", "customer": customer.pk, "plan": "gold"}
    assert opened["event"] == "portal_opened"


def test_created_customer_is_logged(empty_fake: FakeAlguna, customer: Customer, log: pytest.LogCaptureFixture) -> None:
    provision(customer)
    assert get_events(log) == [{"event": "customer_provisioned", "customer": customer.pk, "how": "created"}]


# For each setup on the page: the package that it needs, and tests that run in a project with the setup.
HEAD = '''
import logging

import pytest
from django.contrib.auth.models import User

from alguna_portal.models import Customer, Membership


@pytest.fixture
def click(client, alguna, db):
    """Click three times: the first opens a portal, the second reuses its session, the third fails."""
    user = User.objects.create_user("ann")
    Membership.objects.create(user=user, customer=Customer.objects.create(alias="77", name="Acme"))
    client.force_login(user)

    def click():
        assert [client.get("/billing/").status_code for _ in range(2)] == [302, 302]
        alguna.fail(401)
        assert client.get("/billing/?fresh=1").status_code == 502

    return click
'''
SETUPS = {
    "Log": (
        "pythonjsonlogger",
        """
import json
from io import StringIO


def test_lines_are_json(click):
    (handler,) = logging.getLogger("alguna_portal").handlers
    handler.setStream(lines := StringIO())
    click()
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [each["event"] for each in events] == ["portal_opened", "portal_opened", "portal_failed"]
    assert [each["levelname"] for each in events] == ["INFO", "INFO", "ERROR"]
    assert (events[1]["reused"], events[2]["status"], events[2]["error"]) == (True, 401, "AuthenticationFailed")
""",
    ),
    "Prometheus": (
        "prometheus_client",
        """
from prometheus_client import REGISTRY, generate_latest


def test_clicks_are_counted_and_timed(click):
    click()
    for outcome in ("opened", "reused", "failed"):
        labels = {"via": "view", "outcome": outcome}
        assert REGISTRY.get_sample_value("billing_clicks_total", labels) == 1
        assert REGISTRY.get_sample_value("billing_seconds_count", labels) == 1
    assert "Acme" not in generate_latest().decode()


def test_a_refusal_is_counted_and_not_timed(client, django_user_model, db):
    client.force_login(django_user_model.objects.create_user("sue"))
    assert client.get("/billing/").status_code == 403
    labels = {"via": "view", "outcome": "denied"}
    assert REGISTRY.get_sample_value("billing_clicks_total", labels) == 1
    assert REGISTRY.get_sample_value("billing_seconds_count", labels) is None
""",
    ),
    "OpenTelemetry": (
        "opentelemetry.sdk",
        """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def test_clicks_are_counted_timed_and_on_the_span(click):
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    metrics.set_meter_provider(MeterProvider([reader]))
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    with trace.get_tracer("test").start_as_current_span("request"):
        click()
    (span,) = spans.get_finished_spans()
    outcomes = ["opened", "reused", "failed"]
    assert [each.attributes["outcome"] for each in span.events] == outcomes
    assert [each.attributes["error"] for each in span.events] == ["", "", "AuthenticationFailed"]
    (resource,) = reader.get_metrics_data().resource_metrics
    counts, times = resource.scope_metrics[0].metrics
    assert (counts.name, times.name, times.unit) == ("billing.clicks", "billing.duration", "s")
    assert {(each.attributes["outcome"], each.value) for each in counts.data.data_points} == {(o, 1) for o in outcomes}
    assert {each.attributes["outcome"]: each.count for each in times.data.data_points} == dict.fromkeys(outcomes, 1)
""",
    ),
    "Sentry": (
        "sentry_sdk",
        '''
import json

import sentry_sdk
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory, override_settings
from sentry_sdk.transport import Transport

from alguna_portal.links import get_link_url, send_link
from alguna_portal.signals import portal_failed


class Kept(Transport):
    def __init__(self):
        super().__init__()
        self.events = []

    def capture_envelope(self, envelope):
        self.events += [item.payload.json for item in envelope.items if item.headers["type"] == "event"]


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(sentry_sdk.get_client(), "transport", transport := Kept())
    return transport.events


def test_an_error_becomes_an_issue_with_the_event_as_its_tag(click, kept, caplog):
    caplog.set_level(logging.INFO, "alguna_portal")
    click()
    (issue,) = kept
    assert (issue["tags"]["event"], issue["level"]) == ("portal_failed", "error")
    assert (issue["extra"]["status"], issue["extra"]["error"]) == (401, "AuthenticationFailed")
    assert "portal opened" in json.dumps(issue["breadcrumbs"])


def raise_after_the_click(get_response):
    def middleware(request):
        response = get_response(request)
        raise RuntimeError(response.status_code)

    return middleware


@override_settings(ALGUNA_PORTAL_SITE_URL="https://app.example.com")
def test_no_issue_holds_a_link_a_portal_or_the_key(client, click, alguna, kept, settings):
    """Neither after an error on the page of a link nor after one in a middleware."""
    link = get_link_url(send_link(Customer.objects.get(), to="ap@acme.example"))
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "my_app.tests.raise_after_the_click"]
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    # Not with the test client, which bypasses Sentry's WSGI integration.
    for request in (
        RequestFactory().get(link.removeprefix("https://app.example.com")),
        RequestFactory(HTTP_COOKIE=cookie).get("/billing/"),
    ):
        get_wsgi_application()(request.environ, lambda *_: None).close()
    sent = json.dumps(kept)
    assert [each["exception"]["values"][0]["type"] for each in kept] == ["RuntimeError"] * 2
    assert "/billing/link/[link]/" in sent
    for secret in (link.rsplit("/", 2)[1], alguna.sessions[-1].url, alguna.settings["ALGUNA_PORTAL_API_KEY"]):
        assert secret not in sent


def test_no_breadcrumb_holds_an_alias(kept):
    """The query of a lookup contains it."""
    data = {"url": "https://api.alguna.io/customers/lookup", "http.query": "alias=ap%40acme.example"}
    with sentry_sdk.isolation_scope():
        sentry_sdk.add_breadcrumb(type="http", category="httplib", data=data)
        sentry_sdk.capture_message("Whatever comes after it.")
    (issue,) = kept
    assert "customers/lookup" in json.dumps(issue)
    assert "acme" not in json.dumps(issue)
''',
    ),
}


def get_files(title: str) -> dict[str, str]:
    """Return the files in a section of the page; if it has receivers, with the app that connects them."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    found = re.findall(r"```python\n# (\S+)\n(.*?)```", section, re.DOTALL)
    assert len(found) == section.count("```python")
    files = dict(found)
    return get_files("Signals") | files if "my_app/receivers.py" in files else files


@pytest.mark.parametrize("title", SETUPS)
@pytest.mark.slow
def test_documented_setup_works_in_a_project(tmp_path: Path, title: str) -> None:
    """If the library isn't installed, the test is skipped, or fails in CI."""
    module, tests = SETUPS[title]
    if not importlib.util.find_spec(module.partition(".")[0]):
        missing = f"{module} IS NOT INSTALLED: its setup in docs/howto/observability.md was not tested."
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    write_project(tmp_path, get_files(title) | {"my_app/tests.py": HEAD + tests})
    ran = run_module("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "my_app/tests.py", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{tests.count('def test_')} passed" in ran.stdout


def test_all_code_on_the_page_is_tested() -> None:
    titles = [each.partition("\n")[0] for each in PAGE.split("\n## ")[1:] if "```python" in each]
    assert titles == ["Signals", *SETUPS]
